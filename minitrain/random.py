"""`tf.random`: random tensors from seeded streams, under TensorFlow's names. See `minitrain.ops.random`."""

from types import SimpleNamespace as _SimpleNamespace

from minitrain.ops.random import (
    Generator,
    SeedGenerator,
    beta,
    binomial,
    categorical,
    fold_in,
    gamma,
    get_global_generator,
    normal,
    poisson,
    randint,
    set_global_generator,
    set_seed,
    shuffle,
    split,
    stateless_binomial,
    stateless_categorical,
    stateless_gamma,
    stateless_normal,
    stateless_poisson,
    stateless_truncated_normal,
    stateless_uniform,
    truncated_normal,
    uniform,
)
from minitrain.ops.random import dropout_or_none as dropout
from minitrain.ops.random import stateless_shuffle as _stateless_shuffle

experimental = _SimpleNamespace(
    Generator=Generator,
    get_global_generator=get_global_generator,
    set_global_generator=set_global_generator,
    stateless_fold_in=fold_in,
    stateless_shuffle=_stateless_shuffle,
    stateless_split=split,
)

__all__ = [name for name in dir() if not name.startswith("_")]
