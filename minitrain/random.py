"""`tf.random`: random tensors from seeded streams, under TensorFlow's names. See `minitrain.ops.random`."""

from minitrain.ops.random import (
    Generator,
    SeedGenerator,
    categorical,
    dropout,
    get_global_generator,
    normal,
    randint,
    set_global_generator,
    set_seed,
    shuffle,
    truncated_normal,
    uniform,
)

__all__ = [name for name in dir() if not name.startswith("_")]
