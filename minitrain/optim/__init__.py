"""Keras's optimizers, importable as `minitrain.optimizers` too, and learning-rate schedules.

One file an optimizer: its slots and how one array is updated in place. What they share, the order of a step and the
packing of variables into one buffer, is in `base.py`. `optimizers.get("adam")` gives an instance.
"""

from typing import Any

from minitrain.configuration import serialize
from minitrain.optim import schedules
from minitrain.optim.adadelta import Adadelta
from minitrain.optim.adafactor import Adafactor
from minitrain.optim.adagrad import Adagrad
from minitrain.optim.adam import Adam, AdamW
from minitrain.optim.adamax import Adamax
from minitrain.optim.base import REGISTRY, Optimizer
from minitrain.optim.ftrl import Ftrl
from minitrain.optim.lamb import Lamb
from minitrain.optim.lion import Lion
from minitrain.optim.muon import Muon
from minitrain.optim.nadam import Nadam
from minitrain.optim.rmsprop import RMSprop
from minitrain.optim.sgd import SGD

__all__ = [
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Ftrl",
    "Lamb",
    "Lion",
    "Muon",
    "Nadam",
    "Optimizer",
    "RMSprop",
    "deserialize",
    "get",
    "schedules",
    "serialize",
]


def get(identifier: Any) -> Any:
    """The optimizer that `identifier` stands for: a name, a class, an instance, a configuration; None for None."""
    return REGISTRY.get(identifier)


deserialize = REGISTRY.deserialize
