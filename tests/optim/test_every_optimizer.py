"""The contract of an optimizer, checked over the registry; the packing of variables; schedules."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref

import numpy as np
import pytest

import minitrain as mt
from minitrain import optim
from minitrain.optim.base import REGISTRY
from minitrain.optim.schedules import REGISTRY as SCHEDULES

CLASSES = REGISTRY.members
RNG = np.random.default_rng(0)
STARTS = [RNG.normal(size=(3, 2)), RNG.normal(size=2), RNG.normal(size=(2, 4)), np.array(0.7)]


def variables(dtype="float64"):
    return [mt.Variable(np.asarray(each, dtype), name=f"v{place}") for place, each in enumerate(STARTS)]


def gradients(step, dtype="float64"):
    rng = np.random.default_rng(step)
    return [mt.constant(rng.normal(size=each.shape).astype(dtype)) for each in STARTS]


def run(optimizer, made, steps=5, dtype="float64"):
    for step in range(steps):
        optimizer.apply_gradients(zip(gradients(step, dtype), made, strict=True))
    return [v.numpy() for v in made]


OPTIONS = {
    "plain": {},
    "clipnorm": {"clipnorm": 0.5},
    "global_clipnorm": {"global_clipnorm": 0.8},
    "clipvalue": {"clipvalue": 0.3},
    "weight_decay": {"weight_decay": 0.02},
    "ema": {"use_ema": True, "ema_momentum": 0.8, "ema_overwrite_frequency": 2},
    "accumulation": {"gradient_accumulation_steps": 2},
    "loss_scale": {"loss_scale_factor": 4.0},
}


@pytest.mark.parametrize("cls", CLASSES)
def test_names_and_configuration_go_there_and_back(cls):
    made = cls(learning_rate=0.05, clipnorm=1.0, use_ema=True)
    again = optim.get({"class_name": cls.__name__, "config": made.get_config()})
    assert type(again) is cls
    assert again.get_config() == made.get_config()
    assert type(optim.get(cls.__name__)) is type(optim.get(cls.__name__.lower())) is cls
    assert getattr(mt.optimizers, cls.__name__) is cls


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())
def test_pickled_with_its_variables_it_goes_on_where_it_stood(cls, options):
    optimizer, made = cls(learning_rate=0.05, **options), variables()
    run(optimizer, made, steps=3)
    copies = [pickle.loads(pickle.dumps((optimizer, made))), copy.deepcopy((optimizer, made))]
    expected = run(optimizer, made, steps=2)
    for each in copies:
        for one, other in zip(run(*each, steps=2), expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-12)


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())
def test_packed_and_separate_variables_get_the_same_numbers(cls, options, monkeypatch):
    packed = run(cls(learning_rate=0.05, **options), variables())
    monkeypatch.setattr("minitrain.optim.base.pack", lambda variables: None)
    separate = run(cls(learning_rate=0.05, **options), variables())
    for one, other in zip(packed, separate, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


@pytest.mark.parametrize("cls", CLASSES)
def test_blocks_change_nothing(cls, monkeypatch):
    whole = run(cls(learning_rate=0.05), variables())
    monkeypatch.setattr("minitrain.optim.base.BLOCK", 3)
    for one, other in zip(whole, run(cls(learning_rate=0.05), variables()), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("cls", CLASSES)
def test_a_parabola_is_solved(cls):
    v = mt.Variable([3.0, -2.0])
    rate = {"Adadelta": 30.0, "Adagrad": 1.0, "Ftrl": 1.0, "SGD": 0.1, "Lamb": 0.05}.get(cls.__name__, 0.05)
    # Ftrl's state belongs to one learning rate.
    optimizer = cls(learning_rate=rate if cls is optim.Ftrl else optim.schedules.CosineDecay(rate, 600))
    for _ in range(600):
        optimizer.minimize(lambda: mt.reduce_sum((v - [1.0, 0.5]) ** 2), [v])
    np.testing.assert_allclose(v, [1.0, 0.5], atol=0.05)


@pytest.mark.parametrize("cls", [c for c in CLASSES if c.__name__ in ("Adam", "AdamW", "Nadam", "RMSprop", "Adamax")])
def test_rosenbrock_is_solved(cls):
    v = mt.Variable([-1.0, 1.5], dtype="float64")
    steps = 6000 if cls in (optim.RMSprop, optim.Adamax) else 3000
    optimizer = cls(learning_rate=optim.schedules.CosineDecay(0.05, steps))
    optimizer.weight_decay = None
    for _ in range(steps):
        optimizer.minimize(lambda: (1.0 - v[0]) ** 2 + 100.0 * (v[1] - v[0] ** 2) ** 2, [v])
    np.testing.assert_allclose(v, [1.0, 1.0], atol=0.05)


FIRST_STEPS = {
    "SGD": lambda w, g: w - 0.1 * g,
    "Adam": lambda w, g: w - 0.1 * g / (np.abs(g) + 1e-7 / np.sqrt(1e-3)),
    "AdamW": lambda w, g: w * (1 - 0.1 * 0.004) - 0.1 * g / (np.abs(g) + 1e-7 / np.sqrt(1e-3)),
    "Adagrad": lambda w, g: w - 0.1 * g / np.sqrt(0.1 + g * g + 1e-7),
    "Adamax": lambda w, g: w - 0.1 * g / (np.abs(g) + 1e-7),
    "RMSprop": lambda w, g: w - 0.1 * g / np.sqrt(0.1 * g * g + 1e-7),
    "Lion": lambda w, g: w - 0.1 * np.sign(g),
    "Adadelta": lambda w, g: w - 0.1 * np.sqrt(1e-7) * g / np.sqrt(0.05 * g * g + 1e-7),
    "Ftrl": lambda w, g: -(g - (np.sqrt(0.1 + g * g) - np.sqrt(0.1)) / 0.1 * w) / (np.sqrt(0.1 + g * g) / 0.1),
}


@pytest.mark.parametrize("name", FIRST_STEPS)
def test_the_first_step_equals_its_closed_form(name):
    w, g = RNG.normal(size=5), RNG.normal(size=5)
    v = mt.Variable(w)
    getattr(optim, name)(learning_rate=mt.Variable(0.1, dtype="float64")).apply_gradients([(mt.constant(g), v)])
    np.testing.assert_allclose(v, FIRST_STEPS[name](w, g), rtol=1e-9)


# A (rows, columns) shape or another, a name, options, and Keras 3.15's values after three steps.
MUON = {
    "tall": ((3, 2), "w", {}, [0.08979722, 0.14529115, 0.24418804, 0.45898774, 0.55563551, 0.60425466]),
    "wide, plain momentum, no factor": (
        (2, 3),
        "w",
        {"nesterov": False, "rms_rate": None},
        [-0.11267044, 0.07169549, 0.37380356, 0.27996725, 0.58590019, 0.81230575],
    ),
    "a vector": ((4,), "w", {}, [-0.06045746, -0.08437922, 0.11639684, 0.43972978]),
    "an embedding": ((2, 2), "my_Embedding", {}, [-0.06045746, -0.08437922, 0.11639684, 0.43972978]),
    "an embedding all the same": (
        (3, 2),
        "my_Embedding",
        {"exclude_embeddings": False, "ns_steps": 3, "weight_decay": None},
        [0.08413722, 0.14407851, 0.24975678, 0.45442247, 0.55767995, 0.61062604],
    ),
    "a layer that is left out": (
        (3, 2),
        "output",
        {"exclude_layers": ["out.ut"], "adam_lr_ratio": 0.5, "adam_weight_decay": 0.1},
        [0.01721833, 0.05342576, 0.20079568, 0.40888718, 0.62838852, 0.68325949],
    ),
}


@pytest.mark.parametrize("case", MUON)
def test_muon_moves_hidden_matrices_and_leaves_the_others_to_adam(case):
    shape, name, options, expected = MUON[case]
    count = np.arange(np.prod(shape), dtype="float32").reshape(shape)
    v = mt.Variable((count + 1) / 10, name=name)
    optimizer = optim.Muon(0.1, **options)
    for step in range(3):
        optimizer.apply([mt.constant(np.sin(count + step))], [v])
    np.testing.assert_allclose(np.ravel(v.numpy()), expected, rtol=2e-5, atol=1e-6)


def test_the_iteration_of_muon_moves_all_singular_values_to_about_one():
    x = np.linalg.qr(RNG.normal(size=(4, 3)))[0] * [3.0, 1.0, 0.3]
    found = np.linalg.svd(optim.Muon().zeropower_via_newtonschulz5(x, 5).numpy(), compute_uv=False)
    assert np.all((found > 0.6) & (found < 1.3))
    with pytest.raises(ValueError, match="at least 2 axes"):
        optim.Muon().zeropower_via_newtonschulz5([1.0], 5)


class OwnMomentum(optim.Optimizer):
    """SGD with momentum, written as Keras's guide writes optimizers."""

    def __init__(self, learning_rate=0.01, momentum=0.9, **kwargs):
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.momentum = momentum

    def build(self, variables):
        super().build(variables)
        self.momentums = self.add_optimizer_variables(variables, "momentum")

    def update_step(self, gradient, variable, learning_rate):
        rate = mt.cast(learning_rate, variable.dtype)
        m = self.momentums[self._get_variable_index(variable)]
        self.assign(m, m * self.momentum - gradient * rate)
        self.assign_add(variable, m)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())
def test_an_optimizer_written_as_in_keras_equals_the_one_written_here(options):
    own, ours = variables(), variables()
    run(OwnMomentum(0.05, **options), own)
    run(optim.SGD(0.05, momentum=0.9, **options), ours)
    for one, other in zip(own, ours, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


def test_an_optimizer_written_as_in_keras_trains_models():
    weights = []
    for optimizer in (OwnMomentum(0.05), optim.SGD(0.05, momentum=0.9)):
        model = mt.Sequential([mt.layers.Input((3,)), mt.layers.Dense(2, kernel_initializer="ones")])
        model.compile(optimizer, "mse")
        x = np.random.default_rng(0).normal(size=(16, 3))
        model.fit(x, x[:, :2], epochs=2, batch_size=4, shuffle=False, verbose=0)
        weights.append(model.get_weights())
    np.testing.assert_allclose(weights[0][0], weights[1][0], rtol=1e-5)
    again = optim.deserialize(optim.serialize(OwnMomentum(momentum=0.5)), custom_objects={"OwnMomentum": OwnMomentum})
    assert again.momentum == 0.5


def test_state_stands_in_kerass_order():
    optimizer = optim.SGD(momentum=0.9, use_ema=True, gradient_accumulation_steps=2)
    optimizer.build([mt.Variable([1.0], name="a"), mt.Variable([1.0], name="b")])
    extra = optimizer.add_variable((2,), "ones", name="extra")
    state = ["iteration", "learning_rate", "a_average", "b_average", "a_gradient_accumulator", "b_gradient_accumulator"]
    assert [each._name for each in optimizer.variables] == [*state, "a_momentum", "b_momentum", "extra"]
    optimizer.assign_sub(extra, [0.5, 0.0])
    np.testing.assert_array_equal(extra, [0.5, 1.0])


def test_a_schedule_counts_every_call_while_gradients_are_accumulated():
    v = mt.Variable([1.0, 2.0])
    optimizer = optim.SGD(optim.schedules.ExponentialDecay(1.0, 1, 0.5), gradient_accumulation_steps=2)
    for step in range(4):
        optimizer.apply([mt.constant([3.0, float(step)])], [v])
    np.testing.assert_allclose(v, [-0.875, 1.4375])  # Keras 3.15's


@pytest.mark.parametrize("cls", CLASSES)
def test_state_saved_and_restored_goes_on_as_if_nothing_had_happened(cls):
    straight = run(cls(learning_rate=0.05), variables(), 6)
    first, made = cls(learning_rate=0.05), variables()
    run(first, made, 3)
    store: dict = {}
    first.save_own_variables(store)
    second, again = cls(learning_rate=0.05), [mt.Variable(v.numpy(), name=v._name) for v in made]
    second.build(again)
    second.load_own_variables(store)
    for step in range(3, 6):
        second.apply_gradients(zip(gradients(step), again, strict=True))
    for one, other in zip(straight, again, strict=True):
        np.testing.assert_array_equal(one, other)
    assert len(first.variables) == len(store)


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_dtypes_are_kept(cls, dtype):
    made = variables(dtype)
    run(cls(learning_rate=0.01), made, 2, dtype)
    assert {v.dtype for v in made} == {mt.as_dtype(dtype)}


@pytest.mark.parametrize("cls", CLASSES)
def test_what_was_read_before_a_step_keeps_its_value(cls):
    made = variables()
    optimizer = cls(learning_rate=0.05)
    optimizer.build(made)
    held = [made[0].read_value(), made[0][1], made[1].numpy(), mt.transpose(made[2])]
    kept = [np.array(each) for each in held]
    with mt.GradientTape(persistent=True) as tape:
        loss = mt.add_n([mt.reduce_sum(v**2) for v in made])
    before = [g.numpy() for g in tape.gradient(loss, made)]
    optimizer.apply_gradients(zip(tape.gradient(loss, made), made, strict=True))
    for one, other in zip(held, kept, strict=True):
        np.testing.assert_array_equal(one, other)
    for one, other in zip(tape.gradient(loss, made), before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_packed_variables_share_one_buffer_that_is_written_in_place():
    made = variables()
    optimizer = optim.Adam()
    optimizer.build(made)
    assert all(v._tensor._array.base is made[0]._pack.buffer for v in made)
    address = made[0]._pack.buffer.ctypes.data
    run(optimizer, made, 3)
    assert made[0]._pack.buffer.ctypes.data == address
    held = made[1].read_value()
    run(optimizer, made, 1)
    assert made[0]._pack.buffer.ctypes.data != address
    assert all(v._tensor._array.base is made[0]._pack.buffer for v in made)
    np.testing.assert_array_equal(held.shape, (2,))
    made[0].assign(np.zeros((3, 2)))
    np.testing.assert_array_equal(made[0]._pack.buffer[:6], 0)


def test_two_optimizers_may_share_variables():
    made = variables()
    one, two = optim.SGD(0.1), optim.SGD(0.1)
    one.build(made)
    two.build(made[:2])
    two.apply_gradients(zip(gradients(0)[:2], made[:2], strict=True))
    alone = variables()
    optim.SGD(0.1).apply_gradients(zip(gradients(0)[:2], alone[:2], strict=True))
    for v, w in zip(made, alone, strict=True):
        np.testing.assert_allclose(v, w, rtol=1e-15)


def test_packs_keep_nothing_alive():
    gc.disable()
    try:
        made = variables()
        optimizer = optim.Adam()
        run(optimizer, made, 1)
        dying = [weakref.ref(each) for each in made]
        del made, optimizer
        assert all(each() is None for each in dying)
    finally:
        gc.enable()


@pytest.mark.parametrize("cls", [optim.Adam, optim.AdamW, optim.Adamax, optim.Nadam, optim.Lamb])
def test_averages_round_as_in_keras(cls):
    """m.assign_add((g - m) * (1 - beta_1)) and v.assign_add((g ** 2 - v) * (1 - beta_2)), bit for bit."""
    optimizer, variable = cls(), mt.Variable(RNG.normal(size=40).astype("float32"))
    m = v = np.zeros(40, "float32")
    for _ in range(50):
        g = RNG.normal(size=40).astype("float32")
        optimizer.apply([mt.constant(g)], [variable])
        m = m + (g - m) * np.float32(1 - optimizer.beta_1)
        v = v + (g * g - v) * np.float32(1 - optimizer.beta_2)
    averages = [each.numpy() for each in optimizer.variables if each.shape == (40,)]
    np.testing.assert_array_equal(averages[0], m)
    if cls is not optim.Adamax:  # which keeps the largest gradients instead
        np.testing.assert_array_equal(averages[1], v)


def test_a_missing_gradient_is_left_out_with_one_warning():
    made = variables()
    optimizer = optim.SGD(0.1)
    given = [None, *gradients(0)[1:]]
    with pytest.warns(UserWarning, match=r"\['v0:0'\].*tape.explain"):
        optimizer.apply_gradients(zip(given, made, strict=True))
    optimizer.apply_gradients(zip(given, made, strict=True))
    np.testing.assert_array_equal(made[0], STARTS[0])
    assert not np.array_equal(made[1], STARTS[1])
    with pytest.raises(ValueError, match="all are None"):
        optimizer.apply_gradients([(None, v) for v in made])


def test_wrong_input_is_explained():
    made = variables()
    optimizer = optim.SGD(0.1)
    optimizer.build(made[:2])
    with pytest.raises(ValueError, match=r"Unknown variable.*'v2:0'.*built for \['v0:0', 'v1:0'\]"):
        optimizer.apply_gradients([(gradients(0)[2], made[2])])
    with pytest.raises(ValueError, match=r"'v0:0' must have its shape \(3, 2\), received \(2,\)"):
        optimizer.apply_gradients([(gradients(0)[1], made[0])])
    with pytest.raises(ValueError, match="no pairs"):
        optimizer.apply_gradients([])
    with pytest.raises(ValueError, match="Only one of"):
        optim.SGD(clipnorm=1.0, clipvalue=1.0)
    for rate in ("fast", None):
        with pytest.raises(ValueError, match="number or a schedule"):
            optim.SGD(rate)
    with pytest.raises(ValueError, match=r"Adam received unknown arguments.*Did you mean 'beta_1'"):
        optim.Adam(beta1=0.5)
    with pytest.warns(UserWarning, match="`decay` is no longer"):
        optim.Adam(decay=0.5)
    with pytest.raises(ValueError, match="`ema_overwrite_frequency` must be an integer"):
        optim.Adam(use_ema=True, ema_overwrite_frequency=0.5)
    with pytest.raises(ValueError, match="Expected a string, a class"):
        optim.get(1)
    with pytest.raises(ValueError, match="Unknown optimizer: 'addam'"):
        optim.get("addam")
    with pytest.raises(ValueError, match="has 2 variables, received 1"):
        optim.SGD().set_weights([1.0])


def test_learning_rates_of_every_kind():
    made = variables()
    optimizer = optim.SGD(learning_rate=0.5)
    assert float(optimizer.learning_rate) == 0.5
    optimizer.learning_rate = 0.25
    optimizer.learning_rate.assign(0.125)
    assert float(optimizer.lr) == 0.125
    assert float(optim.SGD(lr=0.3).learning_rate) == pytest.approx(0.3)
    rate = mt.Variable(0.5)
    shared = optim.SGD(rate)
    assert shared.learning_rate is rate
    assert float(optim.SGD(lambda: 0.75).learning_rate) == 0.75
    scheduled = optim.SGD(optim.schedules.ExponentialDecay(1.0, 1, 0.5))
    assert float(scheduled.learning_rate) == 1.0
    run(scheduled, made, 2)
    assert float(scheduled.learning_rate) == 0.25
    assert scheduled.iterations.numpy() == 2
    with pytest.raises(TypeError, match="created with a `LearningRateSchedule`"):
        scheduled.learning_rate = 0.1
    scheduled.learning_rate = optim.schedules.InverseTimeDecay(0.5, 1, 0.5)
    assert float(scheduled.learning_rate) == 0.25


def test_no_gradients_are_no_step():
    optimizer = optim.SGD()
    optimizer.apply([])
    assert int(optimizer.iterations) == 0


def test_weight_decay_spares_what_is_excluded():
    made = variables()
    optimizer = optim.SGD(0.1, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_list=[made[0]], var_names=["v1"])
    zero = [mt.zeros(v.shape, v.dtype) for v in made]
    optimizer.apply_gradients(zip(zero, made, strict=True))
    for place, v in enumerate(made):
        np.testing.assert_allclose(v, STARTS[place] * (1.0 if place < 2 else 0.95), rtol=1e-8)


def test_constraints_are_applied_after_the_update():
    v = mt.Variable([1.0, 2.0], constraint=mt.constraints.NonNeg())
    optim.SGD(1.0).apply_gradients([(mt.constant([5.0, 1.0]), v)])
    np.testing.assert_array_equal(v, [0.0, 1.0])


def test_moving_averages_overwrite_the_weights_on_demand():
    made = variables()
    optimizer = optim.SGD(0.1, use_ema=True, ema_momentum=0.5)
    values = []
    for step in range(3):
        optimizer.apply_gradients(zip(gradients(step), made, strict=True))
        values.append(made[0].numpy())
    optimizer.finalize_variable_values(made)
    np.testing.assert_allclose(made[0], 0.5 * (0.5 * values[0] + 0.5 * values[1]) + 0.5 * values[2])


SCHEDULE_SAMPLES = {
    "ExponentialDecay": (0.1, 10, 0.5),
    "InverseTimeDecay": (0.1, 10, 0.5),
    "PiecewiseConstantDecay": ([2, 5], [0.3, 0.2, 0.1]),
    "PolynomialDecay": (0.1, 10),
    "CosineDecay": (0.1, 10),
    "CosineDecayRestarts": (0.1, 10),
    "OneCycle": (0.1, 20),
    "WarmupStableDecay": (0.1, 20, 5, 5),
}


@pytest.mark.parametrize("cls", SCHEDULES.members)
def test_every_schedule_is_positive_float32_and_configurable(cls):
    schedule = cls(*SCHEDULE_SAMPLES[cls.__name__])
    rates = [schedule(mt.constant(step)) for step in range(25)]
    assert {rate.dtype for rate in rates} == {mt.float32}
    assert all(0 <= float(rate) <= 0.31 for rate in rates)
    again = cls.from_config(schedule.get_config())
    assert [float(again(step)) for step in range(25)] == [float(rate) for rate in rates]
    optimizer = optim.SGD.from_config(optim.SGD(schedule).get_config())
    assert float(optimizer.learning_rate) == float(rates[0])


def test_shapes_of_schedules():
    piecewise = optim.schedules.PiecewiseConstantDecay([2, 5], [0.3, 0.2, 0.1])
    np.testing.assert_allclose([piecewise.rate(s) for s in (0, 2, 3, 5, 6)], [0.3, 0.3, 0.2, 0.2, 0.1])
    warm = optim.schedules.CosineDecay(0.0, 10, warmup_target=1.0, warmup_steps=5)
    np.testing.assert_allclose([warm.rate(s) for s in (0, 2.5, 5, 10, 15, 99)], [0, 0.5, 1, 0.5, 0, 0], atol=1e-12)
    cycle = optim.schedules.OneCycle(1.0, 100)
    assert cycle.rate(0) == pytest.approx(1 / 25)
    assert cycle.rate(30) == pytest.approx(1.0)
    assert cycle.rate(100) == cycle.rate(500) == pytest.approx(1 / 25 / 1e4)
    stable = optim.schedules.WarmupStableDecay(1.0, 10, warmup_steps=2, decay_steps=4)
    np.testing.assert_allclose([stable.rate(s) for s in (0, 1, 2, 6, 8, 10)], [0.5, 1, 1, 1, 0.5, 0])
    with pytest.raises(ValueError, match="one fewer"):
        optim.schedules.PiecewiseConstantDecay([1], [0.1])
    with pytest.raises(ValueError, match="decay_steps"):
        optim.schedules.CosineDecay(0.1, 0)


def test_a_learning_rate_that_the_step_itself_assigns_counts_from_the_next_step_on():
    class Slowing(mt.Sequential):
        def compute_loss(self, *args, **kwargs):
            self.optimizer.learning_rate.assign(self.optimizer.learning_rate * 0.9)
            return super().compute_loss(*args, **kwargs)

    def trained(run_eagerly):
        mt.utils.set_random_seed(0)
        model = Slowing([mt.layers.Dense(1)])
        model.compile(optim.Adam(0.1), "mse", run_eagerly=run_eagerly)
        x = np.linspace(-1.0, 1.0, 64, dtype="float32").reshape(32, 2)
        model.fit(x, x[:, :1], batch_size=4, epochs=2, verbose=0)
        return model.get_weights()[0]

    np.testing.assert_allclose(trained(False), trained(True), rtol=1e-5)


def test_state_is_named_as_in_keras():
    mt.utils.clear_session()
    x = mt.keras.Input((3,))
    model = mt.keras.Model(x, mt.keras.layers.Dense(2)(x))
    optimizer = optim.Adam(amsgrad=True)
    optimizer.build([*model.trainable_variables, mt.Variable(0.0, name="w")])
    names = ["iteration", "learning_rate"]
    names += ["dense_kernel_momentum", "dense_kernel_velocity", "dense_bias_momentum", "dense_bias_velocity"]
    names += ["w_momentum", "w_velocity", *(f"{each}_velocity_hat" for each in ("dense_kernel", "dense_bias", "w"))]
    assert [each.name for each in optimizer.variables] == names
    assert [each.path for each in optimizer.variables] == [f"adam/{each}" for each in names]
    assert [optim.Adam().name, optim.get("sgd").name, optim.Adam(name="mine").name] == ["adam_1", "sgd", "mine"]
    assert optim.Adam.from_config(optimizer.get_config()).name == "adam"
    assert pickle.loads(pickle.dumps(optimizer)).variables[2].path == "adam/dense_kernel_momentum"
    first = optim.RMSprop(momentum=0.9, centered=True)
    first.build([mt.Variable(0.0, name="a"), mt.Variable(0.0, name="b")])
    slots = [f"{name}_{slot}" for slot in ("velocity", "momentum", "average_gradient") for name in "ab"]
    assert [each.name for each in first.variables[2:]] == slots
    assert first.add_variable((), name="count").path == "rm_sprop/count"
