"""The passes over a recording: what each removes, and what none may touch."""

import numpy as np

import minitrain as mt
from minitrain.engine.program import passes
from minitrain.engine.program.emit import Emitter
from minitrain.engine.program.program import Program, optimized
from minitrain.engine.program.record import Recorder
from minitrain.engine.tensor import Tensor

X = Tensor(np.arange(6.0).reshape(2, 3))


def recorded(function, *inputs):
    with Recorder(inputs) as recorder:
        outputs = function(*inputs)
        return recorder.finish(outputs)


def names(recording):
    return [each.primitive.name if each.kind == "op" else each.kind for each in recording.statements]


def test_what_nobody_needs_is_dropped():
    v = mt.Variable(1.0)

    def f(x):
        mt.exp(x)
        v.read_value()
        return [x * 2.0]

    recording = recorded(f, X)
    assert passes.drop_unneeded(recording) == 3
    assert names(recording) == ["multiply"]


def test_draws_writes_and_effects_are_kept():
    v = mt.Variable(1.0)
    metric = mt.metrics.Sum()

    def f(x):
        mt.random.normal((3,))
        v.assign(mt.reduce_sum(x) * 0.0 + 1.0)
        metric.update_state(x)
        return []

    recording = optimized(recorded(f, mt.constant(np.ones(3, "float32"))))
    assert "random_normal" in names(recording)
    assert "write" in names(recording)
    assert "effect" in names(recording)


def test_what_is_constant_is_folded():
    def f(x):
        return [x + mt.sqrt(mt.constant(4.0, "float64")) * mt.ones((3,), "float64")]

    recording = recorded(f, X)
    assert passes.fold_constants(recording) >= 2
    assert names(recording) == ["add"]


def test_what_is_repeated_is_shared():
    v = mt.Variable(np.ones(3))

    def f(x):
        return [mt.tanh(x) + mt.tanh(x) + v + mt.stop_gradient(v)]

    recording = recorded(f, X)
    assert passes.share_repeated(recording) >= 1
    assert names(recording).count("tanh") == 1


def test_a_squared_error_and_its_gradient_share_the_differences():
    def f(x, y):
        with mt.GradientTape() as tape:
            tape.watch(y)
            loss = mt.losses.MeanSquaredError()(x, y)
        return [loss, tape.gradient(loss, y)]

    other = Tensor(np.linspace(1, 2, 6).reshape(2, 3))
    recording = recorded(f, X, other)
    assert names(recording).count("mean_squared_error") == 1
    assert passes.take_apart(recording) == 1
    assert names(optimized(recording)).count("subtract") == 1
    found = Program(recording).run(X._array, other._array)
    for one, eager in zip(found, f(X, other), strict=True):
        np.testing.assert_array_equal(one, eager)


def test_a_cross_entropy_and_its_gradient_share_the_softmax():
    labels = Tensor(np.array([2, 0]))

    def f(x):
        with mt.GradientTape() as tape:
            tape.watch(x)
            loss = mt.nn.sparse_softmax_cross_entropy_with_logits(labels, x)
        return [loss, tape.gradient(loss, x)]

    recording = optimized(recorded(f, X))
    assert names(recording).count("exp") == names(recording).count("shifted") == 1
    for one, eager in zip(Program(recording).run(X._array), f(X), strict=True):
        np.testing.assert_array_equal(one, eager)


def test_numbers_without_axes_are_scalars():
    recording = optimized(recorded(lambda x: [mt.reduce_sum(x) * 2.0 + mt.reduce_mean(x)], X))
    program = Program(recording)
    assert not any("out=" in line for line in program.lines)
    assert program.run(X._array)[0] == X._array.sum() * 2.0 + X._array.mean()


def test_weights_without_axes_are_no_constants():
    """Variables that an optimizer has packed stand in arrays that are there before the first run, as constants do."""

    def trained(wrap):
        v, w, optimizer = mt.Variable(0.5), mt.Variable(0.7), mt.optimizers.SGD(0.1)

        @wrap
        def step(x):
            with mt.GradientTape() as tape:
                loss = (v * w + v / w - 2.0 * w) * x
            optimizer.apply_gradients(zip(tape.gradient(loss, [v, w]), [v, w], strict=True))
            return loss

        return [float(step(mt.constant(1.5))) for _ in range(6)]

    assert trained(mt.function) == trained(lambda step: step)


def test_two_draws_are_not_one():
    recording = optimized(recorded(lambda: [mt.random.normal((2,)) - mt.random.normal((2,))]))
    assert names(recording).count("random_normal") == 2


def test_products_with_ones_are_dropped():
    recording = recorded(lambda x: [x * mt.ones((2, 3), "float64") + 1.0], X)
    passes.fold_constants(recording)
    assert passes.drop_identities(recording) == 1
    assert names(recording) == ["add"]


def test_chains_of_elementwise_operations_run_in_one_buffer():
    recording = optimized(recorded(lambda x: [mt.tanh(mt.exp(mt.sin(x + 1.0)))], X))
    emitter = Emitter(recording, views={})
    assert emitter.bytes == 64
    assert len(emitter.lines) == 4


def test_buffers_are_used_again_when_their_values_are_gone():
    def f(x):
        for _ in range(10):
            x = mt.matmul(x, mt.ones((3, 3), "float64"))
        return [x]

    emitter = Emitter(optimized(recorded(f, X)), views={})
    assert emitter.bytes == 128


def test_views_cost_nothing_at_a_run():
    recording = optimized(recorded(lambda x: [mt.transpose(mt.reshape(mt.exp(x), (3, 2))) + 1.0], X))
    emitter = Emitter(recording, views={})
    assert len(emitter.lines) == 2


def test_a_penalty_on_weights_that_were_written_since_stays_where_it_is():
    def trained(wrap):
        w, rates = mt.Variable([1.0, 2.0, 3.0]), (0.1, 0.2)
        optimizers = [mt.optim.SGD(rate) for rate in rates]
        penalty = mt.regularizers.L2(0.3)

        def step(x):
            with mt.GradientTape(persistent=True) as tape:
                losses = [mt.reduce_sum(f(w) * x) + penalty(w) * 0.5 for f in (mt.sin, mt.cos)]
            gradients = [tape.gradient(loss, [w]) for loss in losses]
            for optimizer, (g,) in zip(optimizers, gradients, strict=True):
                optimizer.apply_gradients([(g, w)])

        step = wrap(step)
        for _ in range(4):
            step(mt.constant([1.0, 0.5, 0.2]))
        return w.numpy()

    np.testing.assert_allclose(trained(mt.function), trained(lambda step: step), rtol=1e-6)
