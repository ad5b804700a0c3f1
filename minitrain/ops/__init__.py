"""The operations: kernel and gradient rules side by side, one file a family.

`minitrain.math`, `minitrain.nn`, `minitrain.linalg` and `minitrain.random` are TensorFlow's names for them; this
package holds them all. Importing it gives Tensors their operators and NumPy's functions.
"""

from minitrain.ops import numpy_protocol, operators  # noqa: F401  # imported for what they install on Tensors
