"""What all losses share: reduction and weights, and the decorator that makes a loss of one per-sample function.

A per-sample function maps y_true and y_pred, (n, ...) each, to one number a sample. `loss` registers it under its
names and gives it its class, which reduces the numbers and weighs them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from minitrain import config
from minitrain.configuration import Configurable, Registry, serialize, snake_case
from minitrain.dtypes import as_dtype
from minitrain.engine.convert import as_tensor, to_dtype
from minitrain.engine.primitive import ops
from minitrain.engine.tensor import Tensor, TensorLike
from minitrain.errors import DTypeError, InvalidArgumentError, ShapeError, nearest_names
from minitrain.ops.elementwise import where
from minitrain.ops.reduction import reduce_mean, reduce_sum
from minitrain.ops.shaping import expand_dims, squeeze

REGISTRY = Registry("loss")
REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none", None)


class Reduction:
    """The reductions by TensorFlow's names; AUTO is what losses do unasked."""

    AUTO = SUM_OVER_BATCH_SIZE = "sum_over_batch_size"
    SUM = "sum"
    NONE = "none"


class Loss(Configurable):
    """The base: `loss(y_true, y_pred, sample_weight=None)` gives a Tensor. Users' own override `call`.

    `reduction`: "sum_over_batch_size" or "mean" (the sum of weighted losses over their number), "sum",
    "mean_with_sample_weight" (over the sum of the weights) or "none". `dtype`: what is computed in, by default the
    dtype of y_pred.
    """

    _named = True

    def __init__(
        self, name: str | None = None, reduction: str | None = "sum_over_batch_size", dtype: Any = None
    ) -> None:
        if reduction not in REDUCTIONS:
            known = [each for each in REDUCTIONS if each]
            raise InvalidArgumentError(f"Unknown `reduction`: {reduction!r}. {nearest_names(str(reduction), known)}")
        self.name = name or snake_case(type(self).__name__)
        self.reduction = reduction
        self._dtype = None if dtype is None else as_dtype(dtype).name

    @property
    def dtype(self) -> str:
        """The dtype that was asked for, by default config.floatx()."""
        return self._dtype or config.floatx()

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        return config if self._dtype else {name: each for name, each in config.items() if name != "dtype"}

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The reduced loss of a batch.

        `sample_weight`: a number, one a sample, or one an element of the unreduced loss. A mask that a layer left on
        y_pred takes masked elements out of the loss and out of the mean.
        """
        y_pred = _prediction(y_pred, self._dtype)
        values = self.call(y_true, y_pred)
        if values is None:
            raise DTypeError(f"The loss '{self.name}' must return a number, or one a sample: it returned None.")
        return reduce_weighted(values, sample_weight, _mask(y_pred, values), self.reduction)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """One number a sample: (n, ...), (n, ...) -> (n,)"""
        raise NotImplementedError(f"{type(self).__name__} must define call(self, y_true, y_pred).")


def _prediction(y_pred: Any, dtype: str | None) -> Any:
    """y_pred as a floating Tensor, with what layers and activations left on it."""
    if not isinstance(y_pred, TensorLike):
        if isinstance(y_pred, dict):
            return y_pred
        if y_pred is None:
            raise DTypeError("`y_pred` is None: the `call` of the model must return what it predicts.")
    x = as_tensor(y_pred)
    if dtype is None and x._array.dtype.kind == "f":
        return x
    wanted = as_dtype(dtype).dtype if dtype is not None else x._array.dtype
    if wanted.kind != "f":
        wanted = as_dtype(config.floatx()).dtype
    return to_dtype(x, wanted)


def _mask(y_pred: Any, values: Any) -> Any:
    """The elements that count: the mask on y_pred, on the losses, or both."""
    masks = [getattr(each, "_keras_mask", None) for each in (y_pred, values)]
    present = [as_tensor(each) for each in masks if each is not None]
    if len(present) == 2:
        return ops.logical_and(*present)
    return present[0] if present else None


def same_rank(a: Tensor, b: Tensor, expand_vectors: bool = True) -> tuple[Tensor, Tensor]:
    """Make (n, 1) and (n,) meet: a vector gets a last axis of one, anything else loses it, as in Keras."""
    n, m = len(a._array.shape), len(b._array.shape)
    if n == m + 1 and a._array.shape[-1] == 1:
        return (a, expand_dims(b, -1)) if m == 1 and expand_vectors else (squeeze(a, -1), b)
    if m == n + 1 and b._array.shape[-1] == 1:
        return (expand_dims(a, -1), b) if n == 1 and expand_vectors else (a, squeeze(b, -1))
    return a, b


def matched(y_true: Any, y_pred: Any) -> tuple[Tensor, Tensor]:
    """y_true and y_pred as Tensors of one dtype and rank; ShapeError where they would broadcast into a third shape."""
    p = y_pred if type(y_pred) is Tensor and y_pred._array.dtype.kind == "f" else _prediction(y_pred, None)
    t = to_dtype(as_tensor(y_true), p._array.dtype)
    shape, of = t._array.shape, p._array.shape
    if shape == of:
        return t, p
    t, p = same_rank(t, p)
    try:
        both = np.broadcast_shapes(t._array.shape, p._array.shape)
    except ValueError:
        both = None
    if both is None or t._array.ndim != p._array.ndim or both not in (t._array.shape, p._array.shape):
        raise ShapeError(
            f"y_true and y_pred must have the same shape, received {shape} and {of}. Reshape one of them, such as "
            "y_true[:, None] or squeeze(y_pred, -1)."
        )
    return t, p


def reduce_weighted(values: Any, sample_weight: Any, mask: Any, reduction: str | None) -> Tensor:
    """Weigh per-sample losses and reduce them. Masked elements count neither in the sum nor in the mean."""
    values = as_tensor(values)
    if sample_weight is None and mask is None:
        if reduction in ("none", None) or not values._array.ndim:
            return values
        if reduction == "sum":
            return reduce_sum(values)
        return reduce_mean(values) if values._array.size else reduce_sum(values)
    dtype = values._array.dtype
    weights = None if sample_weight is None else to_dtype(as_tensor(sample_weight), dtype)
    if mask is not None:
        kept = to_dtype(as_tensor(mask), dtype)
        if reduction in ("mean", "sum_over_batch_size"):
            kept = kept * ops.divide_no_nan(float(kept._array.size) * ops.ones_like(reduce_sum(kept)), reduce_sum(kept))
        if weights is not None:
            kept, weights = same_rank(kept, weights)
            weights = weights * kept
        else:
            weights = kept
    assert weights is not None
    values, weights = same_rank(values, weights)
    try:
        values = values * weights
    except ShapeError as error:
        raise ShapeError(
            f"`sample_weight` must be a number, one a sample, or broadcast to the losses of shape "
            f"{tuple(values.shape)}; received shape {tuple(weights.shape)}."
        ) from error
    if reduction in ("none", None) or not values._array.ndim or values._array.shape == (0,):
        return values
    total = reduce_sum(values)
    if reduction == "sum":
        return total
    if reduction == "mean_with_sample_weight":
        return ops.divide_no_nan(total, reduce_sum(weights))
    return total / float(values._array.size)


class FunctionLoss(Loss):
    """A loss that a per-sample function makes; the function's options are arguments of `__init__`."""

    fn: Callable[..., Any]
    whole: Callable[..., Any] | None  # the plain mean over all samples as one operation, where there is one
    __signature__: inspect.Signature

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        try:
            bound = self.__signature__.bind(*args, **kwargs)
        except TypeError as error:
            raise DTypeError(f"{type(self).__name__}() {error}. Its arguments are {self.__signature__}.") from None
        bound.apply_defaults()
        given = dict(bound.arguments)
        super().__init__(given.pop("name"), given.pop("reduction"), given.pop("dtype"))
        self.options = given

    def __getattr__(self, name: str) -> Any:
        options = self.__dict__.get("options", {})
        if name in options:
            return options[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        whole = type(self).whole
        if whole is None or sample_weight is not None or self.reduction not in ("sum_over_batch_size", "mean"):
            return super().__call__(y_true, y_pred, sample_weight)
        t, p = matched(y_true, y_pred if self._dtype is None else _prediction(y_pred, self._dtype))
        shape = p._array.shape
        # Masks, shapes that broadcast, or that have no axis to take the mean over, go the general way.
        is_plain = t._array.shape == shape and shape and getattr(p, "_keras_mask", None) is None
        return whole(t, p) if is_plain else super().__call__(y_true, y_pred)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return type(self).fn(y_true, y_pred, **self.options)

    def get_config(self) -> dict[str, Any]:
        names = [name for name in self.__signature__.parameters if name != "dtype" or self._dtype]
        return {name: serialize(getattr(self, name)) for name in names}


def loss(
    class_name: str, *aliases: str, order: str | None = None, name: str | None = None, whole: Any = None
) -> Callable[..., Any]:
    """Register a per-sample function as a loss and give it its class, `function.loss_class`.

    `aliases`: further names of the function. `order`: the class's arguments where Keras has them in another order
    than the function's options followed by reduction, name, dtype. `name`: the instance's default name where that is
    not the function's. `whole`: the mean over all samples as one operation.
    """

    def decorate(fn: Callable[..., Any]) -> Callable[..., Any]:
        own = {
            "reduction": inspect.Parameter("reduction", inspect.Parameter.POSITIONAL_OR_KEYWORD, default=REDUCTIONS[0]),
            "name": inspect.Parameter("name", inspect.Parameter.POSITIONAL_OR_KEYWORD, default=name or fn.__name__),
            "dtype": inspect.Parameter("dtype", inspect.Parameter.POSITIONAL_OR_KEYWORD, default=None),
        }
        options = {p.name: p for p in list(inspect.signature(fn).parameters.values())[2:]}
        names = order.split() if order else [*options, *own]
        signature = inspect.Signature([(options | own)[each] for each in names])
        doc = f"{fn.__doc__ or ''}\n\nThe class of `{fn.__name__}`, with reduction and sample weights: see `Loss`."
        made = type(
            class_name,
            (FunctionLoss,),
            {
                "fn": staticmethod(fn),
                "whole": whole and staticmethod(whole),
                "__signature__": signature,
                "__doc__": doc,
                "__module__": fn.__module__,
            },
        )
        REGISTRY.add(made)
        REGISTRY.add(fn, *aliases)
        fn.loss_class = made  # type: ignore[attr-defined]
        return fn

    return decorate


def masked_where(valid: Tensor, values: Tensor) -> Tensor:
    """Losses with zeros where they do not count, and the mask that takes those out of the mean."""
    out = where(valid, values, ops.zeros_like(values))
    out._keras_mask = valid
    return out
