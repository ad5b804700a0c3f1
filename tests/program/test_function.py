"""Functions recorded once and replayed: the same numbers as Python's own call, every time."""

import gc
import threading
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minitrain as mt
from minitrain import layers
from minitrain.engine.program.record import CannotReplay

RNG = np.random.default_rng(0)
X = RNG.normal(size=(6, 4)).astype("float32")


def training_step(model, optimizer, loss):
    def step(x, y):
        with mt.GradientTape() as tape:
            value = loss(y, model(x, training=True))
        variables = model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(value, variables), variables))
        return value

    return step


def network(seed=0):
    mt.utils.set_random_seed(seed)
    model = mt.Sequential([layers.Dense(8, activation="relu"), layers.BatchNormalization(), layers.Dense(2)])
    model.build((None, 4))
    return model


def test_a_replayed_training_step_gives_the_numbers_of_the_eager_one_bit_for_bit():
    models = network(), network()
    steps = [training_step(each, mt.optimizers.Adam(0.05), mt.losses.MeanSquaredError()) for each in models]
    replayed = mt.function(steps[1])
    for count in range(6):
        x, y = (mt.constant(RNG.normal(size=(6, size)).astype("float32")) for size in (4, 2))
        assert float(steps[0](x, y)) == float(replayed(x, y)), count
    for mine, its in zip(models[0].get_weights(), models[1].get_weights(), strict=True):
        np.testing.assert_array_equal(mine, its)
    assert "dense (6, 4), (4, 8), (8,) -> (6, 8)" in replayed.source()
    assert "test_function.py:" in replayed.source()
    assert replayed.records < 80
    assert replayed.peak_bytes > 0


def test_each_signature_has_a_program_of_its_own():
    calls = []

    @mt.function
    def f(x, power, scale=1.0):
        calls.append((x.shape, power))
        return {"out": scale * x**power, "power": power}

    for size in (2, 3):
        for power in (2, 3):
            for _ in range(4):
                found = f(mt.constant(X[:size]), power, scale=2.0)
                np.testing.assert_allclose(found["out"], 2 * X[:size] ** power, rtol=1e-6)
                assert found["power"] == power
    assert len(calls) == 8


def test_the_number_of_signatures_is_bounded():
    f = mt.function(lambda x: x + 1)
    for size in range(1, 40):
        f(mt.constant(np.zeros(size, "float32")))
    assert len(f._traces) <= 16


def test_variables_are_read_and_written_at_every_call():
    v = mt.Variable([1.0, 2.0])

    @mt.function
    def f(x):
        before = v.read_value()
        v.assign_add(x)
        after = v * 1.0
        v.assign(after * 2.0)
        return before, after

    twin = np.array([1.0, 2.0], "float32")
    for count in range(5):
        x = np.full(2, count, "float32")
        before, after = f(mt.constant(x))
        np.testing.assert_array_equal(before, twin)
        np.testing.assert_array_equal(after, twin + x)
        twin = (twin + x) * 2
        np.testing.assert_array_equal(v, twin)
    v.assign([0.0, 0.0])
    np.testing.assert_array_equal(f(mt.constant([1.0, 1.0]))[1], [1, 1])


def test_what_a_program_returns_is_the_callers_own():
    f = mt.function(lambda x: x * 2)
    found = [f(mt.constant(np.full(3, count, "float32"))) for count in range(6)]
    assert [float(each[0]) for each in found] == [0, 2, 4, 6, 8, 10]


def test_random_operations_draw_afresh_and_as_the_eager_call_draws():
    layer, twin = layers.Dropout(0.5, seed=3), layers.Dropout(0.5, seed=3)
    f = mt.function(lambda x: layer(x, training=True))
    for _ in range(5):
        np.testing.assert_array_equal(f(mt.constant(X)), twin(mt.constant(X), training=True))
    mt.random.set_seed(1)
    g = mt.function(lambda: mt.random.normal((3,)))
    drawn = [g().numpy() for _ in range(4)]
    mt.random.set_seed(1)
    np.testing.assert_array_equal(drawn, [mt.random.normal((3,)) for _ in range(4)])
    mt.random.set_seed(1)
    np.testing.assert_array_equal(g(), drawn[0])


@pytest.mark.parametrize(
    "leaves",
    [
        lambda x: x * 2 if x[0] > 0 else x,
        lambda x: mt.constant(x.numpy() * 2),
        lambda x: x * float(x[0]),
        lambda x: mt.constant(np.asarray(x)),
    ],
    ids=["branch", "numpy", "float", "asarray"],
)
def test_a_value_taken_out_is_an_error_that_names_the_line(leaves):
    with pytest.raises(CannotReplay, match=r"test_function.py:\d+.*minitrain.where"):
        mt.function(leaves)(mt.constant(X[0]))


def test_what_a_function_had_done_before_it_took_a_value_out_is_done_once():
    v = mt.Variable(0.0)

    @mt.function
    def step(x):
        v.assign_add(1.0)
        return mt.cond(x > 0, lambda: v.assign_add(10.0), lambda: v.assign_sub(10.0)).read_value()

    with pytest.warns(UserWarning, match="taken out"):
        assert [float(step(mt.constant(x))) for x in (1.0, -1.0, 1.0, 1.0)] == [11.0, 2.0, 13.0, 24.0]


@pytest.mark.parametrize("is_persistent", [True, False])
def test_nothing_is_recorded_after_a_value_was_taken_out_but_for_the_functions_own_tapes(is_persistent):
    w, alive = mt.Variable([1.0, 2.0]), []

    @mt.function
    def step(x):
        with mt.GradientTape(persistent=True) as before:
            y = w * w
        with mt.GradientTape(persistent=is_persistent) as tape:
            z = mt.reduce_sum(x * w) * w
            z = mt.cond(mt.reduce_sum(x) > 0.0, lambda: z * x, lambda: z)  # where recording stops
            w.assign_add([1.0, 1.0])
            z = z * w
        for _ in range(3):
            alive.append(weakref.ref(x * 2.0))
        return before.gradient(y, w), tape.gradient(z, w), w.read_value()

    found = []
    with pytest.warns(UserWarning, match="taken out"):
        found.append(step(mt.constant([3.0, 4.0])))
    assert not any(each() for each in alive)
    assert not mt.engine.trail.STATE.home
    w.assign([1.0, 2.0])
    found.append(step(mt.constant([3.0, 4.0])))
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "use",
    [
        lambda x: mt.cond(x[0] > 0, lambda: x * 2, lambda: x),
        lambda x: mt.while_loop(lambda i, y: y[0] < 9, lambda i, y: (i + 1, mt.abs(y) + 2), (0, x))[1],
        lambda x: mt.case([(x[0] > 1, lambda: x)], default=lambda: -x),
        lambda x: mt.switch_case(mt.cast(x[0] > 0, "int32"), [lambda: x, lambda: x * 3]),
    ],
    ids=["cond", "while_loop", "case", "switch_case"],
)
def test_branches_and_loops_on_values_go_the_way_of_the_values(use):
    f = mt.function(use)
    with pytest.warns(UserWarning, match=r"runs as Python code.*test_function.py:\d+"):
        f(mt.constant(X[0]))
    for x in (X[1], -X[1], X[0] + 5):  # warnings are errors: there is no second one
        np.testing.assert_array_equal(f(x), use(mt.constant(x)))
    with pytest.raises(CannotReplay, match="taken out"):
        f.source(mt.constant(X[0]))


def test_layers_that_look_values_up_run_as_python_code_unsaid():
    look = layers.IntegerLookup(vocabulary=[3, 4])
    f = mt.function(lambda x: look(x))
    np.testing.assert_array_equal([f(mt.constant([x]))[0] for x in (3, 4, 5)], [1, 2, 0])


def test_arrays_are_tensors_wherever_a_function_runs():
    f = mt.function(lambda x: x.dtype.is_floating)
    assert f(X)
    with mt.GradientTape():
        assert f(X)
        assert f(x=X)


def test_what_is_not_the_same_in_two_calls_is_refused():
    counter = iter(range(100))
    f = mt.function(lambda x: x + float(next(counter)))
    g = mt.function(lambda x: x + RNG.normal(size=4).astype("float32"))
    for each in (f, g):
        each(mt.constant(X))
        each(mt.constant(X))
        with pytest.raises(CannotReplay, match=r"Two calls.*NumPy's"):
            each(mt.constant(X))


def test_prints_and_assertions_happen_in_every_run(capsys):
    v = mt.Variable(1.0)

    @mt.function
    def step(x):
        mt.debugging.assert_greater(x, 0.0, message="above:")
        mt.debugging.check_numerics(x, "finite:")
        mt.debugging.assert_near(x, x)
        mt.Assert(x < 5.0, [x])
        mt.print("x is", x * 2, v)
        v.assign_add(1.0)
        return x

    for x in (1.0, 2.0, 3.0, 4.0):
        step(mt.constant(x))
    assert capsys.readouterr().err.splitlines() == [f"x is {2 * x} {x}" for x in (1.0, 2.0, 3.0, 4.0)]
    with pytest.raises(mt.errors.InvalidArgumentError, match="above: Condition x > y did not hold"):
        step(mt.constant(-1.0))
    with pytest.raises(mt.errors.NonFiniteError, match="finite:"):
        step(mt.constant(np.inf))
    with pytest.raises(mt.errors.InvalidArgumentError, match=r"numpy=False> to be true.*numpy=7.0>\]"):
        step(mt.constant(7.0))
    assert step.records


def test_metrics_give_their_results_in_a_function():
    mean, own, twin = mt.keras.metrics.Mean(), Largest(), mt.keras.metrics.Mean()

    @mt.function
    def step(x):
        mean(x)
        own.update_state(x)
        return mean.result(), own.result()

    for x in (3.0, 3.0, 3.0, 9.0, 4.0):  # the same result twice is no constant
        average, largest = step(mt.constant([x]))
        np.testing.assert_array_equal(average, twin(x))
        assert float(largest) == (3.0 if x == 3.0 else 9.0)
    assert step.records


class Largest(mt.keras.metrics.Metric):
    """A metric of a user's own."""

    def __init__(self):
        super().__init__()
        self.top = self.add_weight(name="top")

    def update_state(self, x):
        self.top.assign(mt.maximum(self.top, mt.reduce_max(x)))

    def result(self):
        return mt.identity(self.top)


def test_the_first_call_may_make_weights():
    layer = layers.Dense(3)
    f = mt.function(lambda x: layer(x))
    for _ in range(5):
        np.testing.assert_array_equal(f(mt.constant(X)), layer(mt.constant(X)))


def test_setting_an_attribute_of_a_layer_records_anew():
    class Scaled(layers.Layer):
        factor = 2.0

        def call(self, x):
            return x * self.factor

    layer = Scaled()
    f = mt.function(lambda x: layer(x))
    for _ in range(4):
        f(mt.constant(X))
    layer.factor = 5.0
    np.testing.assert_array_equal(f(mt.constant(X)), X * np.float32(5))


def test_methods_have_programs_of_their_own_and_go_with_their_object():
    class Counter(mt.Model):
        def __init__(self, start):
            super().__init__()
            self.count = mt.Variable(start)

        @mt.function
        def add(self, x):
            self.count.assign_add(x)
            return self.count * 1.0

    gc.collect()
    gc.disable()
    try:
        one, two = Counter(0.0), Counter(100.0)
        for _ in range(4):
            one.add(mt.constant(1.0))
            two.add(mt.constant(1.0))
        assert (float(one.count), float(two.count)) == (4.0, 104.0)
        gone = weakref.ref(one)
        del one
        assert gone() is None
    finally:
        gc.enable()


def test_inside_a_tape_the_function_is_part_of_what_the_tape_records():
    f = mt.function(lambda x: x * x)
    x = mt.constant(3.0)
    for _ in range(4):
        f(x)
        with mt.GradientTape() as tape:
            tape.watch(x)
            y = f(x)
        assert float(tape.gradient(y, x)) == 6.0


def test_higher_gradients_are_replayed():
    def second(x):
        with mt.GradientTape() as outer:
            outer.watch(x)
            with mt.GradientTape() as inner:
                inner.watch(x)
                y = mt.reduce_sum(mt.sin(x) * x**3)
            slope = inner.gradient(y, x)
        return outer.gradient(slope, x)

    f = mt.function(second)
    for count in range(4):
        x = mt.constant(X[count])
        np.testing.assert_array_equal(f(x), second(x))


def test_two_threads_may_call_one_program():
    f = mt.function(lambda x: mt.reduce_sum(mt.tanh(x) @ mt.ones((50, 50)) + x))
    inputs = [mt.constant(np.full((50, 50), count / 10, "float32")) for count in range(4)]
    wanted = [float(f.python_function(each)) for each in inputs]
    for _ in range(3):
        f(inputs[0])
    found = [[] for _ in inputs]

    def work(place):
        for _ in range(50):
            found[place].append(float(f(inputs[place])))

    threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert found == [[each] * 50 for each in wanted]


def test_metrics_in_a_function_see_every_batch():
    metric, twin = mt.metrics.MeanSquaredError(), mt.metrics.MeanSquaredError()

    @mt.function
    def f(y, p):
        metric.update_state(y, p)
        return p * 1.0

    for count in range(5):
        y, p = mt.constant(X + count), mt.constant(X)
        f(y, p)
        twin.update_state(y, p)
    assert float(metric.result()) == float(twin.result())


UNARY = ["tanh", "sigmoid", "exp", "square", "abs", "sin", "negative", "softplus"]
BINARY = ["add", "subtract", "multiply", "maximum", "minimum", "divide"]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_random_expressions_and_their_gradients_are_replayed_bit_for_bit(data):
    """Random straight-line programs over a few arrays: values are shared, dropped and overwritten in every order."""
    shapes = [(6, 4), (6, 4), (4,), (1, 4), ()]
    plan = []
    count = len(shapes)
    for _ in range(data.draw(st.integers(1, 12))):
        if data.draw(st.booleans()):
            plan.append((data.draw(st.sampled_from(UNARY)), data.draw(st.integers(0, count - 1))))
        else:
            plan.append((data.draw(st.sampled_from(BINARY)), *(data.draw(st.integers(0, count - 1)) for _ in "ab")))
        count += 1

    def compute(*inputs):
        with mt.GradientTape() as tape:
            tape.watch(inputs)
            values = list(inputs)
            for name, *places in plan:
                values.append(getattr(mt.math, name)(*(values[place] for place in places)))
            total = mt.reduce_sum(values[-1]) + mt.reduce_mean(values[len(shapes)])
        gradients = tape.gradient(total, list(inputs), unconnected_gradients="zero")
        return [total, *values[-2:], *gradients]

    f = mt.function(compute)
    for seed in range(4):
        rng = np.random.default_rng(seed)
        inputs = [mt.constant(rng.normal(size=shape)) for shape in shapes]
        for mine, its in zip(f(*inputs), compute(*inputs), strict=True):
            np.testing.assert_array_equal(mine, its)


def test_a_tensor_that_is_given_twice_is_two_inputs():
    f = mt.function(lambda a, b: a * 10.0 + b)
    x, y = mt.constant([1.0]), mt.constant([5.0])
    f(x, x)
    f(x, x)
    assert float(f(x, y)[0]) == 15.0


def test_two_updates_in_one_function_are_two_steps():
    def make():
        v = mt.Variable(np.ones(3, "float32"))
        optimizer = mt.optimizers.Adam(0.1)

        def twice(x):
            for _ in range(2):
                with mt.GradientTape() as tape:
                    loss = mt.reduce_sum((v - x) ** 2)
                optimizer.apply_gradients([(tape.gradient(loss, v), v)])
            return optimizer.iterations * 1

        return v, twice

    (v, eager), (w, recorded) = make(), make()
    f = mt.function(recorded)
    for count in range(5):
        x = mt.constant(np.full(3, count, "float32"))
        assert int(eager(x)) == int(f(x)) == 2 * (count + 1)
    np.testing.assert_array_equal(v, w)


@pytest.mark.parametrize(
    "use",
    [
        lambda x, i: x[i],
        lambda x, i: x[: i[0]],
        lambda x, i: mt.gather_nd(x, i[:, None]),
        lambda x, i: mt.boolean_mask(x[:3], i > 0),
        lambda x, i: mt.keras.ops.take(x, i - 6, axis=0),
        lambda x, i: mt.math.top_k(x, 2).values,
    ],
    ids=range(6),
)
@pytest.mark.filterwarnings("ignore:.*runs as Python code")
def test_operations_on_indices_are_those_of_each_call(use):
    f = mt.function(use)
    for seed in range(5):
        i = mt.constant(np.random.default_rng(seed).integers(0, 4, 3).astype("int32"))
        x = mt.constant(X + seed)
        np.testing.assert_array_equal(f(x, i), use(x, i))


def test_two_threads_train_by_one_function():
    v = mt.Variable(np.zeros(50, "float32"))
    optimizer = mt.optimizers.SGD(0.01)

    @mt.function
    def step(x):
        with mt.GradientTape() as tape:
            loss = mt.reduce_sum(v * x)
        optimizer.apply_gradients([(tape.gradient(loss, v), v)])

    x = mt.constant(np.ones(50, "float32"))
    for _ in range(3):
        step(x)
    threads = [threading.Thread(target=lambda: [step(x) for _ in range(100)]) for _ in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    np.testing.assert_allclose(v, np.full(50, -3.03), rtol=1e-4)
    assert int(optimizer.iterations) == 303


def test_an_input_signature_makes_tensors_of_what_is_given():
    seen = []

    @mt.function(input_signature=[mt.TensorSpec([None, 2], "float32"), mt.TensorSpec([], "float32")])
    def scaled(x, factor):
        seen.append(x.dtype)
        return x * factor

    for rows, factor in ((1, 2), (1, 3.0), (1, np.float32(4.0)), (5, 5)):
        found = scaled(np.ones((rows, 2)), factor)
        np.testing.assert_array_equal(found, np.full((rows, 2), factor, "float32"))
    assert len(seen) == 3  # twice for one row, whatever the factor, and once for five
    with pytest.raises(ValueError, match="shape"):
        scaled(np.ones((2, 3)), 1.0)
    with pytest.raises(TypeError, match="float32"):
        scaled(mt.ones((2, 2), "float64"), 1.0)
    with pytest.raises(ValueError, match="2 entries"):
        scaled(np.ones((2, 2)))


def test_a_concrete_function_takes_the_tensors_of_one_signature_and_has_the_rest_bound():
    @mt.function
    def scaled(pair, factor=2.0, *, name=None):
        return {"sum": (pair[0] + pair[1]) * factor, "name": name}

    spec = mt.TensorSpec([None], "float32")
    found = scaled.get_concrete_function((spec, spec), 3.0, name="mine")
    for rows in (1, 1, 1, 4):
        one = np.ones(rows, "float32")
        for outputs in (found((one, one)), found(pair=(one, one))):
            assert outputs["name"] == "mine"
            np.testing.assert_array_equal(outputs["sum"], 6 * one)
    with pytest.raises(TypeError, match="float32"):
        found((mt.ones(2, "float64"), mt.ones(2, "float64")))
    with pytest.raises(ValueError, match="shape"):
        scaled.get_concrete_function([np.ones(2, "f"), mt.ones(2)])([np.ones(3, "f"), np.ones(2, "f")])
    with pytest.raises(TypeError, match="factors"):
        scaled.get_concrete_function((spec, spec), factors=3.0)
    signed = mt.function(lambda x: x * 2, input_signature=[spec])
    np.testing.assert_array_equal(signed.get_concrete_function()([1, 2]), np.array([2, 4], "float32"))


def test_functions_run_as_python_while_config_says_so():
    seen = []

    @mt.function
    def noted(x):
        seen.append(float(x))
        return x * 2.0

    mt.config.run_functions_eagerly(True)
    try:
        assert mt.config.functions_run_eagerly()
        assert [float(noted(mt.constant(each))) for each in (1.0, 2.0, 3.0)] == [2.0, 4.0, 6.0]
    finally:
        mt.config.run_functions_eagerly(False)
    assert seen == [1.0, 2.0, 3.0]


def test_custom_gradients_are_replayed():
    weight = mt.Variable([2.0, 3.0])

    @mt.custom_gradient
    def clipped(x):
        y = x * x * weight

        def gradient(g, variables=None):
            return mt.clip_by_value(g, -0.1, 0.1), [mt.reduce_sum(g * x * x, axis=0)]

        return y, gradient

    def python(x):
        with mt.GradientTape() as tape:
            tape.watch(x)
            loss = mt.reduce_sum(clipped(x) ** 2)
        return loss, *tape.gradient(loss, [x, weight])

    replayed = mt.function(python)
    for seed in range(5):
        x = mt.constant(np.random.default_rng(seed).normal(size=(3, 2)).astype("float32"))
        for mine, its in zip(replayed(x), python(x), strict=True):
            np.testing.assert_array_equal(mine, its)
        weight.assign_add([0.5, 0.5])
    assert replayed.records > 3


def test_what_is_recomputed_is_not_replayed():
    @mt.function
    def step(x):
        with mt.GradientTape() as tape:
            tape.watch(x)
            y = mt.reduce_sum(mt.recompute_grad(lambda z: z * z)(x))
        return tape.gradient(y, x)

    with pytest.raises(mt.errors.TapeError, match="not recorded"):
        step(mt.constant([1.0, 2.0]))


@pytest.mark.parametrize("make", [mt.optimizers.SGD, mt.optimizers.Adam, mt.optimizers.Nadam])
def test_a_learning_rate_that_the_function_assigns_holds_at_once(make):
    models, losses = (network(), network()), []
    for model, wrap in zip(models, (lambda f: f, mt.function), strict=True):
        optimizer = make(0.1)
        train = training_step(model, optimizer, mt.losses.MeanSquaredError())

        def step(x, y, optimizer=optimizer, train=train):
            optimizer.learning_rate.assign(optimizer.learning_rate * 0.5)
            return train(x, y)

        step = wrap(step)
        losses.append([float(step(mt.constant(X), mt.constant(X[:, :2]))) for _ in range(6)])
    assert losses[0] == losses[1]
    for mine, its in zip(*(each.get_weights() for each in models), strict=True):
        np.testing.assert_array_equal(mine, its)


def test_the_count_of_updates_that_gradients_are_accumulated_for_goes_on():
    w = mt.Variable([1.0])
    optimizer = mt.optimizers.SGD(0.1, gradient_accumulation_steps=2)

    @mt.function
    def step():
        optimizer.apply_gradients([(mt.constant([1.0]), w)])
        return optimizer.iterations

    assert [int(step()) for _ in range(6)] == [0, 1, 1, 2, 2, 3]


def test_the_learning_rate_of_a_schedule_is_that_of_each_call():
    schedule = mt.optimizers.schedules.ExponentialDecay(0.1, 1, 0.5)
    optimizer = mt.optimizers.SGD(schedule)
    w = mt.Variable([1.0])

    @mt.function
    def step(at):
        before = optimizer.learning_rate
        optimizer.apply_gradients([(mt.constant([1.0]), w)])
        return before, optimizer.learning_rate, schedule(at)

    for turn in range(5):
        before, after, asked = step(mt.constant(float(10 - turn)))
        np.testing.assert_array_equal((before, after, asked), [schedule(turn), schedule(turn + 1), schedule(10 - turn)])
    np.testing.assert_allclose(w, [1.0 - sum(0.1 * 0.5**turn for turn in range(5))], rtol=1e-6)
    assert step.records


def test_numbers_that_a_function_returns_are_tensors():
    f = mt.function(lambda x, y: {"sum": x + y, "array": np.arange(2), "none": None, "text": "t", "tensor": mt.abs(y)})
    for _ in range(4):
        found = f(1, 2.5)
        np.testing.assert_array_equal([found[key].numpy() for key in ("sum", "tensor")], [3.5, 2.5])
        assert found["array"].dtype == mt.int64
        assert (found["none"], found["text"]) == (None, "t")


def test_an_input_signature_takes_lists_and_names():
    class Scale:
        @mt.function(input_signature=[mt.TensorSpec([None], mt.float32), mt.TensorSpec([], mt.float32)])
        def times(self, x, factor):
            return x * factor

    scale = Scale()
    np.testing.assert_array_equal(scale.times([1, 2], factor=3), [3.0, 6.0])
    np.testing.assert_array_equal(scale.times(factor=2, x=[1.0]), [2.0])
    with pytest.raises(mt.errors.InvalidArgumentError, match="missing a required argument"):
        scale.times(factor=2)
    double = mt.function(lambda x: x * 2, input_signature=[mt.TensorSpec(None, mt.float32)])  # any shape
    np.testing.assert_array_equal(double([[1, 2]]), [[2.0, 4.0]])
    assert double(3).numpy() == 6.0


FOUR = np.arange(1.0, 5.0, dtype="float32")
BY_VALUES = {  # of a scalar float, and of the same as an integer
    "pad by": lambda x, n: mt.pad([1.0, 2.0], mt.reshape(mt.stack([n, n]), (1, 2))),
    "pad with": lambda x, n: mt.pad([1.0], [[1, 0]], constant_values=x),
    "one_hot of": lambda x, n: mt.one_hot([0, 1], 3, on_value=x, off_value=-x),
    "one_hot depth": lambda x, n: mt.one_hot([0, 1], n),
    "repeat": lambda x, n: mt.repeat(FOUR, n),
    "fill": lambda x, n: mt.fill([2], x),
    "zeros": lambda x, n: mt.zeros([n]),
    "range": lambda x, n: mt.range(n),
    "reshape": lambda x, n: mt.reshape(FOUR, mt.stack([n % 2 + 1, -1])),
    "tile": lambda x, n: mt.tile(FOUR, [n]),
    "roll": lambda x, n: mt.roll(FOUR, n, 0),
    "axis": lambda x, n: mt.reduce_sum(np.ones((2, 3), "float32"), axis=n % 2),
    "index": lambda x, n: mt.constant(FOUR)[n],
    "slice": lambda x, n: mt.constant(FOUR)[:n],
    "mask": lambda x, n: mt.boolean_mask(FOUR, mt.constant(FOUR) > x),
    "unique": lambda x, n: mt.unique(mt.stack([x, 1.0]))[0],
    "segments": lambda x, n: mt.math.segment_sum(FOUR, mt.stack([0, 0, 0, n])),
    "bincount": lambda x, n: mt.math.bincount(mt.reshape(n, (1,))),
    "top_k": lambda x, n: mt.math.top_k(FOUR, n)[0],
    "stateless seed": lambda x, n: mt.random.stateless_normal([2], mt.stack([n, 1])),
    "stateless range": lambda x, n: mt.random.stateless_uniform([2], [1, 2], 0.0, x),
    "stateless trials": lambda x, n: mt.random.stateless_binomial([], [1, 2], x * 10.0, 1.0),
    "scatter": lambda x, n: mt.scatter_nd(mt.reshape(n, (1, 1)), mt.reshape(x, (1,)), [5]),
    "py_function": lambda x, n: mt.py_function(lambda a: float(a) * 2, [x], "float32"),
    "numpy_function": lambda x, n: mt.numpy_function(np.square, [x], "float32"),
}


@pytest.mark.parametrize("name", BY_VALUES)
@pytest.mark.parametrize("of", ["an argument", "a variable", "what was computed"])
@pytest.mark.filterwarnings("ignore:.*runs as Python code")
def test_sizes_places_and_numbers_are_those_of_each_call(name, of):
    v = mt.Variable(0.0)

    def eager(x):
        if of == "a variable":
            v.assign(x)
            x = v.read_value()
        elif of == "what was computed":
            x = x * 2.0 - x
        return BY_VALUES[name](x, mt.cast(x, "int32"))

    compiled = mt.function(eager)
    for value in (1.0, 1.0, 1.0, 3.0, 2.0):
        np.testing.assert_array_equal(compiled(mt.constant(value)), eager(mt.constant(value)))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: np.median(x * 2.0),
        lambda x: np.full_like(np.ones(2), x),
        lambda x: np.digitize(x, [1.5, 2.5]),
        lambda x: np.pad(FOUR, 1, constant_values=x),
    ],
)
def test_functions_of_numpys_that_are_no_operations_are_refused(function):
    for each in (function, lambda x: function(x + 0.0)):
        with pytest.raises(CannotReplay, match=r"`numpy\."):
            mt.function(each)(mt.constant(1.0))


def test_python_functions_are_called_every_time():
    seen = []

    @mt.function
    def counted():
        return mt.py_function(lambda: len(seen.append(0) or seen), [], "int32")

    with pytest.warns(UserWarning, match="py_function"):
        counted()
    assert [int(counted()) for _ in range(4)] == [2, 3, 4, 5]


def test_a_function_knows_that_it_is_recorded_and_how_often():
    seen = []

    @mt.function
    def noting(x):
        seen.append((mt.executing_eagerly(), mt.inside_function()))
        return x * 2.0

    assert mt.executing_eagerly()
    for rows in (1, 1, 1, 2, 2):
        noting(mt.ones(rows))
    assert seen == [(False, True)] * 4
    assert noting.experimental_get_tracing_count() == 4


def test_methods_have_concrete_functions():
    class Scaled(mt.Module):
        def __init__(self):
            self.w = mt.Variable(3.0)

        @mt.function
        def by(self, x):
            return x * self.w

    found = Scaled()
    concrete = found.by.get_concrete_function(mt.TensorSpec([], "float32"))
    assert float(concrete(2.0)) == float(concrete(x=2.0)) == 6.0
