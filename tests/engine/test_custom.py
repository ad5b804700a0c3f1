"""Gradients that users write: `custom_gradient`, `recompute_grad`, and functions of functions."""

import numpy as np
import pytest

import minitrain as mt


def test_the_users_gradient_is_given_and_gives_tensors():
    seen = []

    @mt.custom_gradient
    def f(x):
        def grad(g):
            seen.append(type(g))
            return g * 10.0

        return x * 1.0, grad

    x = mt.Variable(3.0)
    with mt.GradientTape() as tape:
        y = f(x)
    assert float(tape.gradient(y, x)) == 10.0
    assert seen == [mt.Tensor]


def test_log1pexp_is_differentiable_twice():
    @mt.custom_gradient
    def log1pexp(x):
        e = mt.exp(x)
        return mt.math.log(1 + e), lambda g: g * (1 - 1 / (1 + e))

    x = mt.constant(100.0)
    with mt.GradientTape() as outer:
        outer.watch(x)
        with mt.GradientTape() as inner:
            inner.watch(x)
            y = log1pexp(x)
        first = inner.gradient(y, x)
    assert float(first) == 1.0
    x = mt.constant(0.3, mt.float64)
    with mt.GradientTape() as outer:
        outer.watch(x)
        with mt.GradientTape() as inner:
            inner.watch(x)
            y = log1pexp(x)
        first = inner.gradient(y, x)
    s = 1 / (1 + np.exp(-0.3))
    np.testing.assert_allclose(outer.gradient(first, x), s * (1 - s), rtol=1e-12)


def test_nested_arguments_results_and_keywords():
    @mt.custom_gradient
    def f(pair, scale=1.0):
        def grad(gp, gq):
            return {"a": gp * scale, "b": gq * 3.0}

        return {"p": pair["a"] * 1.0, "q": pair["b"] * 1.0}, grad

    a, b = mt.Variable(1.0), mt.Variable(2.0)
    with mt.GradientTape() as tape:
        out = f({"a": a, "b": b}, scale=7.0)
    assert [float(g) for g in tape.gradient(out, [a, b])] == [7.0, 3.0]


def test_variables_come_in_through_the_variables_protocol():
    w = mt.Variable(2.0)

    @mt.custom_gradient
    def f(x):
        def grad(g, variables=None):
            assert variables == [w]
            return g * w, [g * x * 10.0]

        return x * w, grad

    x = mt.Variable(3.0)
    with mt.GradientTape() as tape:
        y = f(x)
    assert [float(g) for g in tape.gradient(y, [x, w])] == [2.0, 30.0]


def test_protocol_errors_say_what_to_return():
    w = mt.Variable(2.0)

    def run(f, *args):
        with mt.GradientTape() as tape:
            tape.watch(args)
            y = f(*args)
        return tape.gradient(y, args)

    one = mt.constant(1.0)
    with pytest.raises(TypeError, match="must accept keyword argument 'variables'"):
        run(mt.custom_gradient(lambda x: (x * w, lambda g: g)), one)
    with pytest.raises(ValueError, match="expected to return 2 gradients, but returned 1"):
        run(mt.custom_gradient(lambda x, y: (x * y, lambda g: g)), one, one * 2.0)
    with pytest.raises(TypeError, match=r"must return \(result, grad_fn\)"):
        run(mt.custom_gradient(lambda x: x), one)
    with pytest.raises(ValueError, match=r"shape \(\) for its input, received shape|shape \(2,\)"):
        run(mt.custom_gradient(lambda x: (x * 1.0, lambda g: mt.ones([3]))), mt.constant([1.0, 2.0]))


def test_none_from_the_users_gradient_is_none():
    f = mt.custom_gradient(lambda x, y: (x * y, lambda g: (g, None)))
    x, y = mt.Variable(1.0), mt.Variable(2.0)
    with mt.GradientTape() as tape:
        z = f(x * 1.0, y * 1.0)
    gradients = tape.gradient(z, [x, y])
    assert float(gradients[0]) == 1.0
    assert gradients[1] is None


def test_custom_gradients_on_methods():
    class Scaled:
        factor = 3.0

        @mt.custom_gradient
        def __call__(self, x):
            return x * 1.0, lambda g: g * self.factor

    x = mt.Variable(1.0)
    with mt.GradientTape() as tape:
        y = Scaled()(x)
    assert float(tape.gradient(y, x)) == 3.0


def test_recompute_grad_gives_the_same_gradients_and_keeps_nothing():
    w = mt.Variable(np.random.default_rng(0).normal(size=(3, 3)))
    x = mt.Variable(np.ones((2, 3)))

    def block(a):
        for _ in range(4):
            a = mt.tanh(a @ w)
        return a

    results = []
    for f in (block, mt.recompute_grad(block)):
        with mt.GradientTape() as tape:
            y = mt.reduce_sum(f(x) ** 2)
            results.append([len(tape._trail.records)])
        results[-1] += [g.numpy() for g in tape.gradient(y, [x, w])]
    assert results[1][0] < results[0][0] / 2
    for one, other in zip(results[0][1:], results[1][1:], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_recompute_grad_of_one_tensor_given_twice():
    f = mt.recompute_grad(lambda a, b: a * b)
    x = mt.Variable(3.0)
    with mt.GradientTape(persistent=True) as tape:
        y = f(x * 1.0, x * 1.0) + f(x, x)
    with mt.GradientTape():
        assert float(tape.gradient(y, x)) == 12.0


def test_a_custom_gradient_comes_in_its_sources_dtype():
    f = mt.custom_gradient(lambda x: (x * 1.0, lambda g: np.float64(2.0)))
    x = mt.Variable([1.0, 2.0])
    with mt.GradientTape() as tape:
        y = f(x)
    gradient = tape.gradient(y, x)
    assert (gradient.dtype, gradient.shape) == ("float32", (2,))


def test_stop_gradient_and_grad_pass_through():
    x = mt.Variable(2.6)
    with mt.GradientTape(persistent=True) as tape:
        y = mt.stop_gradient(x * x) * x
        z = mt.grad_pass_through(mt.round)(x) * 2.0
    assert float(tape.gradient(y, x)) == pytest.approx(2.6**2)
    assert (float(z), float(tape.gradient(z, x))) == (6.0, 2.0)


def f(x):
    return mt.reduce_sum(mt.sin(x) * x**2)


X = np.array([0.3, -0.7, 1.1])


def test_functional_transforms_agree_with_calculus():
    first = np.cos(X) * X**2 + 2 * X * np.sin(X)
    second = -np.sin(X) * X**2 + 4 * X * np.cos(X) + 2 * np.sin(X)
    value, gradient = mt.value_and_grad(f)(X)
    np.testing.assert_allclose(value, (np.sin(X) * X**2).sum())
    np.testing.assert_allclose(gradient, first)
    np.testing.assert_allclose(mt.grad(f)(X), first)
    np.testing.assert_allclose(mt.hessian(f)(X), np.diag(second), atol=1e-15)
    np.testing.assert_allclose(mt.hvp(f, X, [1.0, 2.0, 3.0]), second * [1, 2, 3])


def test_jacobian_jvp_and_vjp_are_consistent():
    def g(x):
        return mt.stack([x[0] * x[1], mt.exp(x[2]), x[0] ** 3])

    jacobian = mt.jacobian(g)(X).numpy()
    value, tangent = mt.jvp(g, [X], [np.array([1.0, 2.0, 3.0])])
    np.testing.assert_allclose(tangent, jacobian @ [1, 2, 3])
    np.testing.assert_allclose(value, [X[0] * X[1], np.exp(X[2]), X[0] ** 3])
    value, pull_back = mt.vjp(g, X)
    np.testing.assert_allclose(pull_back([1.0, 2.0, 3.0])[0], [1, 2, 3] @ jacobian)


def test_argnums_aux_and_nested_arguments():
    def loss(params, x):
        out = params["w"] * x
        return mt.reduce_sum(out**2), out

    params = {"w": mt.constant(2.0), "unused": mt.constant(1.0)}
    (value, aux), gradient = mt.value_and_grad(loss, has_aux=True)(params, 3.0)
    assert (float(value), float(aux)) == (36.0, 6.0)
    assert {key: float(g) for key, g in gradient.items()} == {"w": 36.0, "unused": 0.0}
    both = mt.grad(lambda x, y: x * y, argnums=(0, 1))(2.0, 5.0)
    assert [float(g) for g in both] == [5.0, 2.0]
    with pytest.raises(ValueError, match="scalar"):
        mt.grad(lambda x: x * 2.0)(X)
    with pytest.raises(TypeError, match="returns a Tensor"):
        mt.grad(float)(1.0)


def test_a_custom_gradient_of_nothing_watched_passes_on_what_it_captured():
    @mt.custom_gradient
    def square(x):
        @mt.custom_gradient
        def gradient(dy):
            return dy * 2.0 * x, lambda ddy: ddy * 7.0

        return x * x, gradient

    x = mt.constant(3.0)
    with mt.GradientTape() as outer:
        outer.watch(x)
        with mt.GradientTape() as inner:
            inner.watch(x)
            y = square(x)
        first = inner.gradient(y, x)
    assert float(outer.gradient(first, x)) == 2.0  # as in TensorFlow: `dy` is not watched, the computation is recorded


@pytest.mark.parametrize("answer", [lambda g: (g * 5.0, None), lambda g: g * 5.0])
def test_arguments_that_are_no_tensors_need_no_gradient(answer):
    @mt.custom_gradient
    def f(x, how):
        return (x * 2.0 if how == "twice" else x), answer

    x = mt.Variable(3.0)
    with mt.GradientTape() as tape:
        y = f(x, "twice")
    assert (float(y), float(tape.gradient(y, x))) == (6.0, 5.0)

    @mt.custom_gradient
    def g(a, how):
        return a * x, lambda c, variables: ((c * 2.0, None), [c * 3.0])

    with mt.GradientTape() as tape:
        tape.watch(a := mt.constant(1.0))
        y = g(a, "once")
    assert [float(each) for each in tape.gradient(y, [a, x])] == [2.0, 3.0]
