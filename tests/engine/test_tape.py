"""GradientTape behaves as TensorFlow's: what it watches, how tapes nest, what is None and what raises."""

import numpy as np
import pytest

import minitrain as mt


def grad_of(f, x, **options):
    with mt.GradientTape(**options) as tape:
        tape.watch(x)
        y = f(x)
    return tape.gradient(y, x)


def test_trainable_variables_are_watched_when_read_and_constants_only_on_demand():
    v, frozen, c = mt.Variable(2.0), mt.Variable(5.0, trainable=False), mt.constant(3.0)
    with mt.GradientTape() as tape:
        y = v * c * frozen
    assert tape.watched_variables() == (v,)
    gradients = tape.gradient(y, {"v": v, "others": [c, frozen]})
    assert float(gradients["v"]) == 15.0
    assert gradients["others"] == [None, None]


def test_watch_takes_nested_structures_and_frozen_variables():
    a, b, frozen = mt.constant(1.0), mt.constant(2.0), mt.Variable(3.0, trainable=False)
    with mt.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch({"a": a, "rest": (b, [frozen])})
        y = a * b * frozen
    assert [float(g) for g in tape.gradient(y, [a, b, frozen])] == [6.0, 3.0, 2.0]


def test_without_watch_accessed_variables_nothing_is_watched_unasked():
    v = mt.Variable(2.0)
    with mt.GradientTape(watch_accessed_variables=False) as tape:
        y = v * v
    assert tape.watched_variables() == ()
    assert tape.gradient(y, v) is None


def test_gradients_come_back_in_the_structure_of_the_sources():
    x, y = mt.Variable(2.0), mt.Variable(3.0)
    with mt.GradientTape() as tape:
        z = x * y
    gradients = tape.gradient(z, {"x": x, "both": (y, [x])})
    assert float(gradients["x"]) == 3.0
    assert isinstance(gradients["both"], tuple)
    assert [float(gradients["both"][0]), float(gradients["both"][1][0])] == [2.0, 3.0]


def test_several_targets_are_summed_and_weighted_by_their_cotangents():
    x = mt.Variable([1.0, 2.0])
    with mt.GradientTape(persistent=True) as tape:
        a, b = x * 2.0, x * x
    np.testing.assert_array_equal(tape.gradient([a, b], x), [4.0, 6.0])
    weighted = tape.gradient([a, b], x, output_gradients=[None, [10.0, 100.0]])
    np.testing.assert_array_equal(weighted, [22.0, 402.0])
    np.testing.assert_array_equal(tape.gradient(b, x, output_gradients=1.0), [2.0, 4.0])


def test_the_same_source_twice_and_a_source_used_many_times():
    x = mt.Variable(3.0)
    with mt.GradientTape() as tape:
        y = x * x + x * x * x + x
    assert [float(g) for g in tape.gradient(y, [x, x])] == [34.0, 34.0]


def test_intermediate_tensors_are_sources():
    x = mt.Variable(3.0)
    with mt.GradientTape(persistent=True) as tape:
        y = x * x
        z = mt.sin(y) * y
    np.testing.assert_allclose(tape.gradient(z, y), np.sin(9) + 9 * np.cos(9), rtol=1e-6)
    assert tape.gradient(y, z) is None
    both = tape.gradient(z, [x, y])
    np.testing.assert_allclose(float(both[0]), float(both[1]) * 6, rtol=1e-6)


def test_a_target_that_is_a_source_has_gradient_one():
    x = mt.constant([2.0, 3.0])
    v = mt.Variable(3.0)
    with mt.GradientTape(persistent=True) as tape:
        v * 1.0
    np.testing.assert_array_equal(tape.gradient(x, x), [1.0, 1.0])
    assert float(tape.gradient(v, v)) == 1.0


def test_unconnected_sources_give_none_or_zeros():
    x, y = mt.Variable([1.0, 2.0]), mt.Variable(3.0)
    with mt.GradientTape(persistent=True) as tape:
        z = y * y
    assert tape.gradient(z, x) is None
    np.testing.assert_array_equal(tape.gradient(z, x, unconnected_gradients="zero"), [0.0, 0.0])
    zero = mt.UnconnectedGradients.ZERO
    np.testing.assert_array_equal(tape.gradient(z, [x, y], unconnected_gradients=zero)[0], [0.0, 0.0])
    with pytest.raises(ValueError, match="Unknown value for unconnected_gradients: 'nul'"):
        tape.gradient(z, x, unconnected_gradients="nul")


def test_a_second_call_needs_a_persistent_tape():
    x = mt.Variable(3.0)
    with mt.GradientTape() as tape:
        y = x * x
    tape.gradient(y, x)
    with pytest.raises(RuntimeError, match="can only be used to compute one set of gradients"):
        tape.gradient(y, x)


def test_gradient_inside_its_own_block():
    x = mt.Variable(2.0)
    with mt.GradientTape() as tape:
        y = x * x
        assert float(tape.gradient(y, x)) == 4.0
    with mt.GradientTape(persistent=True) as tape:
        g = tape.gradient(x * x, x)
        assert float(tape.gradient(g, x)) == 2.0


def test_what_is_computed_before_after_or_in_a_pause_is_constant():
    x = mt.Variable(3.0)
    before = x * x
    with mt.GradientTape(persistent=True) as tape:
        y = before * x
        with tape.stop_recording():
            paused = x * x
        z = paused * x
    after = y * x
    assert float(tape.gradient(y, x)) == 9.0
    assert float(tape.gradient(z, x)) == 9.0
    assert tape.gradient(after, x) is None


def test_reset_forgets_what_was_recorded():
    x = mt.Variable(3.0)
    with mt.GradientTape() as tape:
        y = x * x
        tape.reset()
        z = x * x * x
    assert tape.gradient([y, z], x).numpy() == 27.0
    assert tape.watched_variables() == (x,)  # as for `zip(gradients, tape.watched_variables())`
    with pytest.raises(ValueError, match="not recording"):
        tape.reset()


def test_gradient_inside_stop_recording_closes_the_tape():
    x = mt.Variable(2.0)
    with mt.GradientTape() as tape:
        y = x * x
        with tape.stop_recording():
            assert float(tape.gradient(y, x)) == 4.0


def test_a_cotangent_of_zero_stays_zero_at_the_singular_points_of_roots():
    x = mt.Variable([0.0, 1.0])
    for f in (mt.sqrt, mt.math.rsqrt, mt.math.reciprocal):
        with mt.GradientTape() as tape:
            y = f(x)
        assert float(tape.gradient(y, x, output_gradients=[0.0, 1.0])[0]) == 0.0


def test_fill_linspace_and_constant_pass_gradients_on():
    x = mt.Variable([1.0, 3.0])
    with mt.GradientTape(persistent=True) as tape:
        filled, spaced, same = mt.fill([3], x[0]), mt.linspace(x[0], x[1], 5), mt.constant(x)
    np.testing.assert_array_equal(tape.gradient(filled, x), [3.0, 0.0])
    np.testing.assert_allclose(tape.gradient(spaced, x), [2.5, 2.5])
    np.testing.assert_array_equal(tape.gradient(same, x), [1.0, 1.0])


def test_gradients_of_empty_tensors_are_empty():
    for f in (mt.reduce_prod, mt.reduce_max, mt.nn.softmax, mt.reduce_sum):
        x = mt.zeros([0, 3])
        with mt.GradientTape() as tape:
            tape.watch(x)
            y = f(x, axis=1)
        assert tape.gradient(y, x).shape == (0, 3)


def test_a_closed_tape_can_go_on_recording():
    x = mt.Variable(3.0)
    with mt.GradientTape(persistent=True) as tape:
        y = x * x
    with tape:
        z = y * x
    assert float(tape.gradient(z, x)) == 27.0
    with pytest.raises(ValueError, match="still recording"), tape, tape:
        pass


def test_third_derivative_of_sin_squared():
    x = mt.constant(0.7, mt.float64)
    with mt.GradientTape() as a:
        a.watch(x)
        with mt.GradientTape() as b:
            b.watch(x)
            with mt.GradientTape() as c:
                c.watch(x)
                y = mt.sin(x) ** 2
            first = c.gradient(y, x)
        second = b.gradient(first, x)
    third = a.gradient(second, x)
    np.testing.assert_allclose([first, second, third], [np.sin(1.4), 2 * np.cos(1.4), -4 * np.sin(1.4)], rtol=1e-12)


def test_inner_tape_does_not_see_ops_after_it_closed():
    x = mt.Variable(2.0)
    with mt.GradientTape() as outer:
        with mt.GradientTape(persistent=True) as inner:
            y = x * x
        z = y * x
    assert inner.gradient(z, x) is None
    assert float(inner.gradient(y, x)) == 4.0
    assert float(outer.gradient(z, x)) == 12.0


def test_an_inner_tape_sees_only_what_it_watches():
    x, w = mt.constant(2.0), mt.constant(5.0)
    with mt.GradientTape() as outer:
        outer.watch([x, w])
        with mt.GradientTape(persistent=True) as inner:
            inner.watch(w)
            y = x * x
            z = y * w
    assert inner.gradient(z, y) is None  # y is connected for the outer tape alone
    assert float(inner.gradient(z, w)) == 4.0
    assert float(outer.gradient(z, x)) == 20.0


def test_gradient_penalty_reaches_the_weights():
    rng = np.random.default_rng(0)
    x = mt.constant(rng.normal(size=(5, 3)))
    w = mt.Variable(rng.normal(size=(3, 1)))
    with mt.GradientTape() as outer:
        with mt.GradientTape() as inner:
            inner.watch(x)
            y = mt.tanh(x @ w)
        penalty = mt.reduce_sum(inner.gradient(y, x) ** 2)
    got = outer.gradient(penalty, w).numpy()
    assert got.shape == (3, 1)

    def value(weights):
        t = np.tanh(x.numpy() @ weights)
        return (((1 - t**2) @ weights.T) ** 2).sum()

    for i in range(3):
        d = np.zeros((3, 1))
        d[i] = 1e-6
        np.testing.assert_allclose(got[i, 0], (value(w.numpy() + d) - value(w.numpy() - d)) / 2e-6, rtol=1e-6)


def test_hessian_of_a_network_by_nested_tapes():
    w = mt.Variable(np.random.default_rng(1).normal(size=4))
    with mt.GradientTape() as outer:
        with mt.GradientTape() as inner:
            y = mt.reduce_sum(mt.tanh(w) * mt.exp(w)) + w[0] * w[1] ** 2
        g = inner.gradient(y, w)
    hessian = outer.jacobian(g, w).numpy()
    np.testing.assert_allclose(hessian, hessian.T, rtol=1e-12)
    assert hessian[0, 1] == pytest.approx(2 * w.numpy()[1])


@pytest.mark.parametrize("vectorised", [True, False])
def test_jacobian_has_the_shape_of_target_then_source(vectorised):
    x, unused = mt.Variable([[1.0, 2.0, 3.0]]), mt.Variable([1.0])
    with mt.GradientTape(persistent=True) as tape:
        y = mt.stack([x[0, 0] * x[0, 1], x[0, 2] ** 2])
    found = tape.jacobian(y, {"x": x, "unused": unused}, experimental_use_pfor=vectorised)
    np.testing.assert_array_equal(found["x"], [[[2.0, 1.0, 0.0]], [[0.0, 0.0, 6.0]]])
    assert found["unused"] is None
    zeros = tape.jacobian(y, unused, unconnected_gradients="zero", experimental_use_pfor=vectorised)
    np.testing.assert_array_equal(zeros, np.zeros((2, 1)))


@pytest.mark.parametrize("vectorised", [True, False])
def test_batch_jacobian_is_one_jacobian_per_row(vectorised):
    rng = np.random.default_rng(0)
    x, w = mt.constant(rng.normal(size=(4, 3))), rng.normal(size=(3, 2))
    with mt.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = mt.tanh(x @ w)
    got = tape.batch_jacobian(y, x, experimental_use_pfor=vectorised).numpy()
    full = tape.jacobian(y, x).numpy()
    np.testing.assert_allclose(got, full[np.arange(4), :, np.arange(4), :], rtol=1e-12)


def test_batch_jacobian_refuses_a_wrong_batch_axis():
    x = mt.constant([[1.0, 2.0]])
    with mt.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = mt.reduce_sum(x * x)
    with pytest.raises(mt.errors.ShapeError, match=r"target shape \(\) and source shape \(1, 2\)"):
        tape.batch_jacobian(y, x)


def test_jacobian_of_a_custom_gradient_goes_row_by_row():
    @mt.custom_gradient
    def doubled(x):
        def grad(g):
            assert g.shape == (3,)
            return g * 2.0

        return x * 2.0, grad

    x = mt.Variable([1.0, 2.0, 3.0])
    with mt.GradientTape() as tape:
        y = doubled(x)
    np.testing.assert_array_equal(tape.jacobian(y, x), 2 * np.eye(3))


def test_assigning_between_reads_keeps_what_was_recorded():
    v = mt.Variable([1.0, 2.0])
    with mt.GradientTape() as tape:
        y = v * v
        v.assign(v * 3.0)
        z = mt.reduce_sum(y * v)
    np.testing.assert_array_equal(tape.gradient(z, v), [2 * 1 * 3 + 1, 2 * 2 * 6 + 4])


def test_gradients_and_records_keep_their_values_when_variables_change():
    v = mt.Variable([1.0, 2.0])
    with mt.GradientTape(persistent=True) as tape:
        y = mt.reduce_sum(v * v * v)
    first = tape.gradient(y, v)
    v.assign_sub([10.0, 10.0])
    v.assign([0.0, 0.0])
    np.testing.assert_array_equal(first, [3.0, 12.0])
    np.testing.assert_array_equal(tape.gradient(y, v), [3.0, 12.0])


def test_integers_cut_the_gradient_and_casts_between_floats_do_not():
    v = mt.Variable(3.7)
    with mt.GradientTape(persistent=True) as tape:
        y = mt.cast(mt.cast(v, mt.int32), mt.float32) * v
        z = mt.cast(v, mt.float64) * 2.0
    assert float(tape.gradient(y, v)) == 3.0
    assert tape.gradient(z, v).dtype == "float32"


def test_watching_an_integer_warns_and_does_nothing():
    x = mt.constant(3)
    with mt.GradientTape() as tape:
        with pytest.warns(UserWarning, match="must be floating"):
            tape.watch(x)
        y = x * x
    with pytest.warns(UserWarning, match="target tensor must be floating"):
        assert tape.gradient(y, x) is None


def test_mixed_dtypes_promote_and_gradients_come_back_in_each_dtype():
    a, b = mt.Variable(2.0, dtype="float32"), mt.Variable(3.0, dtype="float64")
    i = mt.constant([1, 2])
    with mt.GradientTape() as tape:
        y = a * b * i
    assert y.dtype == "float64"
    ga, gb = tape.gradient(y, [a, b])
    assert (ga.dtype, gb.dtype) == ("float32", "float64")
    assert (float(ga), float(gb)) == (9.0, 6.0)


def test_a_tape_left_by_an_exception_leaves_nothing_behind():
    x = mt.Variable(2.0)
    with pytest.raises(RuntimeError, match="boom"), mt.GradientTape(), mt.GradientTape():
        raise RuntimeError("boom")
    assert float(grad_of(lambda v: v * v, x)) == 4.0


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda t, y, x: t.gradient(3.0, x), TypeError, "Argument `target` should be a Tensor"),
        (lambda t, y, x: t.gradient(None, x), TypeError, "received None"),
        (lambda t, y, x: t.gradient(y.numpy(), x), TypeError, "keep the Tensor"),
        (lambda t, y, x: t.gradient(y, 3.0), TypeError, "Argument `sources`"),
        (lambda t, y, x: t.gradient(y, x, output_gradients=[[1.0, 2.0, 3.0]]), ValueError, "expected \\(2,\\)"),
        (lambda t, y, x: t.gradient([y, y], x, output_gradients=[None]), ValueError, "one entry per target"),
        (lambda t, y, x: t.watch(x), RuntimeError, "with"),
        (lambda t, y, x: t.jacobian([y, y], x), ValueError, "one target"),
        (lambda t, y, x: t.stop_recording().__enter__(), ValueError, "not recording"),
    ],
)
def test_wrong_use_says_what_was_expected(call, error, message):
    x = mt.Variable([1.0, 2.0])
    with mt.GradientTape(persistent=True) as tape:
        y = x * x
    with pytest.raises(error, match=message):
        call(tape, y, x)


def test_watching_what_is_no_tensor_raises():
    with mt.GradientTape() as tape, pytest.raises(TypeError, match=r"Wrap it in minitrain\.constant"):
        tape.watch("a")


def test_sums_over_broadcast_axes():
    x, y = mt.Variable(np.ones((3, 1))), mt.Variable(np.ones(4))
    with mt.GradientTape() as tape:
        z = x + y
    gx, gy = tape.gradient(z, [x, y])
    np.testing.assert_array_equal(gx, np.full((3, 1), 4.0))
    np.testing.assert_array_equal(gy, np.full(4, 3.0))


def test_where_guards_like_tensorflow():
    x = mt.constant([1.0, 1000.0])
    naive = grad_of(lambda z: mt.where(z > 30.0, z, mt.math.log(mt.exp(z) + 1.0)), x)
    assert np.isnan(naive.numpy()).tolist() == [False, True]
    assert np.isfinite(grad_of(mt.nn.softplus, x).numpy()).all()


def test_gradient_functions_of_early_eager_tutorials():
    f = mt.contrib.eager.gradients_function(lambda x, y: x * x * y)
    assert [float(g) for g in f(3.0, 2.0)] == [12.0, 9.0]
    assert float(mt.contrib.eager.gradients_function(lambda x: x * x, params=["x"])(4.0)[0]) == 8.0
    value, gradients = mt.contrib.eager.value_and_gradients_function(lambda x: x * x)(3.0)
    assert (float(value), float(gradients[0])) == (9.0, 6.0)
