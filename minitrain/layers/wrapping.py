"""Layers around another layer: at each step of a sequence, or with the kernel held to spectral norm 1."""

from __future__ import annotations

from math import prod
from typing import Any, Self

from minitrain import initializers
from minitrain.configuration import custom_object_scope
from minitrain.engine.convert import as_tensor
from minitrain.engine.tensor import Tensor
from minitrain.errors import InvalidArgumentError
from minitrain.layers.base import REGISTRY, Layer, takes_mask
from minitrain.ops.elementwise import stop_gradient
from minitrain.ops.linear import matmul
from minitrain.ops.neural import l2_normalize
from minitrain.ops.shaping import reshape


class Wrapper(Layer):
    """The base of layers around another one, `layer`, which is built for their inputs. Users' own define `call`."""

    def __init__(self, layer: Any, **kwargs: Any) -> None:
        if not isinstance(layer, Layer):
            raise InvalidArgumentError(f"{type(self).__name__} needs a layer to wrap, received {layer!r}.")
        super().__init__(**kwargs)
        self.layer = layer

    def build(self, input_shape: Any = None) -> None:
        if not self.layer.built:
            self.layer.build(input_shape)
            self.layer.built = True
        self.built = True

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Self:
        """The wrapper of a configuration, around a new layer."""
        with custom_object_scope(custom_objects or {}):
            return cls(**(config | {"layer": REGISTRY.get(config["layer"])}))


@REGISTRY.register()
class TimeDistributed(Wrapper):
    """A layer at each step: (n, t, ...), which it sees as n * t samples."""

    supports_masking = True

    def build(self, input_shape: Any) -> None:
        self.need(len(input_shape) >= 3, "at least 3 axes, samples and steps the first", input_shape)
        super().build((input_shape[0], *input_shape[2:]))

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Tensor:
        x = as_tensor(inputs)
        self.need(x.ndim >= 3, "at least 3 axes, samples and steps the first", x.shape)
        n, t = x.shape[:2]
        options = {}
        if mask is not None and takes_mask(self.layer):
            mask = as_tensor(mask)
            options["mask"] = reshape(mask, (n * t, *mask.shape[2:]))
        out = self.layer(reshape(x, (n * t, *x.shape[2:])), training=training, **options)
        return reshape(out, (n, t, *out.shape[1:]))


@REGISTRY.register()
class SpectralNormalization(Wrapper):
    """Divides the kernel, or the embeddings, of a layer by the largest singular value before each call in training.

    It is estimated by `power_iterations` steps from the last call's vector. Source: Miyato et al. (2018), algorithm 1.
    """

    def __init__(self, layer: Any, power_iterations: int = 1, **kwargs: Any) -> None:
        super().__init__(layer, **kwargs)
        if power_iterations <= 0:
            raise InvalidArgumentError(f"`power_iterations` must be above 0, received {power_iterations!r}.")
        self.power_iterations = power_iterations

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        kernel = getattr(self.layer, "kernel", getattr(self.layer, "embeddings", None))
        if kernel is None:
            raise InvalidArgumentError(
                f"Layer '{self.layer.name}' ({type(self.layer).__name__}) has neither `kernel` nor `embeddings`, which "
                "SpectralNormalization divides."
            )
        self.kernel = kernel
        start = initializers.TruncatedNormal(stddev=0.02)
        self.vector_u = self.add_weight((1, kernel.shape[-1]), start, trainable=False, name="vector_u")

    def call(self, inputs: Any, training: Any = False) -> Any:
        if training:
            self._normalize()
        return self.layer(inputs, training=training)

    def _normalize(self) -> None:
        shape = tuple(self.kernel.shape)
        w = stop_gradient(reshape(self.kernel, (prod(shape[:-1]), shape[-1])))
        u: Any = stop_gradient(self.vector_u)
        for _ in range(self.power_iterations):
            v = l2_normalize(matmul(u, w, transpose_b=True), None)
            u = l2_normalize(matmul(v, w), None)
        norm = matmul(matmul(v, w), u, transpose_b=True)
        self.vector_u.assign(u)
        self.kernel.assign(reshape(w / norm, shape))
