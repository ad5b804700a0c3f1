"""Special functions that NumPy lacks: the error function and the gamma family, vectorised.

erf follows W. J. Cody, "Rational Chebyshev approximation for the error function", Math. Comp. 23 (1969), with the
coefficients of his Algorithm 715: relative error below 1e-15 in float64. The gamma family shifts its argument up and
uses Stirling's series (Abramowitz and Stegun 6.1.41, 6.3.18, 6.4.11), with the reflection formula below 1/2.
"""

from __future__ import annotations

from math import factorial, pi, sqrt
from typing import Any

import numpy as np

from minitrain.dtypes import float_for
from minitrain.engine.convert import as_tensor
from minitrain.engine.primitive import ops, primitive
from minitrain.engine.tensor import Tensor

# P and Q of Cody's three intervals, highest power last.
ERF_SMALL = (
    (
        3.20937758913846947e03,
        3.77485237685302021e02,
        1.13864154151050156e02,
        3.16112374387056560e00,
        1.85777706184603153e-1,
    ),
    (2.84423683343917062e03, 1.28261652607737228e03, 2.44024637934444173e02, 2.36012909523441209e01, 1.0),
)
ERFC_MIDDLE = (
    (
        1.23033935479799725e03,
        2.05107837782607147e03,
        1.71204761263407058e03,
        8.81952221241769090e02,
        2.98635138197400131e02,
        6.61191906371416295e01,
        8.88314979438837594e00,
        5.64188496988670089e-1,
        2.15311535474403846e-8,
    ),
    (
        1.23033935480374942e03,
        3.43936767414372164e03,
        4.36261909014324716e03,
        3.29079923573345963e03,
        1.62138957456669019e03,
        5.37181101862009858e02,
        1.17693950891312499e02,
        1.57449261107098347e01,
        1.0,
    ),
)
ERFC_LARGE = (
    (
        6.58749161529837803e-4,
        1.60837851487422766e-2,
        1.25781726111229246e-1,
        3.60344899949804439e-1,
        3.05326634961232344e-1,
        1.63153871373020978e-2,
    ),
    (
        2.33520497626869185e-3,
        6.05183413124413191e-2,
        5.27905102951428412e-1,
        1.87295284992346725e00,
        2.56852019228982242e00,
        1.0,
    ),
)
SQRT_PI = sqrt(pi)


def _ratio(coefficients, x):
    """P(x) / Q(x) by Horner's rule."""
    top, bottom = coefficients
    p, q = top[-1], bottom[-1]
    for a in top[-2::-1]:
        p = p * x + a
    for b in bottom[-2::-1]:
        q = q * x + b
    return p / q


def _erfc_positive(y):
    """erfc for y of at least 0.46875, in float64."""
    middle = np.minimum(y, 4.0)
    large = np.maximum(y, 4.0)
    inverse = 1.0 / np.square(large)
    tail = (1.0 / SQRT_PI - inverse * _ratio(ERFC_LARGE, inverse)) / large
    # exp(-y * y) from a rounded y and the rest, so that the rounding of y * y is not blown up.
    rounded = np.trunc(np.minimum(y, 30.0) * 16.0) / 16.0
    rest = (np.minimum(y, 30.0) - rounded) * (np.minimum(y, 30.0) + rounded)
    return np.exp(-np.square(rounded)) * np.exp(-rest) * np.where(y <= 4.0, _ratio(ERFC_MIDDLE, middle), tail)


def _erf_parts(x):
    """(erf near 0, erfc of |x| elsewhere, whether |x| is small), in float64."""
    x = x.astype(np.float64)
    y = np.abs(x)
    is_small = y <= 0.46875
    near = np.where(is_small, x, 0.0)
    return near * _ratio(ERF_SMALL, np.square(near)), _erfc_positive(np.where(is_small, 1.0, y)), is_small


@primitive(floating=True)
def erf(x):
    """The error function 2 / sqrt(pi) * integral of exp(-t ** 2) from 0 to x, elementwise."""
    near, far, is_small = _erf_parts(x)
    out = np.where(is_small, near, np.copysign(1.0 - far, x))
    return out.astype(x.dtype) if x.dtype.kind == "f" else out


@erf.vjp("x")
def _(xp, g, out, x):
    return g * (2.0 / SQRT_PI * xp.exp(-x * x))


@primitive(floating=True)
def erfc(x):
    """1 - erf(x), elementwise, exact where erf is close to 1."""
    near, far, is_small = _erf_parts(x)
    out = np.where(is_small, 1.0 - near, np.where(np.signbit(x), 2.0 - far, far))
    return out.astype(x.dtype) if x.dtype.kind == "f" else out


@erfc.vjp("x")
def _(xp, g, out, x):
    return g * (-2.0 / SQRT_PI * xp.exp(-x * x))


def _erf_inverse(y, rest):
    """The number of 0 or more at which erf is y, and erfc is rest = 1 - y: which of the two is small is exact."""
    # Winitzki (2008) is right to 2e-3; three of Halley's steps, each of which triples the digits, do the rest.
    log = np.where(y < 0.5, np.log1p(-np.square(y)), np.log(rest * (1.0 + y)))
    half = 2.0 / (pi * WINITZKI) + 0.5 * log
    out = np.sqrt(np.maximum(np.sqrt(np.square(half) - log / WINITZKI) - half, 0.0))
    for _ in range(3):
        near, far, is_small = _erf_parts(np.where(np.isfinite(out), out, 0.0))
        error = np.where(is_small, near - y, rest - far)
        step = error * (SQRT_PI / 2.0) * np.exp(np.square(out))
        out = np.where(np.isfinite(out), out - step / (1.0 + out * step), out)
    return out


@primitive(floating=True)
def erfinv(x):
    """The x of which the error function is given, elementwise; infinite at -1 and 1, NaN beyond."""
    y = np.abs(x.astype(np.float64))
    return np.copysign(_erf_inverse(y, 1.0 - y), x).astype(float_for(x.dtype))


WINITZKI = 0.147


@erfinv.vjp("x")
def _(xp, g, out, x):
    return g * (SQRT_PI / 2.0 * xp.exp(out * out))


@primitive(floating=True)
def erfcinv(x):
    """The x of which erfc is given, elementwise, in (0, 2): exact near 0, where 1 - x would lose it."""
    z = x.astype(np.float64)
    rest = np.minimum(z, 2.0 - z)
    return (np.sign(1.0 - z) * _erf_inverse(1.0 - rest, rest)).astype(float_for(x.dtype))


@erfcinv.vjp("x")
def _(xp, g, out, x):
    return g * (-SQRT_PI / 2.0 * xp.exp(out * out))


def ndtri(x: Any, name: str | None = None) -> Tensor:
    """The quantile of the standard normal distribution, elementwise, at x in (0, 1)."""
    return -sqrt(2.0) * erfcinv(2.0 * as_tensor(x))


def lbeta(x: Any, name: str | None = None) -> Tensor:
    """log(|beta(x)|) over the last axis: the sum of lgamma(x) less lgamma of the sum."""
    x = as_tensor(x)
    return ops.sum(lgamma(x), axis=(-1,)) - lgamma(ops.sum(x, axis=(-1,)))


# Bernoulli numbers B2, B4, ...
BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)
SHIFT = 10  # from here on eight terms of the series are exact to 1e-16


@primitive(floating=True)
def lgamma(x):
    """The logarithm of |gamma(x)|, elementwise; infinite at 0 and the negative integers."""
    z = x.astype(np.float64)
    reflected = np.where(z < 0.5, 1.0 - z, z)
    shift = np.zeros_like(reflected)
    up = reflected
    for _ in range(SHIFT):
        shift = shift + np.where(up < SHIFT, np.log(np.abs(up)), 0.0)
        up = np.where(up < SHIFT, up + 1.0, up)
    series = sum(b / (2 * k * (2 * k - 1) * up ** (2 * k - 1)) for k, b in enumerate(BERNOULLI, start=1))
    out = (up - 0.5) * np.log(up) - up + 0.5 * np.log(2.0 * pi) + series - shift
    sine = np.abs(np.sin(pi * (z - np.rint(z))))
    out = np.where(z < 0.5, np.log(pi / sine) - out, out)
    out = np.where(np.isinf(z), np.inf, out)
    return out.astype(x.dtype) if x.dtype.kind == "f" else out


@lgamma.vjp("x")
def _(xp, g, out, x):
    return g * xp.digamma(x)


@primitive(floating=True)
def digamma(x):
    """The derivative of lgamma, elementwise."""
    z = x.astype(np.float64)
    reflected = np.where(z < 0.5, 1.0 - z, z)
    shift = np.zeros_like(reflected)
    up = reflected
    for _ in range(SHIFT):
        shift = shift + np.where(up < SHIFT, 1.0 / up, 0.0)
        up = np.where(up < SHIFT, up + 1.0, up)
    series = sum(b / (2 * k * up ** (2 * k)) for k, b in enumerate(BERNOULLI, start=1))
    out = np.log(up) - 0.5 / up - series - shift
    out = np.where(z < 0.5, out - pi / np.tan(pi * (z - np.floor(z))), out)
    out = np.where((z <= 0) & (z == np.floor(z)), np.nan, out)
    return out.astype(x.dtype) if x.dtype.kind == "f" else out


@digamma.vjp("x")
def _(xp, g, out, x):
    return g * xp.polygamma_of(x, order=1)


@primitive(name="polygamma_of")
def _polygamma(x, *, order):
    """The derivative of digamma of the given order; NaN below -1000, where the recurrence would take too long."""
    z = x.astype(np.float64)
    z = np.where(z >= -1000, z, np.nan)
    total = np.zeros_like(z)
    below = 0 if z.size == 0 or np.isnan(z).all() else max(0, int(np.ceil(-np.nanmin(z))))
    for _ in range(SHIFT + 2 * order + below):
        total = total + np.where(z < SHIFT + 2 * order, factorial(order) / z ** (order + 1), 0.0)
        z = np.where(z < SHIFT + 2 * order, z + 1.0, z)
    series = factorial(order - 1) / z**order + factorial(order) / (2 * z ** (order + 1))
    for k, b in enumerate(BERNOULLI, start=1):
        series = series + b * factorial(2 * k + order - 1) / (factorial(2 * k) * z ** (2 * k + order))
    return ((-1) ** (order + 1) * (total + series)).astype(x.dtype)


@_polygamma.vjp("x")
def _(xp, g, out, x, *, order):
    return g * xp.polygamma_of(x, order=order + 1)


def polygamma(a: Any, x: Any, name: str | None = None) -> Tensor:
    """The derivative of order a of digamma at x, elementwise, for a = 0, 1, 2, ..."""
    orders, x = as_tensor(a), as_tensor(x)
    orders._leave("the order of `polygamma`")
    out = digamma(x) + ops.zeros_like(orders)
    for order in np.unique(orders._array[orders._array > 0]):
        out = ops.where(orders == order, _polygamma(x, order=int(order)), out)
    return out
