"""`tf.linalg`: products, diagonals and decompositions of matrices in the last two axes, under TensorFlow's names."""

from typing import Any as _Any

from minitrain.engine.symbolic import admit as _admit
from minitrain.ops.creation import eye
from minitrain.ops.decompositions import (
    cholesky_solve,
    eigh,
    eigvalsh,
    expm,
    lstsq,
    lu,
    matrix_rank,
    normalize,
    pinv,
    qr,
    set_diag,
    svd,
    tensor_diag,
    tensor_diag_part,
    triangular_solve,
)
from minitrain.ops.keras_arrays import cross
from minitrain.ops.linear import (
    band_part,
    cholesky,
    det,
    diag,
    diag_part,
    einsum,
    inv,
    logdet,
    matmul,
    matvec,
    slogdet,
    solve,
    tensordot,
    trace,
)
from minitrain.ops.neural import global_norm, l2_normalize
from minitrain.ops.reduction import norm
from minitrain.ops.shaping import matrix_transpose


def adjoint(matrix: _Any, name: str | None = None) -> _Any:
    """The last two axes exchanged: real matrices are their own conjugates. (..., m, n) -> (..., n, m)"""
    return matrix_transpose(matrix)


__all__ = [name for name in dir() if not name.startswith("_")]
_admit(globals(), "linalg.")
