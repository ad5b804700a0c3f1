"""Factors of matrices in the last two axes: QR, SVD, eigenvectors, LU, and what is solved with them.

Factors belong to values that differ; vectors of equal ones are not functions of the matrix, and pass each other no
gradient, as in TensorFlow.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minitrain.dtypes import as_dtype, int32
from minitrain.engine.convert import as_tensor, operands, same_dtype
from minitrain.engine.primitive import ops, primitive
from minitrain.engine.tensor import Tensor
from minitrain.errors import InvalidArgumentError, ShapeError
from minitrain.ops.axes import values_of
from minitrain.ops.elementwise import cast, greater, where
from minitrain.ops.linear import _at_least, _linalg, _square, _swapped, diag, diag_part, matmul, solve
from minitrain.ops.reduction import _floats, norm, reduce_max, reduce_sum


@primitive(name="triangular_solve")
def _triangular_solve(x, y, *, lower):
    """x @ out = y for a triangular x, of which the other half is not looked at."""
    return np.linalg.solve(np.tril(x) if lower else np.triu(x), y)


@_triangular_solve.vjp("x")
def _(xp, g, out, x, y, *, lower):
    back = xp.triangular_solve(_swapped(xp, x), g, lower=not lower)
    half = {"lower": -1, "upper": 0} if lower else {"lower": 0, "upper": -1}
    return xp.band_part(-xp.matmul(back, _swapped(xp, out)), **half)


@_triangular_solve.vjp("y")
def _(xp, g, out, x, y, *, lower):
    return xp.triangular_solve(_swapped(xp, x), g, lower=not lower)


@primitive(name="qr", mixed=True)
def _qr(x):
    """(..., n, m) -> (..., n, k), (..., k, m) with k = min(n, m)"""
    return tuple(np.linalg.qr(x))


@_qr.vjp()
def _(xp, g, wanted, out, x):
    # Walter and Lehmann (2018), "Algorithmic differentiation of linear algebra functions"; n >= m.
    if x.shape[-2] < x.shape[-1]:
        raise InvalidArgumentError(
            f"The gradient of `qr` needs at least as many rows as columns, received shape {tuple(x.shape)}."
        )
    (gq, gr), (q, r) = g, out
    m = xp.matmul(r, _swapped(xp, gr)) - xp.matmul(_swapped(xp, gq), q)
    below = xp.band_part(m, lower=-1, upper=0)
    both = below + _swapped(xp, below) - xp.band_part(m, lower=0, upper=0)
    total = gq + xp.matmul(q, both)
    return [_swapped(xp, xp.triangular_solve(r, _swapped(xp, total), lower=False))]


@primitive(name="eigh", mixed=True)
def _eigh(x):
    """The lower half of (..., n, n) -> (..., n) rising, (..., n, n) with the vectors as columns"""
    return tuple(np.linalg.eigh(x))


@_eigh.vjp()
def _(xp, g, wanted, out, x):
    # Giles (2008), "Collected matrix derivative results", section 3.1, for the lower half as the input.
    (gw, gv), (w, v) = g, out
    inner = xp.diag(gw) + _off_diagonal_share(xp, w) * xp.matmul(_swapped(xp, v), gv)
    full = xp.matmul(xp.matmul(v, inner), _swapped(xp, v))
    both = xp.band_part(full + _swapped(xp, full), lower=-1, upper=0)
    return [both - xp.band_part(full, lower=0, upper=0)]


def _off_diagonal_share(xp: Any, values: Any) -> Any:
    """1 / (values[j] - values[i]), and 0 where they are equal, as on the diagonal: (..., n) -> (..., n, n)"""
    shape = tuple(values.shape)
    gaps = xp.reshape(values, shape=(*shape[:-1], 1, shape[-1])) - xp.reshape(values, shape=(*shape, 1))
    return xp.divide_no_nan(xp.ones_like(gaps), gaps)


@primitive(name="svd", mixed=True)
def _svd(x):
    """(..., n, m) -> (..., k) falling, (..., n, k), (..., m, k), with k = min(n, m)"""
    u, s, vh = np.linalg.svd(x, full_matrices=False)
    return s, u, np.ascontiguousarray(vh.swapaxes(-1, -2))


@_svd.vjp()
def _(xp, g, wanted, out, x):
    # Townsend (2016), "Differentiating the singular value decomposition".
    (gs, gu, gv), (s, u, v) = g, out
    share = _off_diagonal_share(xp, s * s)
    row, column = xp.reshape(s, shape=(*s.shape[:-1], 1, s.shape[-1])), xp.reshape(s, shape=(*s.shape, 1))
    by_u = xp.matmul(_swapped(xp, u), gu)
    by_v = xp.matmul(_swapped(xp, v), gv)
    middle = share * (by_u - _swapped(xp, by_u)) * row + column * share * (by_v - _swapped(xp, by_v)) + xp.diag(gs)
    total = xp.matmul(xp.matmul(u, middle), _swapped(xp, v))
    if x.shape[-2] > u.shape[-1]:
        rest = (gu - xp.matmul(u, by_u)) / row
        total = total + xp.matmul(rest, _swapped(xp, v))
    if x.shape[-1] > v.shape[-1]:
        rest = (gv - xp.matmul(v, by_v)) / row
        total = total + xp.matmul(u, _swapped(xp, rest))
    return [total]


@primitive(name="singular_values")
def _singular_values(x):
    return np.linalg.svd(x, compute_uv=False)


@_singular_values.vjp("x")
def _(xp, g, out, x):
    _, u, v = xp.svd(x)
    return xp.matmul(u * xp.reshape(g, shape=(*g.shape[:-1], 1, g.shape[-1])), _swapped(xp, v))


# ------------------------------------------------------------------------------------------------ TensorFlow's names


def qr(input: Any, full_matrices: bool = False, name: str | None = None) -> tuple[Tensor, Tensor]:
    """q with orthonormal columns and the upper triangular r with q @ r = input, (..., n, m)."""
    x = _at_least(_floats(input), 2, "qr")
    if full_matrices and x.shape[-2] > x.shape[-1]:
        q, r = np.linalg.qr(_constant(x, "qr"), mode="complete")
        return Tensor(q), Tensor(r)
    return _qr(x)


def svd(tensor: Any, full_matrices: bool = False, compute_uv: bool = True, name: str | None = None) -> Any:
    """(s, u, v) with u @ diag(s) @ v.T = tensor, (..., n, m), and s falling; s alone without `compute_uv`."""
    x = _at_least(_floats(tensor), 2, "svd")
    if not compute_uv:
        return _singular_values(x)
    if full_matrices and x.shape[-2] != x.shape[-1]:
        u, s, vh = np.linalg.svd(_constant(x, "svd"))
        return Tensor(s), Tensor(u), Tensor(vh.swapaxes(-1, -2))
    return _svd(x)


def _constant(x: Tensor, op: str) -> Any:
    """The values of a Tensor that no tape may be following: what `full_matrices` adds is not a function of it."""
    x._leave(f"`{op}` with `full_matrices`, which has no gradient")
    return x._array


def eigh(tensor: Any, name: str | None = None) -> tuple[Tensor, Tensor]:
    """The rising eigenvalues and the eigenvectors, as columns, of symmetric matrices (..., n, n): their lower half."""
    return _eigh(_square(tensor, "eigh"))


def eigvalsh(tensor: Any, name: str | None = None) -> Tensor:
    """The rising eigenvalues of symmetric matrices (..., n, n), of which the lower half is looked at."""
    return eigh(tensor)[0]


def lu(input: Any, output_idx_type: Any = int32, name: str | None = None) -> tuple[Tensor, Tensor]:
    """Triangular factors in one matrix, and the permutation p with (lower @ upper)[i] = input[p[i]]. (..., n, n)

    The lower factor has ones on its diagonal, which the matrix does not hold. It has no gradient.
    """
    x = _square(input, "lu")
    packed = _constant(x, "lu").copy()
    n = packed.shape[-1]
    flat = packed.reshape(-1, n, n)
    order = np.tile(np.arange(n), (len(flat), 1))
    for matrix, rows in zip(flat, order, strict=True):
        for k in range(n):
            best = k + int(np.argmax(np.abs(matrix[k:, k])))
            if best != k:
                matrix[[k, best]], rows[[k, best]] = matrix[[best, k]], rows[[best, k]]
            if matrix[k, k] == 0.0:  # so is all below it
                continue
            matrix[k + 1 :, k] /= matrix[k, k]
            matrix[k + 1 :, k + 1 :] -= matrix[k + 1 :, k, None] * matrix[k, None, k + 1 :]
    return Tensor(flat.reshape(packed.shape)), Tensor(
        order.reshape(packed.shape[:-1]).astype(as_dtype(output_idx_type).dtype)
    )


def triangular_solve(
    matrix: Any, rhs: Any, lower: bool = True, adjoint: bool = False, name: str | None = None
) -> Tensor:
    """x with matrix @ x = rhs for triangular matrices: (..., n, n), (..., n, k) -> (..., n, k)."""
    x, y = _equations(matrix, rhs, "triangular_solve")
    if adjoint:
        x, lower = _swapped(ops, x), not lower
    return _linalg(_triangular_solve, x, y, lower=lower)


def cholesky_solve(chol: Any, rhs: Any, name: str | None = None) -> Tensor:
    """x with L @ L.T @ x = rhs for the L that `cholesky` gives: (..., n, n), (..., n, k) -> (..., n, k)."""
    return triangular_solve(chol, triangular_solve(chol, rhs), adjoint=True)


def _equations(matrix: Any, rhs: Any, op: str) -> tuple[Tensor, Tensor]:
    x, y = same_dtype(*operands(matrix, rhs))
    x, y = _at_least(_floats(x), 2, op), _at_least(_floats(y), 2, op)
    if x._array.shape[-2] != y._array.shape[-2]:
        raise ShapeError(f"`{op}` needs (..., n, m) and (..., n, k), received {x.shape} and {y.shape}.")
    return x, y


def lstsq(matrix: Any, rhs: Any, l2_regularizer: Any = 0.0, fast: bool = True, name: str | None = None) -> Tensor:
    """The x that minimizes |matrix @ x - rhs|² + l2_regularizer * |x|²: (..., n, m), (..., n, k) -> (..., m, k)."""
    x, y = _equations(matrix, rhs, "lstsq")
    rows, columns = x.shape[-2:]
    turned = _swapped(ops, x)
    if rows >= columns:
        gram = matmul(turned, x) + l2_regularizer * np.eye(columns, dtype=x._array.dtype)
        return solve(gram, matmul(turned, y))
    gram = matmul(x, turned) + l2_regularizer * np.eye(rows, dtype=x._array.dtype)
    return matmul(turned, solve(gram, y))


def pinv(a: Any, rcond: Any = None, validate_args: bool = False, name: str | None = None) -> Tensor:
    """The pseudo-inverse, (..., n, m) -> (..., m, n); singular values up to rcond times the largest count as 0."""
    x = _at_least(_floats(a), 2, "pinv")
    s, u, v = svd(x)
    if rcond is None:
        rcond = 10.0 * max(x.shape[-2:]) * float(np.finfo(x._array.dtype).eps)
    counts = greater(s, rcond * reduce_max(s, -1, True))
    inverse = where(counts, 1.0 / where(counts, s, ops.ones_like(s)), ops.zeros_like(s))
    return matmul(v * ops.reshape(inverse, shape=(*s.shape[:-1], 1, s.shape[-1])), u, transpose_b=True)


def matrix_rank(a: Any, tol: Any = None, validate_args: bool = False, name: str | None = None) -> Tensor:
    """How many singular values are greater than `tol`, by default the rounding errors of the largest. int32"""
    x = _at_least(_floats(a), 2, "matrix_rank")
    s = svd(x, compute_uv=False)
    if tol is None:
        tol = reduce_max(s, -1, True) * (max(x.shape[-2:]) * float(np.finfo(x._array.dtype).eps))
    return reduce_sum(cast(greater(s, tol), int32), -1)


def expm(input: Any, name: str | None = None) -> Tensor:
    """e ** matrix for square matrices, (..., n, n). Source: Higham (2005), scaling and squaring with a [7/7] Padé."""
    x = _square(input, "expm")
    size = float(np.max(np.abs(values_of(x)).sum(-1), initial=0.0))
    squarings = max(0, int(np.ceil(np.log2(size))) + 1) if size > 0.0 and np.isfinite(size) else 0
    x = x / 2.0**squarings
    identity = Tensor(np.broadcast_to(np.eye(x.shape[-1], dtype=x._array.dtype), tuple(x.shape)))
    power, even, odd = identity, identity * PADE[0], identity * PADE[1]
    squared = matmul(x, x)
    for place in range(2, len(PADE), 2):
        power = matmul(power, squared)
        even, odd = even + PADE[place] * power, odd + PADE[place + 1] * power
    odd = matmul(x, odd)
    out = solve(even - odd, even + odd)
    for _ in range(squarings):
        out = matmul(out, out)
    return out


PADE = (17297280.0, 8648640.0, 1995840.0, 277200.0, 25200.0, 1512.0, 56.0, 1.0)


def normalize(tensor: Any, ord: Any = "euclidean", axis: Any = None, name: str | None = None) -> tuple[Tensor, Tensor]:
    """`tensor` divided by its norm over `axis`, and the norm with its axes kept."""
    x = _floats(tensor)
    size = norm(x, ord, axis, keepdims=True)
    return x / size, size if axis is not None else ops.reshape(size, shape=(1,) * x.ndim)


def set_diag(input: Any, diagonal: Any, name: str = "set_diag") -> Tensor:
    """Matrices with their main diagonals replaced: (..., n, m), (..., min(n, m)) -> (..., n, m)."""
    x, new = same_dtype(*operands(input, diagonal))
    old = diag_part(x)
    if old.shape != new.shape:
        raise ShapeError(
            f"`diagonal` must have shape {old.shape} for matrices of shape {x.shape}, received {new.shape}."
        )
    return where(np.eye(*x.shape[-2:], dtype=bool), _widened(diag(new), x.shape), x)


def _widened(square: Tensor, shape: Any) -> Tensor:
    more = [shape[axis] - square.shape[axis] for axis in (-2, -1)]
    return ops.pad(square, paddings=((0, 0),) * (len(shape) - 2) + ((0, more[0]), (0, more[1])), value=0)


def tensor_diag(diagonal: Any, name: str | None = None) -> Tensor:
    """A Tensor of twice as many axes with `diagonal` where the two halves of an index agree, zeros elsewhere."""
    x = as_tensor(diagonal)
    return ops.reshape(diag(ops.reshape(x, shape=(-1,))), shape=tuple(x.shape) * 2)


def tensor_diag_part(input: Any, name: str | None = None) -> Tensor:
    """The elements at which the two halves of an index agree: the opposite of `tensor_diag`."""
    x = as_tensor(input)
    half = tuple(x.shape[: x.ndim // 2])
    if x.ndim % 2 or half != tuple(x.shape[x.ndim // 2 :]):
        raise ShapeError(f"`tensor_diag_part` needs the same axes twice, received shape {x.shape}.")
    size = int(np.prod(half, dtype=np.int64))
    return ops.reshape(diag_part(ops.reshape(x, shape=(size, size))), shape=half)
