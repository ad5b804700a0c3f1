"""Keras's layers, one file a family. `base.py` holds `Layer`, from which users derive their own in ten lines."""

from typing import Any

from minitrain import configuration
from minitrain.errors import nearest_names
from minitrain.layers.activation import ELU, LeakyReLU, PReLU, ReLU, Softmax
from minitrain.layers.base import REGISTRY, Layer
from minitrain.layers.core import Activation, Dense, Embedding, Identity, Input, InputLayer, Lambda, Masking
from minitrain.layers.einsum_dense import EinsumDense
from minitrain.layers.hashing import HashedCrossing, Hashing
from minitrain.layers.input_spec import InputSpec
from minitrain.layers.merging import Add, Average, Concatenate, Dot, Maximum, Minimum, Multiply, Subtract
from minitrain.layers.normalization import (
    BatchNormalization,
    GroupNormalization,
    LayerNormalization,
    RMSNormalization,
    UnitNormalization,
)
from minitrain.layers.preprocessing import (
    CategoryEncoding,
    Discretization,
    IntegerLookup,
    Normalization,
    Rescaling,
    StringLookup,
)
from minitrain.layers.regularization import (
    ActivityRegularization,
    AlphaDropout,
    Dropout,
    GaussianDropout,
    GaussianNoise,
    SpatialDropout1D,
    SpatialDropout2D,
    SpatialDropout3D,
)
from minitrain.layers.reshaping import (
    Cropping1D,
    Cropping2D,
    Cropping3D,
    Flatten,
    Permute,
    RepeatVector,
    Reshape,
    UpSampling1D,
    UpSampling2D,
    UpSampling3D,
    ZeroPadding1D,
    ZeroPadding2D,
    ZeroPadding3D,
)
from minitrain.layers.text import TextVectorization
from minitrain.layers.wrapping import SpectralNormalization, TimeDistributed, Wrapper

__all__ = [
    *sorted(each.__name__ for each in REGISTRY.members),
    "InputSpec",
    "Layer",
    "Wrapper",
    "add",
    "average",
    "concatenate",
    "deserialize",
    "dot",
    "get",
    "maximum",
    "minimum",
    "multiply",
    "serialize",
    "subtract",
]


def get(identifier: Any) -> Any:
    """The layer that `identifier` stands for: a configuration, a name, a class or an instance."""
    return REGISTRY.get(identifier)


deserialize = REGISTRY.deserialize


def serialize(layer: Layer) -> dict[str, Any]:
    """The class name and configuration of a layer."""
    return dict(configuration.serialize(layer))


def add(inputs: Any, **kwargs: Any) -> Any:
    """`Add` as a function."""
    return Add(**kwargs)(inputs)


def subtract(inputs: Any, **kwargs: Any) -> Any:
    """`Subtract` as a function."""
    return Subtract(**kwargs)(inputs)


def multiply(inputs: Any, **kwargs: Any) -> Any:
    """`Multiply` as a function."""
    return Multiply(**kwargs)(inputs)


def average(inputs: Any, **kwargs: Any) -> Any:
    """`Average` as a function."""
    return Average(**kwargs)(inputs)


def maximum(inputs: Any, **kwargs: Any) -> Any:
    """`Maximum` as a function."""
    return Maximum(**kwargs)(inputs)


def minimum(inputs: Any, **kwargs: Any) -> Any:
    """`Minimum` as a function."""
    return Minimum(**kwargs)(inputs)


def concatenate(inputs: Any, axis: int = -1, **kwargs: Any) -> Any:
    """`Concatenate` as a function."""
    return Concatenate(axis=axis, **kwargs)(inputs)


def dot(inputs: Any, axes: Any = -1, **kwargs: Any) -> Any:
    """`Dot` as a function."""
    return Dot(axes=axes, **kwargs)(inputs)


NOT_HERE = ("Conv", "Pool", "LSTM", "GRU", "RNN", "Attention", "Bidirectional")


def __getattr__(name: str) -> Any:
    said = f"module {__name__!r} has no attribute {name!r}"
    if any(part in name for part in NOT_HERE):
        said += ": convolution, pooling, recurrent and attention layers are not here yet"
    elif name[:1].isupper():
        said += f". {nearest_names(name, REGISTRY.entries)}"
    raise AttributeError(said)
