"""One or more samples for every primitive: inputs on which the contract is checked, away from kinks.

A primitive that has none here fails `test_every_op`, so that writing an operation means writing its sample.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

RNG = np.random.default_rng(7)


def normal(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape)


def between(low: float, high: float, *shape: int) -> np.ndarray:
    return RNG.uniform(low, high, size=shape)


def away(*shape: int) -> np.ndarray:
    """Numbers of both signs, at least 0.1 away from 0 and well apart from each other."""
    size = int(np.prod(shape))
    values = (np.arange(size) - size / 2 + 0.37) / max(size / 4, 1)
    return RNG.permutation(values).reshape(shape)


def positive_definite(n: int) -> np.ndarray:
    a = normal(2, n, n)
    return a @ a.swapaxes(-1, -2) + n * np.eye(n)


@dataclass(eq=False)
class Sample:
    inputs: tuple[Any, ...]
    params: dict[str, Any] = field(default_factory=dict)
    analytic: bool = True  # whether the kernel takes complex numbers, for the complex step
    second: bool = True  # whether the rules can be differentiated again on this sample
    elementwise: bool = False
    reference: Callable[..., Any] | None = None  # on Python floats, for elementwise operations
    symmetric: bool = False  # whether only symmetric matrices make sense


def unary(x: np.ndarray, reference: Any = None, **options: Any) -> list[Sample]:
    return [Sample((x,), elementwise=True, reference=reference, **options)]


def binary(x: np.ndarray, y: np.ndarray, **options: Any) -> list[Sample]:
    """Both inputs of one shape, and the second broadcast."""
    return [
        Sample((x, y), elementwise=True, **options),
        Sample((x, y[:1]), **options),
        Sample((x[0, 0], y), **options),
    ]


def logits(*shape: int) -> np.ndarray:
    return normal(*shape) * 2


def distribution(*shape: int) -> np.ndarray:
    weights = between(0.1, 1, *shape)
    return weights / weights.sum(-1, keepdims=True)


def stream() -> np.random.Generator:
    return np.random.default_rng(3)


F64 = np.dtype("float64")
AXES = [None, (-1,), (-3, -1)]


def reductions(x: np.ndarray, **options: Any) -> list[Sample]:
    return [
        Sample((x,), {"axis": axis, "keepdims": keepdims}, **options) for axis in AXES for keepdims in (False, True)
    ]


SAMPLES: dict[str, list[Sample]] = {
    # elementwise
    "add": binary(normal(3, 4), normal(3, 4)),
    "subtract": binary(normal(3, 4), normal(3, 4)),
    "multiply": binary(normal(3, 4), normal(3, 4)),
    "divide": binary(normal(3, 4), away(3, 4)),
    "divide_no_nan": binary(normal(3, 4), away(3, 4)),
    "multiply_no_nan": binary(normal(3, 4), away(3, 4)),
    "floordiv": binary(normal(3, 4), away(3, 4), analytic=False),
    "floormod": binary(normal(3, 4), between(0.3, 0.9, 3, 4), analytic=False),
    "truncatemod": binary(away(3, 4), between(0.3, 0.9, 3, 4), analytic=False),
    "truncate": unary(away(3, 4) * 3, math.trunc, analytic=False),
    "gcd": [Sample((np.arange(6), np.arange(6)[::-1].copy()))],
    "lcm": [Sample((np.arange(6), np.arange(6)[::-1].copy()))],
    "left_shift": [Sample((np.arange(6), np.arange(6)[::-1].copy()))],
    "right_shift": [Sample((np.arange(60, 66), np.arange(6)))],
    "signbit": unary(away(3, 4), lambda x: x < 0),
    "nextafter": [Sample((normal(3, 4), normal(3, 4)))],
    "heaviside": [Sample((away(3, 4), normal(3, 4)))],
    "pow": [
        *binary(between(0.3, 2, 3, 4), normal(3, 4)),
        Sample((between(0.3, 2, 3), np.array(2.0))),
        Sample((between(0.3, 2, 3), np.array(1.0))),
    ],
    "cbrt": unary(away(3, 4), math.cbrt, analytic=False),
    "hypot": binary(away(3, 4), away(3, 4), analytic=False),
    "squared_difference": binary(normal(3, 4), normal(3, 4)),
    "negative": unary(normal(3, 4)),
    "abs": unary(away(3, 4), abs, analytic=False),
    "sign": unary(away(3, 4), analytic=False),
    "square": unary(normal(3, 4), lambda x: x * x),
    "sqrt": unary(between(0.2, 2, 3, 4), math.sqrt),
    "rsqrt": unary(between(0.2, 2, 3, 4), lambda x: x**-0.5),
    "reciprocal": unary(away(3, 4), lambda x: 1 / x),
    "add_n": [Sample((normal(3, 4), normal(3, 4), normal(3, 4)))],
    "exp": unary(normal(3, 4), math.exp),
    "expm1": unary(normal(3, 4), math.expm1),
    "log": unary(between(0.2, 2, 3, 4), math.log),
    "log1p": unary(between(-0.5, 2, 3, 4), math.log1p),
    "logaddexp": binary(normal(3, 4), normal(3, 4), analytic=False),
    "xlogy": binary(away(3, 4), between(0.2, 2, 3, 4)),
    "xdivy": binary(away(3, 4), between(0.2, 2, 3, 4)),
    "sigmoid": unary(normal(3, 4), lambda x: 1 / (1 + math.exp(-x)), analytic=False),
    "softplus": unary(away(3, 4), lambda x: math.log1p(math.exp(x)), analytic=False),
    "log_sigmoid": unary(away(3, 4), lambda x: -math.log1p(math.exp(-x)), analytic=False),
    "sin": unary(normal(3, 4), math.sin),
    "cos": unary(normal(3, 4), math.cos),
    "tan": unary(between(-1, 1, 3, 4), math.tan),
    "asin": unary(between(-0.9, 0.9, 3, 4), math.asin),
    "acos": unary(between(-0.9, 0.9, 3, 4), math.acos),
    "atan": unary(normal(3, 4), math.atan),
    "atan2": binary(away(3, 4), away(3, 4), analytic=False),
    "sinh": unary(normal(3, 4), math.sinh),
    "cosh": unary(normal(3, 4), math.cosh),
    "tanh": unary(normal(3, 4), math.tanh),
    "asinh": unary(normal(3, 4), math.asinh),
    "acosh": unary(between(1.2, 3, 3, 4), math.acosh),
    "atanh": unary(between(-0.9, 0.9, 3, 4), math.atanh),
    "maximum": binary(away(3, 4), away(3, 4) + 0.05, analytic=False),
    "minimum": binary(away(3, 4), away(3, 4) + 0.05, analytic=False),
    "where": [Sample((normal(3, 4) > 0, normal(3, 4), normal(3, 4))), Sample((normal(4) > 0, normal(3, 4), normal(1)))],
    "indices_where": [Sample((normal(3, 4) > 0,))],
    "floor": unary(away(3, 4), math.floor, analytic=False),
    "ceil": unary(away(3, 4), math.ceil, analytic=False),
    "round": unary(away(3, 4), round, analytic=False),
    "cast": [Sample((normal(3, 4),), {"dtype": F64}, analytic=False)],
    "cast_discrete": [Sample((normal(3, 4),), {"dtype": np.dtype("int32")})],
    "identity": unary(normal(3, 4), lambda x: x),
    "stop_gradient": unary(normal(3, 4), lambda x: x),
    "equal": binary(normal(3, 4), normal(3, 4)),
    "not_equal": binary(normal(3, 4), normal(3, 4)),
    "less": binary(normal(3, 4), normal(3, 4)),
    "less_equal": binary(normal(3, 4), normal(3, 4)),
    "greater": binary(normal(3, 4), normal(3, 4)),
    "greater_equal": binary(normal(3, 4), normal(3, 4)),
    "is_nan": unary(normal(3, 4), math.isnan),
    "is_inf": unary(normal(3, 4), math.isinf),
    "is_finite": unary(normal(3, 4), math.isfinite),
    "logical_and": [Sample((normal(3, 4) > 0, normal(3, 4) > 0))],
    "logical_or": [Sample((normal(3, 4) > 0, normal(3, 4) > 0))],
    "logical_xor": [Sample((normal(3, 4) > 0, normal(3, 4) > 0))],
    "logical_not": [Sample((normal(3, 4) > 0,))],
    "bitwise_and": [Sample((np.arange(6), np.arange(6)[::-1].copy()))],
    "bitwise_or": [Sample((np.arange(6), np.arange(6)[::-1].copy()))],
    "bitwise_xor": [Sample((np.arange(6), np.arange(6)[::-1].copy()))],
    "invert": [Sample((np.arange(6),))],
    # special functions
    "erf": unary(np.linspace(-6.5, 6.5, 24).reshape(4, 6), math.erf, analytic=False),
    "erfc": unary(np.linspace(-6.5, 6.5, 24).reshape(4, 6), math.erfc, analytic=False),
    "erfinv": unary(between(-0.95, 0.95, 3, 4), analytic=False),
    "erfcinv": unary(between(0.05, 1.95, 3, 4), analytic=False),
    "i0": unary(away(3, 4) * 3, analytic=False),
    "i1": unary(away(3, 4) * 3, analytic=False),
    "lgamma": unary(np.linspace(0.15, 20, 12).reshape(3, 4), math.lgamma, analytic=False)
    + unary(np.linspace(-3.4, -0.3, 4), math.lgamma, analytic=False, second=False),
    "digamma": unary(np.linspace(0.15, 20, 12).reshape(3, 4), analytic=False),
    "polygamma_of": [Sample((between(0.3, 5, 3, 4),), {"order": order}, analytic=False) for order in (1, 2)],
    # creation
    "zeros": [Sample((), {"shape": (2, 3), "dtype": F64})],
    "zeros_like": [Sample((normal(3, 4),))],
    "ones_like": [Sample((normal(3, 4),))],
    "one_hot": [
        Sample(
            (np.array([[0, 2, 5]]),),
            {"depth": 3, "on_value": np.array(on), "off_value": np.array(off), "axis": axis, "dtype": F64},
        )
        for axis, on, off in ((-1, 1.0, 0.0), (-3, 1.0, 0.0), (-1, 0.0, -np.inf))
    ],
    # reductions
    "sum": reductions(normal(2, 3, 4)),
    "mean": reductions(normal(2, 3, 4)),
    "max": reductions(away(2, 3, 4), analytic=False),
    "min": reductions(away(2, 3, 4), analytic=False),
    "prod": reductions(between(0.5, 1.5, 2, 3, 4)),
    "logsumexp": reductions(normal(2, 3, 4), analytic=False),
    "euclidean_norm": reductions(normal(2, 3, 4)),
    "all": reductions(normal(2, 3, 4) > 0),
    "any": reductions(normal(2, 3, 4) > 0),
    "argmax": [Sample((away(3, 4),), {"axis": -1, "dtype": np.dtype("int64")})],
    "argmin": [Sample((away(3, 4),), {"axis": -2, "dtype": np.dtype("int64")})],
    "count_nonzero": [Sample((away(3, 4),), {"axis": (-1,), "keepdims": False, "dtype": np.dtype("int64")})],
    "cumsum": [
        Sample((normal(3, 4),), {"axis": axis, "exclusive": exclusive, "reverse": reverse})
        for axis in (-1, -2)
        for exclusive in (False, True)
        for reverse in (False, True)
    ],
    "cumprod": [
        Sample((between(0.5, 1.5, 3, 4),), {"axis": axis, "exclusive": exclusive, "reverse": reverse})
        for axis in (-1, -2)
        for exclusive in (False, True)
        for reverse in (False, True)
    ],
    # shapes
    "reshape": [Sample((normal(3, 4),), {"shape": (2, 6)}), Sample((normal(1),), {"shape": ()})],
    "broadcast_to": [Sample((normal(3, 1),), {"shape": (2, 3, 4)}), Sample((normal(),), {"shape": (2,)})],
    "transpose": [Sample((normal(2, 3, 4),), {"perm": (2, 0, 1)})],
    "swapaxes": [Sample((normal(2, 3, 4),), {"axis1": -1, "axis2": -3})],
    "concat": [Sample((normal(3, 4), normal(3, 2), normal(3, 1)), {"axis": -1})],
    "stack": [Sample((normal(3, 4), normal(3, 4)), {"axis": axis}) for axis in (-1, -3, -2)],
    "split": [Sample((normal(3, 6),), {"sizes": (1, 3, 2), "axis": -1})],
    "unstack": [Sample((normal(3, 4),), {"axis": axis}) for axis in (-1, -2)],
    "pad": [Sample((normal(3, 4),), {"paddings": ((1, 0), (2, 1)), "value": 3.0})],
    "tile": [Sample((normal(3, 4),), {"multiples": (2, 3)})],
    "roll": [Sample((normal(3, 4),), {"shift": (1, -2), "axis": (-1, -2)})],
    # indexing
    "getitem": [
        Sample((normal(3, 4),), {"index": (1,)}),
        Sample((normal(3, 4),), {"index": (Ellipsis, slice(None, None, -2), None)}),
    ],
    "place": [Sample((normal(4),), {"index": (1,), "shape": (3, 4), "ndim": 1})],
    "take": [
        Sample((normal(3, 4, 2), np.array([[0, 2, 0], [1, 1, 2]])), {"axis": -3}),
        Sample((normal(3, 4), np.array([3, 0, 3])), {"axis": -1}),
        Sample((normal(3, 4), np.array(1)), {"axis": -2}),
    ],
    "scatter_add": [
        Sample((normal(2, 3, 4), np.array([[0, 2, 0], [1, 1, 2]])), {"axis": -2, "size": 5}),
        Sample((normal(2, 3), np.array([3, 0, 3])), {"axis": -1, "size": 4}),
    ],
    "scatter_update": [Sample((normal(4, 2), np.array([2, 0]), normal(2, 2)))],
    "take_along": [Sample((normal(3, 4), np.array([[0, 3, 3], [1, 1, 2], [2, 0, 0]])), {"axis": -1})],
    "scatter_along": [Sample((normal(3, 3), np.array([[0, 3, 3], [1, 1, 2], [2, 0, 0]])), {"axis": -1, "size": 4})],
    "argsort": [Sample((away(3, 4),), {"axis": -1, "descending": down}) for down in (False, True)],
    "searchsorted": [Sample((np.arange(5.0), normal(3)), {"side": "left", "dtype": np.dtype("int32")})],
    "segment_max": [Sample((away(4, 3), np.array([2, 0, 2, 1])), {"size": 3}, analytic=False)],
    "segment_min": [Sample((away(4, 3), np.array([2, 0, 2, 1])), {"size": 3}, analytic=False)],
    "segment_prod": [Sample((away(4, 3), np.array([2, 0, 2, 2])), {"size": 4}, analytic=False)],
    # linear algebra
    "matmul": [
        Sample((normal(3, 4), normal(4, 2))),
        Sample((normal(2, 3, 4), normal(2, 4, 2))),
        Sample((normal(2, 3, 4), normal(4, 2))),
        Sample((normal(3, 4), normal(2, 4, 2))),
    ],
    "einsum": [
        Sample((normal(3, 4), normal(4, 2)), {"terms": ("ij", "jk"), "result": "ik"}),
        Sample((normal(2, 3, 4), normal(4, 2)), {"terms": ("...ij", "jk"), "result": "...ki"}),
        Sample((normal(3, 4),), {"terms": ("ij",), "result": "j"}),
        Sample((normal(3), normal(4), normal(3)), {"terms": ("i", "j", "i"), "result": "j"}),
    ],
    "dense": [
        Sample((normal(3, 4), normal(4, 2), normal(2)), {"activation": activation}, analytic=activation is None)
        for activation in (None, "relu", "sigmoid", "tanh")
    ]
    + [Sample((normal(2, 3, 4), normal(4, 2), normal(2)), {"activation": None})],
    "column_sum": [Sample((normal(3, 2),)), Sample((normal(2, 3, 4),)), Sample((np.zeros((0, 2)),))],
    "diag": [Sample((normal(2, 3),))],
    "diag_part": [Sample((normal(2, 3, 3),)), Sample((normal(3, 4),)), Sample((normal(4, 3),))],
    "band_part": [Sample((normal(4, 4),), {"lower": 1, "upper": 0}, analytic=True)],
    "inv": [Sample((positive_definite(3),))],
    "solve": [Sample((positive_definite(3), normal(2, 3, 2)))],
    "det": [Sample((positive_definite(3),))],
    "sign_det": [Sample((positive_definite(3),))],
    "log_abs_det": [Sample((positive_definite(3),), analytic=False)],
    "cholesky": [Sample((positive_definite(3),), analytic=False, symmetric=True)],
    "triangular_solve": [
        Sample((positive_definite(3), normal(2, 3, 2)), {"lower": lower}, analytic=False) for lower in (True, False)
    ],
    "qr": [Sample((normal(2, 4, 3),), analytic=False), Sample((normal(3, 3),), analytic=False)],
    "eigh": [Sample((positive_definite(3),), analytic=False)],
    "svd": [
        Sample((normal(4, 3),), analytic=False),
        Sample((normal(2, 3, 4),), analytic=False),
        Sample((normal(3, 3),), analytic=False),
    ],
    "singular_values": [Sample((normal(4, 3),), analytic=False), Sample((normal(2, 3, 4),), analytic=False)],
    # neural
    "sum_of_squares": [Sample((normal(3, 4),)), Sample((normal(2, 3, 2),)), Sample((np.zeros((0, 2)),))],
    "pass_positive": [Sample((normal(3, 4), np.abs(away(3, 4))), analytic=False)],
    "gate": [
        Sample((normal(3, 4), away(3, 4)), {"slope": 0.0, "upper": None}, analytic=False),
        Sample((normal(3, 4), away(3, 4)), {"slope": 0.3, "upper": None}, analytic=False),
        Sample((normal(3, 4), away(3, 4)), {"slope": 0.0, "upper": 0.5}, analytic=False),
    ],
    "relu": unary(away(3, 4), lambda x: max(x, 0.0), analytic=False),
    "relu6": unary(away(3, 4) * 4, lambda x: min(max(x, 0.0), 6.0), analytic=False),
    "leaky_relu": [Sample((away(3, 4),), {"alpha": 0.2}, analytic=False)],
    "elu": unary(away(3, 4), lambda x: x if x > 0 else math.expm1(x), analytic=False),
    "selu": unary(away(3, 4), analytic=False),
    "softsign": unary(away(3, 4), lambda x: x / (1 + abs(x)), analytic=False),
    "silu": unary(normal(3, 4), lambda x: x / (1 + math.exp(-x)), analytic=False),
    "gelu_erf": unary(normal(3, 4), analytic=False),
    "gelu_tanh": unary(normal(3, 4)),
    "mish": unary(away(3, 4), lambda x: x * math.tanh(math.log1p(math.exp(x))), analytic=False),
    "shifted": [Sample((logits(3, 4),), {"axis": axis}, analytic=False) for axis in ((-1,), (-2,))],
    "softmax": [Sample((logits(3, 4),), {"axis": axis}, analytic=False) for axis in ((-1,), (-2,))],
    "log_softmax": [Sample((logits(3, 4),), {"axis": axis}, analytic=False) for axis in ((-1,), (-2,))],
    "softmax_cross_entropy": [Sample((distribution(3, 4), logits(3, 4)), analytic=False)],
    "sparse_softmax_cross_entropy": [
        Sample((np.array([0, 3, 1]), logits(3, 4)), analytic=False),
        Sample((np.zeros(0, int), logits(0, 0)), analytic=False),
    ],
    "loss_of_classes": [Sample((np.array([0, 3, 1]), normal(3, 4), between(0.1, 1, 3, 1)), analytic=False)],
    "loss_of_labels": [Sample((distribution(3, 4), normal(3, 4), between(0.1, 1, 3, 1)), analytic=False)],
    "mean_of_squares": [Sample((normal(3, 4),), analytic=False), Sample((np.zeros((0, 2)),), analytic=False)],
    "mean_squared_error": [Sample((normal(3, 4), normal(3, 4)))],
    "sigmoid_cross_entropy": [Sample((between(0, 1, 3, 4), away(3, 4)), analytic=False)],
    # random: the same stream gives the same numbers
    "random_normal": [Sample((), {"stream": stream, "shape": (2, 3), "dtype": F64})],
    "random_uniform": [Sample((), {"stream": stream, "shape": (2, 3), "dtype": F64})],
    "random_integers": [
        Sample((), {"stream": stream, "shape": (2, 3), "low": 0, "high": 9, "dtype": np.dtype("int32")})
    ],
    "random_truncated_normal": [Sample((), {"stream": stream, "shape": (2, 3), "dtype": F64})],
    "dropout_mask": [Sample((), {"stream": stream, "shape": (2, 3), "rate": 0.5, "dtype": F64})],
    "random_gamma": [Sample((), {"stream": stream, "shape": (2, 3), "alpha": np.array(2.0), "dtype": F64})],
    "random_poisson": [Sample((), {"stream": stream, "shape": (2, 3), "lam": np.array(2.0), "dtype": F64})],
    "random_binomial": [
        Sample((), {"stream": stream, "shape": (2, 3), "counts": np.array(5), "probs": np.array(0.5), "dtype": F64})
    ],
    "random_permutation": [Sample((), {"stream": stream, "size": 5})],
}
