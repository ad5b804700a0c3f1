"""Small networks around each layer and each loss of the registries, and data to train them on."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import minitrain as mt
from minitrain import layers
from minitrain.layers.base import REGISTRY as LAYERS
from minitrain.losses.base import REGISTRY as LOSSES

sys.path.insert(0, str(Path(__file__).parent / "layers"))
from test_every_layer import SAMPLES

RNG = np.random.default_rng(0)
X = RNG.normal(size=(70, 6)).astype("float32")
Y = RNG.normal(size=(70, 3)).astype("float32")

NOT_FOR_TRAINING = {
    *("StringLookup", "IntegerLookup", "TextVectorization", "CategoryEncoding", "Discretization", "Embedding"),
    "Lambda",
}
NOT_FOR_TRAINING |= {"InputLayer", "Masking"}  # no call of its own; a mask that Flatten cannot pass on

TRAINED_LAYERS = [each for each in LAYERS.members if each.__name__ not in NOT_FOR_TRAINING]
LOSS_CLASSES = [each for each in LOSSES.members if isinstance(each, type)]


def small(**options):
    """6 -> 8 -> 3."""
    return mt.Sequential([layers.Input((6,)), layers.Dense(8, activation="tanh"), layers.Dense(3, **options)])


def fresh(argument):
    """A layer like the given one, with weights of its own, in the present float type; what is no layer, as it is."""
    if not isinstance(argument, layers.Layer):
        return argument
    return type(argument).from_config({**argument.get_config(), "dtype": mt.config.floatx()})


def around(cls):
    """A function that makes a network with a layer of this class, and inputs for it, (70, ...)."""
    args, options, sample = SAMPLES[cls.__name__]
    first = sample[0] if isinstance(sample, list) else sample
    x = RNG.normal(size=(70, *np.shape(first)[1:])).astype("float32")

    def make():
        inputs = mt.Input(x.shape[1:])
        taken = mt.cast(inputs, "int32") if cls.__name__ == "HashedCrossing" else inputs  # which takes no floats
        made = cls(*map(fresh, args), **options)([taken, taken * 2] if isinstance(sample, list) else taken)
        return mt.Model(inputs, layers.Dense(3)(layers.Flatten()(made)))

    return make, x


def fitting(cls):
    """A function that makes a network whose outputs a loss of this class can take for X, and targets for it."""
    name = cls.__name__
    labels = np.random.default_rng(1).integers(0, 3, 70)
    y, units, activation = Y, 3, None
    if "Sparse" in name or name == "CategoricalGeneralizedCrossEntropy":
        y, activation = labels, "softmax"
    elif "Categorical" in name:
        y, activation = np.eye(3, dtype="float32")[labels], "softmax"
    elif name == "Circle":
        y = labels
    elif name in ("GaussianNLL", "Quantile"):
        y, units = Y[:, :1], 2 if name == "GaussianNLL" else 1
    elif name not in ("MeanSquaredError", "MeanAbsoluteError", "Huber", "LogCosh", "CosineSimilarity"):
        y, activation = (Y > 0).astype("float32"), "sigmoid"

    def make():
        hidden = layers.Dense(8, activation="tanh")
        return mt.Sequential([layers.Input((6,)), hidden, layers.Dense(units, activation=activation)])

    return make, y
