"""Keras's activations: functions of a Tensor, by name or as they are.

`activations.get("relu")` gives the function; None stands for `linear`.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from minitrain import nn
from minitrain.configuration import Registry, custom_object_scope
from minitrain.engine.convert import as_tensor
from minitrain.engine.symbolic import admit, admitting
from minitrain.engine.tensor import Tensor
from minitrain.ops import elementwise, neural, reduction, shaping
from minitrain.ops.creation import ones_like, zeros_like
from minitrain.ops.elementwise import where
from minitrain.ops.indexing import sort
from minitrain.ops.reduction import _floats

REGISTRY = Registry("activation")


def _layers() -> Registry:
    return import_module("minitrain.layers").base.REGISTRY  # type: ignore[no-any-return]


REGISTRY.fallback = _layers  # a layer may stand for an activation; they stand above, and are imported where one does


@REGISTRY.register()
def linear(x: Any) -> Tensor:
    """x itself."""
    return as_tensor(x)


@REGISTRY.register()
def relu(x: Any, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Tensor:
    """max(x, 0); below `threshold` negative_slope * (x - threshold), above `max_value` that value."""
    if threshold == 0.0 and max_value is None:
        return nn.leaky_relu(x, negative_slope) if negative_slope else nn.relu(x)
    x = _floats(x)
    if threshold == 0.0 and negative_slope == 0.0 and max_value == 6.0:
        return nn.relu6(x)
    negative = neural.relu(threshold - x) if negative_slope else None
    positive = x * elementwise.cast(x > threshold, x.dtype) if threshold else neural.relu(x)
    if max_value is not None:
        positive = elementwise.clip_by_value(positive, 0.0, max_value)
    return positive if negative is None else positive - negative_slope * negative


@REGISTRY.register()
def leaky_relu(x: Any, negative_slope: float = 0.2) -> Tensor:
    """x above 0, negative_slope * x below."""
    return nn.leaky_relu(x, negative_slope)


@REGISTRY.register()
def relu6(x: Any) -> Tensor:
    """min(max(x, 0), 6)."""
    return nn.relu6(x)


@REGISTRY.register()
def elu(x: Any, alpha: float = 1.0) -> Tensor:
    """x above 0, alpha * (e ** x - 1) below."""
    out = nn.elu(x)
    return out if alpha == 1.0 else where(as_tensor(x) > 0.0, out, alpha * out)


@REGISTRY.register()
def selu(x: Any) -> Tensor:
    """The scaled elu that keeps mean 0 and variance 1."""
    return nn.selu(x)


@REGISTRY.register()
def celu(x: Any, alpha: float = 1.0) -> Tensor:
    """max(x, 0) + min(alpha * (e ** (x / alpha) - 1), 0)."""
    x = _floats(x)
    return elementwise.maximum(x, 0.0) + alpha * elementwise.expm1(elementwise.minimum(x, 0.0) / alpha)


@REGISTRY.register()
def softplus(x: Any) -> Tensor:
    """log(1 + e ** x)."""
    return nn.softplus(x)


@REGISTRY.register()
def softsign(x: Any) -> Tensor:
    """x / (1 + |x|)."""
    return nn.softsign(x)


@REGISTRY.register()
def squareplus(x: Any, b: float = 4) -> Tensor:
    """(x + sqrt(x ** 2 + b)) / 2. Source: Barron (2021)."""
    x = _floats(x)
    return (x + elementwise.sqrt(x * x + b)) / 2.0


@REGISTRY.register("swish")
def silu(x: Any) -> Tensor:
    """x * sigmoid(x)."""
    return nn.silu(x)


@REGISTRY.register()
def gelu(x: Any, approximate: bool = False) -> Tensor:
    """x * P(X <= x) for a standard normal X; `approximate` uses tanh."""
    return nn.gelu(x, approximate)


@REGISTRY.register()
def mish(x: Any) -> Tensor:
    """x * tanh(softplus(x))."""
    return nn.mish(x)


@REGISTRY.register()
def tanh(x: Any) -> Tensor:
    """The hyperbolic tangent."""
    return nn.tanh(x)


@REGISTRY.register()
def tanh_shrink(x: Any) -> Tensor:
    """x - tanh(x)."""
    x = _floats(x)
    return x - nn.tanh(x)


@REGISTRY.register()
def hard_tanh(x: Any) -> Tensor:
    """x limited to [-1, 1]."""
    return elementwise.clip_by_value(_floats(x), -1.0, 1.0)


@REGISTRY.register()
def hard_shrink(x: Any, threshold: float = 0.5) -> Tensor:
    """x where |x| > threshold, else 0."""
    x = _floats(x)
    return where(elementwise.abs(x) > threshold, x, zeros_like(x))


@REGISTRY.register()
def soft_shrink(x: Any, threshold: float = 0.5) -> Tensor:
    """x moved towards 0 by `threshold`, 0 where it would cross."""
    x = _floats(x)
    return where(x > threshold, x - threshold, where(x < -threshold, x + threshold, zeros_like(x)))


@REGISTRY.register()
def threshold(x: Any, threshold: float, default_value: float) -> Tensor:
    """x above `threshold`, else `default_value`."""
    x = _floats(x)
    return where(x > threshold, x, default_value * ones_like(x))


@REGISTRY.register()
def sigmoid(x: Any) -> Tensor:
    """1 / (1 + e ** -x). A cross-entropy sees the logit behind the result and uses it."""
    x = _floats(x)
    out = nn.sigmoid(x)
    out._logits = x
    return out


@REGISTRY.register()
def log_sigmoid(x: Any) -> Tensor:
    """log(sigmoid(x))."""
    return nn.log_sigmoid(x)


@REGISTRY.register()
def hard_sigmoid(x: Any) -> Tensor:
    """relu6(x + 3) / 6."""
    return nn.hard_sigmoid(x)


@REGISTRY.register("hard_swish")
def hard_silu(x: Any) -> Tensor:
    """x * hard_sigmoid(x)."""
    return nn.hard_silu(x)


@REGISTRY.register()
def exponential(x: Any) -> Tensor:
    """e ** x."""
    return elementwise.exp(x)


@REGISTRY.register()
def softmax(x: Any, axis: Any = -1) -> Tensor:
    """e ** x / sum(e ** x) over `axis`. A cross-entropy sees the logits behind the result and uses them."""
    x = _floats(x)
    out = nn.softmax(x, axis)
    out._logits = x
    return out


@REGISTRY.register()
def log_softmax(x: Any, axis: Any = -1) -> Tensor:
    """log(softmax(x)) over `axis`."""
    return nn.log_softmax(x, axis)


@REGISTRY.register()
def glu(x: Any, axis: int = -1) -> Tensor:
    """The first half along `axis` times the sigmoid of the second."""
    value, gate = shaping.split(x, 2, axis)
    return value * nn.sigmoid(gate)


@REGISTRY.register()
def sparse_plus(x: Any) -> Tensor:
    """0 below -1, x above 1, (x + 1) ** 2 / 4 between."""
    x = _floats(x)
    return where(x <= -1.0, zeros_like(x), where(x < 1.0, 0.25 * elementwise.square(x + 1.0), x))


@REGISTRY.register()
def sparse_sigmoid(x: Any) -> Tensor:
    """0 below -1, 1 above 1, (x + 1) / 2 between."""
    x = _floats(x)
    return where(x <= -1.0, zeros_like(x), where(x >= 1.0, ones_like(x), 0.5 * (x + 1.0)))


@REGISTRY.register()
def sparsemax(x: Any, axis: int = -1) -> Tensor:
    """The Euclidean projection onto the simplex along `axis`. Source: Martins and Astudillo (2016), algorithm 1.

    Keras 3 sums the running sums of the support where the algorithm takes the last of them, so that its rows do not
    add up to 1 where the support has two or more; this is the projection.
    """
    x = _floats(x)
    order = shaping.transpose(x, _axis_last(x, axis)) if axis not in (-1, x.ndim - 1) else x
    ranked = sort(order, direction="DESCENDING")
    sums = reduction.cumsum(ranked, axis=-1)
    k = elementwise.cast(_counting(ranked.shape[-1]), x.dtype)
    support = elementwise.cast(1.0 + k * ranked > sums, x.dtype)
    size = reduction.reduce_sum(support, axis=-1, keepdims=True)
    tau = (reduction.reduce_sum(ranked * support, axis=-1, keepdims=True) - 1.0) / size
    out = elementwise.maximum(order - tau, 0.0)
    return shaping.transpose(out, _axis_last(x, axis)) if order is not x else out


admit(globals(), "activations.")
REGISTRY.members = [admitting(each) for each in REGISTRY.members]
REGISTRY.entries = {name: admitting(each) for name, each in REGISTRY.entries.items()}
swish = silu
hard_swish = hard_silu


def _axis_last(x: Tensor, axis: int) -> list[int]:
    """The permutation that exchanges `axis` with the last one."""
    order = list(range(x.ndim))
    order[axis], order[-1] = order[-1], order[axis]
    return order


def _counting(n: int) -> list[int]:
    return list(range(1, n + 1))


def get(identifier: Any) -> Callable[..., Any]:
    """The function that a name stands for; `linear` for None, callables as they are."""
    found = REGISTRY.get(identifier)
    return linear if found is None else found


def serialize(activation: Callable[..., Any]) -> Any:
    """The name of an activation, or the configuration of one that has one."""
    return activation.get_config() if hasattr(activation, "get_config") else activation.__name__


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Callable[..., Any]:
    """As `get`; names in the configuration may stand for `custom_objects`."""
    with custom_object_scope(custom_objects or {}):
        return get(config)
