"""`tf.bitwise`: operations on the bits of integers, under TensorFlow's names."""

from minitrain.engine.symbolic import admit as _admit
from minitrain.ops.elementwise import bitwise_and, bitwise_or, bitwise_xor, invert, left_shift, right_shift

__all__ = [name for name in dir() if not name.startswith("_")]
_admit(globals(), "bitwise.")
