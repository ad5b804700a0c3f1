"""The tape explains itself, finds the first NaN, and public checks find wrong gradients."""

import re

import numpy as np
import pytest

import minitrain as mt

HERE = __file__


def test_explain_names_the_path():
    x = mt.Variable(2.0)
    with mt.GradientTape(trace=True) as tape:
        y = mt.sin(x * x)
    text = tape.explain(y, x)
    assert text.startswith("The source reaches the target through 2 operations: multiply at " + HERE)
    assert "-> sin at" in text


CUTS = {
    "stop_gradient": (lambda x: mt.stop_gradient(x * x) * 2.0, "stop_gradient', which cuts the gradient on purpose"),
    "integer": (lambda x: mt.cast(mt.cast(x, "int32"), "float32"), "dtype int32: integers and booleans"),
    "comparison": (lambda x: mt.cast(x > 1.0, "float32"), "'greater', a comparison"),
    "rounding": (lambda x: mt.round(x) * 2.0, "'round', which has no gradient"),
    "numpy": (lambda x: mt.constant(x.numpy() ** 2), r"left the tape through `\.numpy\(\)` at"),
    "float": (lambda x: mt.constant(float(x) ** 2), r"left the tape through `float\(\)` at"),
    "asarray": (lambda x: mt.constant(np.asarray(x) ** 2), r"left the tape through `numpy.asarray\(\)` at"),
}


@pytest.mark.parametrize("name", CUTS)
def test_explain_says_where_the_gradient_was_cut(name):
    f, reason = CUTS[name]
    x = mt.Variable(2.0)
    with mt.GradientTape(trace=True, persistent=True) as tape:
        y = f(x)
    assert tape.gradient(y, x) is None
    text = tape.explain(y, x)
    assert text.startswith("The gradient is None: ")
    assert re.search(reason, text), text
    assert f"{HERE}:" in text


def test_explain_knows_what_was_never_watched():
    c, frozen, outside = mt.constant(1.0), mt.Variable(1.0, trainable=False), mt.Variable(1.0)
    before = outside * 2.0
    with mt.GradientTape(persistent=True) as tape:
        y = c * frozen * before
        z = mt.Variable(3.0) * 2.0
    assert "never watched: constants" in tape.explain(y, c)
    assert "trainable=False" in tape.explain(y, frozen)
    assert "was not read while this tape was recording" in tape.explain(y, outside)
    assert "dtype int32" in tape.explain(y, mt.constant(1))
    watched = mt.Variable(1.0)
    with mt.GradientTape() as tape:
        watched * 1.0
        y = z * 1.0
    assert "trace=True" in tape.explain(y, watched)


def test_ordinary_recording_keeps_no_lines():
    x = mt.Variable(2.0)
    with mt.GradientTape() as tape:
        x * x
    assert type(tape._trail.records) is list


def test_check_numerics_names_the_first_operation_that_makes_a_nan():
    with mt.debugging.enable_check_numerics():
        with pytest.raises(mt.errors.NonFiniteError, match=r"'log' made a NaN .*from -1 to 2.*" + HERE):
            mt.math.log(mt.constant([-1.0, 2.0]))
        with pytest.raises(ValueError, match="'divide' made an infinity"):
            mt.constant(1.0) / mt.constant(0.0)
        mt.constant([np.inf]) * 2.0  # not the first one
    assert np.isnan(mt.math.log(mt.constant(-1.0)).numpy())


def test_check_numerics_looks_at_the_backward_pass_too():
    x = mt.Variable(0.0)
    mt.debugging.enable_check_numerics()
    try:
        with mt.GradientTape() as tape:
            y = mt.sqrt(x)
        with pytest.raises(mt.errors.NonFiniteError, match=r"gradient of sqrt.*infinity"):
            tape.gradient(y, x)
        with mt.GradientTape() as outer:
            with mt.GradientTape() as inner:
                y = mt.sqrt(x)
            with pytest.raises(mt.errors.NonFiniteError):
                inner.gradient(y, x)
    finally:
        mt.debugging.disable_check_numerics()
    assert outer is not None


def test_check_numerics_of_one_tensor():
    x = mt.constant([1.0, 2.0])
    assert mt.debugging.check_numerics(x, "fine") is x
    with pytest.raises(mt.errors.NonFiniteError, match="loss : Tensor had NaN and Inf values in 2 of 3"):
        mt.debugging.check_numerics([np.nan, 1.0, np.inf], "loss")


def test_operations_make_infinities_in_silence():
    assert np.isneginf(mt.math.log(0.0).numpy())
    assert np.isposinf(mt.exp(1000.0).numpy())
    assert np.isnan(mt.sqrt(-1.0).numpy())


def test_check_gradients_passes_what_is_right_and_names_what_is_wrong():
    rng = np.random.default_rng(0)
    mt.testing.check_gradients(lambda x, w: mt.tanh(x @ w), rng.normal(size=(2, 3)), rng.normal(size=(3, 2)))

    @mt.custom_gradient
    def wrong(x):
        return x * x, lambda g: g * x * mt.constant([2.0, 2.5, 2.0])

    with pytest.raises(mt.testing.GradientError, match=r"gradient with respect to input 0 is wrong at index \[1\]"):
        mt.testing.check_gradients(wrong, np.array([1.0, 2.0, 3.0]), order=1)

    @mt.custom_gradient
    def wrong_second(x):
        return x**3, lambda g: g * 3.0 * mt.stop_gradient(x**2)

    mt.testing.check_gradients(wrong_second, 2.0, order=1)
    with pytest.raises(mt.testing.GradientError, match="second derivative"):
        mt.testing.check_gradients(wrong_second, 2.0)
    with pytest.raises(TypeError, match="None of the inputs is floating"):
        mt.testing.check_gradients(lambda x: x, 3)
