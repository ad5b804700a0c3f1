"""The contract of an operation, checked over the registry: a new one is tested by being written, with its sample."""

from __future__ import annotations

import numpy as np
import pytest
from samples import SAMPLES, Sample

import minitrain as mt
from minitrain.engine.primitive import PRIMITIVES, kernels, ops
from minitrain.engine.tensor import Tensor

CASES = [
    pytest.param(name, sample, id=f"{name}-{place}")
    for name, samples in SAMPLES.items()
    for place, sample in enumerate(samples)
]
RULED = [case for case in CASES if PRIMITIVES[case.values[0]].is_differentiable]
ELEMENTWISE = [case for case in CASES if case.values[1].elementwise]
DIRECTIONS = np.random.default_rng(11)


def params_of(sample: Sample) -> dict:
    """The params, with a fresh stream where there is one."""
    return {key: value() if key == "stream" else value for key, value in sample.params.items()}


def arrays_of(out) -> list[np.ndarray]:
    return [np.asarray(getattr(each, "_array", each)) for each in (out if isinstance(out, tuple) else (out,))]


def call_kernel(name: str, sample: Sample, inputs) -> list[np.ndarray]:
    return arrays_of(getattr(kernels, name)(*inputs, **params_of(sample)))


def floating(name: str, sample: Sample) -> list[int]:
    """The places of inputs that have a gradient rule and are floats."""
    rules = PRIMITIVES[name].rules
    return [
        place
        for place, x in enumerate(sample.inputs)
        if np.asarray(x).dtype.kind == "f" and (rules is None or rules[place] is not None)
    ]


def direction_like(x: np.ndarray, symmetric: bool) -> np.ndarray:
    d = DIRECTIONS.uniform(0.5, 1.5, x.shape) * DIRECTIONS.choice([-1.0, 1.0], x.shape)
    return (d + np.swapaxes(d, -1, -2)) / 2 if symmetric else d


def scalar(name: str, sample: Sample, inputs, weights):
    """The outputs of the operation on Tensors, weighted and summed: no error cancels."""
    out = getattr(ops, name)(*inputs, **params_of(sample))
    terms = [mt.reduce_sum(y * w) for y, w in zip(out if isinstance(out, tuple) else (out,), weights, strict=True)]
    return mt.add_n(terms)


def weights_for(name: str, sample: Sample) -> list[np.ndarray]:
    return [direction_like(out, False) for out in call_kernel(name, sample, sample.inputs)]


def numeric_derivative(f, inputs, directions, analytic: bool) -> float:
    if analytic:
        step = 1e-30
        moved = [x + 1j * step * d if d is not None else x for x, d in zip(inputs, directions, strict=True)]
        return float(np.imag(f(moved)) / step)
    step = 1e-6
    sides = [
        f([x + sign * step * d if d is not None else x for x, d in zip(inputs, directions, strict=True)])
        for sign in (1, -1)
    ]
    return float((sides[0] - sides[1]) / (2 * step))


def test_every_primitive_has_a_sample():
    assert set(SAMPLES) | {"custom_gradient"} == set(PRIMITIVES)


@pytest.mark.parametrize(("name", "sample"), CASES)
def test_kernel_leaves_its_inputs_alone_and_takes_strided_ones(name, sample):
    before = [np.array(x) for x in sample.inputs]
    expected = call_kernel(name, sample, sample.inputs)
    for x, kept in zip(sample.inputs, before, strict=True):
        np.testing.assert_array_equal(x, kept)
    strided = [np.repeat(np.asarray(x)[..., None], 2, axis=-1)[..., 0] for x in sample.inputs]
    for x in strided:
        x.flags.writeable = False
    for got, wanted in zip(call_kernel(name, sample, strided), expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-13)


@pytest.mark.parametrize(("name", "sample"), ELEMENTWISE)
def test_elementwise_kernels_take_scalars_and_empty_arrays(name, sample):
    full = call_kernel(name, sample, sample.inputs)[0]
    first = call_kernel(name, sample, [np.asarray(x.reshape(-1)[0]) for x in sample.inputs])[0]
    np.testing.assert_allclose(first, full.reshape(-1)[0], rtol=1e-13)
    assert first.shape == ()
    empty = call_kernel(name, sample, [x[:0] for x in sample.inputs])[0]
    assert empty.shape == (0, *full.shape[1:])


@pytest.mark.parametrize(("name", "sample"), [case for case in ELEMENTWISE if case.values[1].reference])
def test_kernel_equals_a_slow_reference(name, sample):
    (x,) = sample.inputs
    expected = np.array([sample.reference(float(each)) for each in x.reshape(-1)]).reshape(x.shape)
    np.testing.assert_allclose(call_kernel(name, sample, [x])[0], expected, rtol=2e-14, atol=2e-15)


@pytest.mark.parametrize(("name", "sample"), RULED)
def test_gradient_equals_the_numerical_one(name, sample):
    places = floating(name, sample)
    weights = weights_for(name, sample)
    directions = [
        direction_like(np.asarray(x), sample.symmetric) if place in places else None
        for place, x in enumerate(sample.inputs)
    ]

    def value(inputs):
        return sum((out * w).sum() for out, w in zip(call_kernel(name, sample, inputs), weights, strict=True))

    expected = numeric_derivative(value, sample.inputs, directions, sample.analytic)
    tensors = [mt.constant(x) for x in sample.inputs]
    with mt.GradientTape() as tape:
        tape.watch([tensors[place] for place in places])
        total = scalar(name, sample, tensors, weights)
    gradients = tape.gradient(total, [tensors[place] for place in places])
    got = sum(float((g.numpy() * directions[place]).sum()) for g, place in zip(gradients, places, strict=True))
    assert got == pytest.approx(expected, rel=1e-9 if sample.analytic else 1e-6, abs=1e-8)


@pytest.mark.parametrize(("name", "sample"), [case for case in RULED if case.values[1].second])
def test_second_order_equals_the_numerical_one(name, sample):
    places = floating(name, sample)
    weights = weights_for(name, sample)
    inner = [direction_like(np.asarray(sample.inputs[place]), sample.symmetric) for place in places]
    outer = [direction_like(np.asarray(sample.inputs[place]), sample.symmetric) for place in places]

    def slope(tensors):
        """The derivative along `inner`, which is itself differentiated along `outer`."""
        with mt.GradientTape() as tape:
            tape.watch([tensors[place] for place in places])
            total = scalar(name, sample, tensors, weights)
        gradients = tape.gradient(total, [tensors[place] for place in places], unconnected_gradients="zero")
        return mt.add_n([mt.reduce_sum(g * d) for g, d in zip(gradients, inner, strict=True)])

    def moved(sign):
        inputs = [np.asarray(x) for x in sample.inputs]
        for place, d in zip(places, outer, strict=True):
            inputs[place] = inputs[place] + sign * 1e-5 * d
        return float(slope([mt.constant(x) for x in inputs]))

    expected = (moved(1) - moved(-1)) / 2e-5
    tensors = [mt.constant(x) for x in sample.inputs]
    sources = [tensors[place] for place in places]
    with mt.GradientTape() as tape:
        tape.watch(sources)
        first = slope(tensors)
    seconds = tape.gradient(first, sources, unconnected_gradients="zero")
    got = sum(float((g.numpy() * d).sum()) for g, d in zip(seconds, outer, strict=True))
    assert got == pytest.approx(expected, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize(("name", "sample"), RULED)
def test_both_namespaces_give_the_same_gradients(name, sample):
    places = floating(name, sample)
    weights = weights_for(name, sample)
    answers = []
    for outer_is_listening in (False, True):
        tensors = [mt.constant(x) for x in sample.inputs]
        sources = [tensors[place] for place in places]
        with mt.GradientTape() as tape:
            tape.watch(sources)
            total = scalar(name, sample, tensors, weights)
        if outer_is_listening:
            with mt.GradientTape():
                answers.append(tape.gradient(total, sources))
        else:
            answers.append(tape.gradient(total, sources))
    for plain, recorded in zip(*answers, strict=True):
        np.testing.assert_array_equal(plain.numpy(), recorded.numpy())


@pytest.mark.parametrize(("name", "sample"), RULED)
def test_a_stack_of_cotangents_gives_the_stack_of_gradients(name, sample):
    places = floating(name, sample)
    tensors = [mt.constant(x) for x in sample.inputs]
    sources = [tensors[place] for place in places]
    with mt.GradientTape(persistent=True) as tape:
        tape.watch(sources)
        out = getattr(ops, name)(*tensors, **params_of(sample))
    for y in out if isinstance(out, tuple) else (out,):
        stacked = tape.jacobian(y, sources, unconnected_gradients="zero")
        rows = tape.jacobian(y, sources, unconnected_gradients="zero", experimental_use_pfor=False)
        for one, other, source in zip(stacked, rows, sources, strict=True):
            assert one.shape == tuple(y.shape) + tuple(source.shape)
            np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("name", "sample"), RULED)
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_floats_keep_their_dtype_gradients_included(name, sample, dtype):
    if dtype == "float16" and name in ("inv", "solve", "det", "sign_det", "log_abs_det", "cholesky"):
        return  # LAPACK has no half precision
    params = {key: np.dtype(dtype) if key == "dtype" else value for key, value in params_of(sample).items()}
    tensors = [mt.constant(np.asarray(x, dtype) if np.asarray(x).dtype.kind == "f" else x) for x in sample.inputs]
    sources = [tensors[place] for place in floating(name, sample)]
    with mt.GradientTape() as tape:
        tape.watch(sources)
        out = getattr(ops, name)(*tensors, **params)
    assert {each.dtype for each in (out if isinstance(out, tuple) else (out,))} == {mt.as_dtype(dtype)}
    for gradient, source in zip(tape.gradient(out, sources), sources, strict=True):
        assert gradient.dtype == dtype
        assert gradient.shape == source.shape


@pytest.mark.parametrize(("name", "sample"), [case for case in RULED if len(floating(*case.values)) > 1])
def test_the_rule_of_an_unneeded_input_is_not_called(name, sample, monkeypatch):
    primitive = PRIMITIVES[name]
    needed = floating(name, sample)[0]
    if primitive.rules is not None:

        def refuse(*args, **kwargs):
            raise AssertionError("called")

        spied = tuple(rule if place == needed else refuse for place, rule in enumerate(primitive.rules))
        monkeypatch.setattr(primitive, "rules", spied)
    else:
        joint = primitive.joint

        def spy(xp, g, wanted, *args, **kwargs):
            assert [place for place, each in enumerate(wanted) if each] == [needed]
            return joint(xp, g, wanted, *args, **kwargs)

        monkeypatch.setattr(primitive, "joint", spy)
    tensors = [mt.constant(x) for x in sample.inputs]
    with mt.GradientTape() as tape:
        tape.watch(tensors[needed])
        out = getattr(ops, name)(*tensors, **params_of(sample))
    assert tape.gradient(out, tensors[needed]) is not None


@pytest.mark.parametrize(("name", "sample"), [case for case in CASES if case not in RULED])
def test_what_has_no_rule_gives_none(name, sample):
    tensors = [mt.constant(x) for x in sample.inputs]
    sources = [each for each in tensors if each.dtype.is_floating]
    with mt.GradientTape() as tape:
        tape.watch(sources)
        out = getattr(ops, name)(*tensors, **params_of(sample))
    assert isinstance(out, Tensor)
    if out.dtype.is_floating:
        assert tape.gradient(out, sources) == [None] * len(sources)


@pytest.mark.parametrize(("name", "sample"), [case for case in CASES if PRIMITIVES[case.values[0]].stacked])
def test_a_stack_of_inputs_gives_the_stack_of_outputs(name, sample):
    """Each input with a further, first axis, or of length 1 there where all share it."""
    arrays = [np.asarray(x) for x in sample.inputs]
    varied = [x if x.dtype.kind != "f" or sample.symmetric else x * 0.875 for x in arrays]
    params = params_of(sample)
    for shared in range(-1, len(arrays)):
        given = [
            x[None] if place == shared else np.stack([x, other])
            for place, (x, other) in enumerate(zip(arrays, varied, strict=True))
        ]
        out = arrays_of(PRIMITIVES[name].stacked(ops, *(mt.constant(x) for x in given), **params))
        for model in range(len(out[0])):
            mine = [x[min(model, len(x) - 1)] for x in given]
            for whole, expected in zip(out, call_kernel(name, sample, mine), strict=True):
                assert whole.dtype == expected.dtype
                np.testing.assert_allclose(whole[model], expected, rtol=1e-12, atol=1e-14)
