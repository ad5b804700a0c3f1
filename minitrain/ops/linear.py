"""Linear algebra: products and the decompositions that NumPy has. Matrices stand in the last two axes."""

from __future__ import annotations

import functools
from math import prod
from typing import Any, NamedTuple

import numpy as np

from minitrain.engine.convert import as_tensor, like, operands, same_dtype, tensors
from minitrain.engine.primitive import ops, primitive
from minitrain.engine.tensor import Tensor, TensorLike
from minitrain.errors import InvalidArgumentError, ShapeError
from minitrain.ops.axes import as_int, as_ints, one_axis
from minitrain.ops.elementwise import rectified, sigmoid
from minitrain.ops.reduction import _floats

# --------------------------------------------------------------------------------------------------------- products


@primitive(name="matmul")
def _matmul(x, y):
    """(..., n, i) @ (..., i, o) -> (..., n, o)"""
    if x.ndim == 2 and y.ndim == 2:
        return x.dot(y)  # 0.27 us against 0.75 for np.matmul on small matrices
    return np.matmul(x, y)


@_matmul.written()
def _(emitter, out, x, y):
    if x.ndim == 2 and y.ndim == 2:
        emitter.line(f"{emitter.method(x, 'dot')}({y}, {out})")
    else:
        emitter.line(f"{emitter.name(np.matmul)}({x}, {y}, {out})")


@_matmul.vjp("x")
def _(xp, g, out, x, y):
    return xp.matmul(g, xp.swapaxes(y, axis1=-1, axis2=-2))


@_matmul.vjp("y")
def _(xp, g, out, x, y):
    if len(y.shape) == 2 and len(x.shape) > 2 and len(g.shape) == len(x.shape):
        # One product over all rows instead of a stack of small ones to be summed.
        x = xp.reshape(x, shape=(-1, x.shape[-1]))
        g = xp.reshape(g, shape=(-1, g.shape[-1]))
    return xp.matmul(xp.swapaxes(x, axis1=-1, axis2=-2), g)


def matmul(
    a: Any,
    b: Any,
    transpose_a: bool = False,
    transpose_b: bool = False,
    adjoint_a: bool = False,
    adjoint_b: bool = False,
    name: str | None = None,
) -> Tensor:
    """The matrix product of the last two axes, batched over the others: (..., n, i), (..., i, o) -> (..., n, o).

    `transpose_a`, `transpose_b` (or the adjoint forms, the same for real numbers) exchange the last two axes first.
    A vector counts as one row on the left and one column on the right. Raises ShapeError where inner sizes differ.
    """
    x, y = operands(a, b)
    if x._array.dtype is not y._array.dtype:
        x, y = same_dtype(x, y)
    row, column = x._array.ndim == 1, y._array.ndim == 1
    if row:
        x = ops.reshape(x, shape=(1, -1))
    if column:
        y = ops.reshape(y, shape=(-1, 1))
    if not x._array.ndim or not y._array.ndim:
        raise ShapeError(f"'matmul' needs at least one axis on both sides, received {x.shape} and {y.shape}. Use *.")
    if transpose_a or adjoint_a:
        x = ops.swapaxes(x, axis1=-1, axis2=-2)
    if transpose_b or adjoint_b:
        y = ops.swapaxes(y, axis1=-1, axis2=-2)
    if x._array.shape[-1] != y._array.shape[-2]:
        raise ShapeError(
            f"Matrix size-incompatible: shapes {x._array.shape} and {y._array.shape}. The last axis of the first "
            f"({x._array.shape[-1]}) must equal the last but one of the second ({y._array.shape[-2]}): use "
            "transpose_a=True or transpose_b=True, or reshape."
        )
    out = _matmul(x, y)
    if row or column:
        *batch, rows, columns = out._array.shape
        out = ops.reshape(out, shape=(*batch, *(() if row else (rows,)), *(() if column else (columns,))))
    return out


def matvec(a: Any, b: Any, transpose_a: bool = False, adjoint_a: bool = False, name: str | None = None) -> Tensor:
    """Matrix times vector: (..., n, i), (..., i) -> (..., n)"""
    y = as_tensor(b)
    out = matmul(a, ops.reshape(y, shape=(*y._array.shape, 1)), transpose_a=transpose_a, adjoint_a=adjoint_a)
    return ops.reshape(out, shape=out._array.shape[:-1])


def tensordot(a: Any, b: Any, axes: Any = 2, name: str | None = None) -> Tensor:
    """The sum of products over pairs of axes: `axes` is their number, last of a with first of b, or two lists."""
    x, y = operands(a, b)
    n, m = x._array.ndim, y._array.ndim
    if np.ndim(axes) == 0:
        count = as_int(axes, "axes")
        if not 0 <= count <= min(n, m):
            raise InvalidArgumentError(f"`axes` must lie between 0 and {min(n, m)}, received {count}.")
        left, right = tuple(range(n - count, n)), tuple(range(count))
    else:
        first, second = axes
        left = tuple(one_axis(each, n) + n for each in as_ints(first, "axes"))
        right = tuple(one_axis(each, m) + m for each in as_ints(second, "axes"))
    xs, ys = x._array.shape, y._array.shape
    if len(left) != len(right) or any(xs[i] != ys[j] for i, j in zip(left, right, strict=True)):
        raise ShapeError(f"`axes` {axes} pair axes of different sizes in shapes {xs} and {ys}.")
    free_x = tuple(axis for axis in range(n) if axis not in left)
    free_y = tuple(axis for axis in range(m) if axis not in right)
    inner = prod(xs[axis] for axis in left)
    rows = ops.reshape(ops.transpose(x, perm=free_x + left), shape=(prod(xs[i] for i in free_x), inner))
    columns = ops.reshape(ops.transpose(y, perm=right + free_y), shape=(inner, prod(ys[i] for i in free_y)))
    out = matmul(rows, columns)
    return ops.reshape(out, shape=tuple(xs[i] for i in free_x) + tuple(ys[i] for i in free_y))


@primitive(name="einsum")
def _einsum(*xs, terms, result):
    """One letter an axis; `...` in all of them stands for leading axes that broadcast."""
    return np.einsum(",".join(terms) + "->" + result, *xs, optimize=len(xs) > 2)


@_einsum.vjp()
def _(xp, g, wanted, out, *xs, terms, result):
    grads: list[Any] = []
    for place, (x, term) in enumerate(zip(xs, terms, strict=True)):
        if not wanted[place]:
            grads.append(None)
            continue
        others = [other for at, other in enumerate(xs) if at != place]
        other_terms = [other for at, other in enumerate(terms) if at != place]
        # Leading axes, of batches and of stacked cotangents, go along as `...`; the engine sums what was broadcast.
        g_term = "..." + result.replace("...", "")
        known = set("".join([g_term, *other_terms]))
        letters = term.replace("...", "")
        present = "".join(letter for letter in letters if letter in known)
        grad = xp.einsum(g, *others, terms=(g_term, *other_terms), result="..." + present)
        if present != letters:  # summed out of x alone: the same cotangent for each of its elements
            lead = tuple(grad.shape[: len(grad.shape) - len(present)])
            sizes = dict(zip(letters, x.shape[len(x.shape) - len(letters) :], strict=True))
            ones = tuple(sizes[letter] if letter in known else 1 for letter in letters)
            grad = xp.broadcast_to(xp.reshape(grad, shape=lead + ones), shape=lead + tuple(sizes[k] for k in letters))
        grads.append(grad)
    return grads


def einsum(equation: str, *inputs: Any, name: str | None = None, **kwargs: Any) -> Tensor:
    """The sum of products that `equation` says, such as "bij,bjk->bik"; `...` stands for the axes that it names not.

    Raises InvalidArgumentError for an equation that does not fit the inputs, ShapeError for sizes that do not.
    """
    if isinstance(inputs[0] if inputs else None, (list, tuple)):
        inputs = tuple(inputs[0])
    xs = tensors(inputs)
    text = equation.replace(" ", "")
    given, arrow, result = text.partition("->")
    terms = given.split(",")
    if len(terms) != len(xs):
        raise InvalidArgumentError(f"`equation` {equation!r} has {len(terms)} terms, received {len(xs)} inputs.")
    letters = given.replace("...", "").replace(",", "")
    if not arrow:
        result = ("..." if "..." in given else "") + "".join(
            sorted(letter for letter in set(letters) if letters.count(letter) == 1)
        )
    for place, (x, term) in enumerate(zip(xs, terms, strict=True)):
        names = term.replace("...", "")
        if (len(names) != x._array.ndim) if "..." not in term else (len(names) > x._array.ndim):
            raise ShapeError(f"Term {term!r} of `equation` {equation!r} does not fit input {place} of shape {x.shape}.")
        if any(letter not in letters for letter in result.replace("...", "")):
            raise InvalidArgumentError(f"The result of `equation` {equation!r} names an axis that no term has.")
        xs[place], terms[place] = _diagonal(*_dots_first(x, term))
    _need_sizes(equation, xs, terms)
    before, dots, after = result.partition("...")
    out = _einsum(*xs, terms=tuple(terms), result=dots + before + after)
    if not before or not dots:
        return out
    lead = out._array.ndim - len(before + after)
    named = range(lead, lead + len(before))  # which stand before the axes of the dots
    return ops.transpose(out, perm=(*named, *range(lead), *range(lead + len(before), out._array.ndim)))


def _dots_first(x: Tensor, term: str) -> tuple[Tensor, str]:
    """The axes that `...` stands for put first, as the kernel and its gradient rule have them."""
    before, dots, after = term.partition("...")
    if not before or not dots:
        return x, term
    end = x._array.ndim - len(after)
    unnamed = range(len(before), end)
    return ops.transpose(x, perm=(*unnamed, *range(len(before)), *range(end, x._array.ndim))), dots + before + after


def _need_sizes(equation: str, xs: list[Tensor], terms: list[str]) -> None:
    """Raise ShapeError where a letter stands for axes of two sizes, of which NumPy would spread one of size 1."""
    sizes: dict[str, int] = {}
    for x, term in zip(xs, terms, strict=True):
        names = term.replace("...", "")
        for letter, size in zip(names, x._array.shape[x._array.ndim - len(names) :], strict=True):
            if sizes.setdefault(letter, size) != size:
                raise ShapeError(
                    f"Axis {letter!r} of `equation` {equation!r} is of size {sizes[letter]} and of size {size}: "
                    f"received shapes {', '.join(str(tuple(each.shape)) for each in xs)}."
                )


def _diagonal(x: Tensor, term: str) -> tuple[Tensor, str]:
    """A letter that stands twice in a term means the diagonal over both axes: taken first, so that rules need not."""
    names = term.replace("...", "")
    for letter in names:
        if names.count(letter) == 2:
            lead = x._array.ndim - len(names)
            at = [lead + place for place, each in enumerate(names) if each == letter]
            rest = [axis for axis in range(x._array.ndim) if axis not in at]
            x = diag_part(ops.transpose(x, perm=(*rest, *at)))
            names = names.replace(letter, "") + letter
            return _diagonal(x, ("..." if "..." in term else "") + names)
    return x, term


@primitive(name="column_sum")
def _column_sum(x):
    """(..., n, o) -> (..., o)"""
    if x.ndim == 2 and 0 < x.shape[0] <= LONGEST_DOT and x.dtype.itemsize > 2:
        return ones_of(x.shape[0], x.dtype).dot(x)  # 0.28 us against 1.15 for the sum over an axis of 32
    return np.add.reduce(x, axis=-2, dtype=x.dtype)


@_column_sum.vjp("x")
def _(xp, g, out, x):
    shape = (*g.shape[: len(g.shape) - len(out.shape)], *x.shape)
    return xp.broadcast_to(xp.reshape(g, shape=(*g.shape[:-1], 1, g.shape[-1])), shape=shape)


@_column_sum.written()
def _(emitter, out, x):
    if x.ndim == 2 and 0 < x.shape[0] <= LONGEST_DOT and x.dtype.itemsize > 2:
        ones = ones_of(x.shape[0], x.dtype)
        emitter.line(f"{emitter.name(ones.dot, 'sum')}({x}, {out})")
    else:
        emitter.line(f"{emitter.name(np.add.reduce, 'sum')}({x}, -2, {emitter.name(x.dtype, 'd')}, {out})")


LONGEST_DOT = 4096  # rows up to which a product with ones sums columns as exactly as the sum does


@functools.cache
def ones_of(count: int, dtype: np.dtype[Any]) -> Any:
    """A vector of ones that nobody writes to."""
    ones = np.ones(count, dtype)
    ones.flags.writeable = False
    return ones


@primitive(name="dense")
def _dense(x, kernel, bias, *, activation):
    """activation(x @ kernel + bias): (n, ..., i), (i, o), (o,) -> (n, ..., o)"""
    out = x.dot(kernel)
    out += bias
    return ACTIVATIONS[activation][0](out)


@_dense.written()
def _(emitter, out, x, kernel, bias, *, activation):
    emitter.line(f"{emitter.method(x, 'dot')}({kernel}, {out})")
    emit_bias(emitter, out, bias)
    if activation == "relu":
        emitter.line(f"{emitter.name(np.maximum)}({out}, {emitter.beside(0, out)}, out={out})")
    elif activation == "tanh":
        emitter.line(f"{emitter.name(np.tanh)}({out}, {out})")
    elif activation is not None:
        emitter.line(f"{emitter.name(np.copyto)}({out}, {emitter.name(ACTIVATIONS[activation][0])}({out}))")


def emit_bias(emitter: Any, out: Any, bias: Any) -> None:
    """out += bias, in the layout in which NumPy adds fastest: broadcasting short rows takes three times as long."""
    add = emitter.name(np.add)
    units = bias.shape[0]
    if units == 1 and bias.array is not None:
        bias = emitter.view(bias, lambda array: array.reshape(()), "")
    elif units <= SHORT_ROW and prod(out.shape) <= SHORT_ROW * SHORT_ROW:
        rows = emitter.scratch(out.shape, out.dtype)
        emitter.line(f"{emitter.name(np.copyto)}({rows}, {bias})")
        bias = rows
    emitter.line(f"{add}({out}, {bias}, {out})")


SHORT_ROW = 64  # elements


@_dense.vjp()
def _(xp, g, wanted, out, x, kernel, bias, *, activation):
    slope = ACTIVATIONS[activation][1]
    if slope is not None:
        g = slope(xp, g, out)
    grads: list[Any] = [None, None, None]
    if wanted[0]:
        grads[0] = xp.matmul(g, xp.swapaxes(kernel, axis1=0, axis2=1))
    if wanted[1]:
        rows, of = x, g
        if len(x.shape) > 2 and len(g.shape) == len(x.shape):
            rows = xp.reshape(x, shape=(-1, x.shape[-1]))
            of = xp.reshape(g, shape=(-1, g.shape[-1]))
        grads[1] = xp.matmul(xp.swapaxes(rows, axis1=-1, axis2=-2), of)
    if wanted[2]:
        if len(x.shape) == 2:
            grads[2] = xp.column_sum(g)
        else:
            grads[2] = xp.sum(g, axis=tuple(range(-len(x.shape), -1)), keepdims=False)
    return grads


def _relu_in_place(out: Any) -> Any:
    return rectified(out, out)


def _tanh_in_place(out: Any) -> Any:
    return np.tanh(out, out=out)


# For each activation that `dense` can take in: the function, in place on a fresh array, and the cotangent of its input
# from the cotangent and the value of its output.
ACTIVATIONS: dict[str | None, tuple[Any, Any]] = {
    None: (lambda out: out, None),
    "relu": (_relu_in_place, lambda xp, g, out: xp.pass_positive(g, out)),
    "sigmoid": (sigmoid.primitive.kernel, lambda xp, g, out: g * (out * (1.0 - out))),
    "tanh": (_tanh_in_place, lambda xp, g, out: g * (1.0 - out * out)),
}


def dense(x: Any, kernel: Any, bias: Any = None, activation: str | None = None, name: str | None = None) -> Tensor:
    """activation(x @ kernel + bias) as one fused operation: (..., i), (i, o), (o,) -> (..., o)

    `activation`: None, "relu", "sigmoid" or "tanh". Without a bias, zeros are added. Raises ShapeError where sizes
    do not fit.
    """
    if (
        type(x) is Tensor
        and isinstance(kernel, TensorLike)
        and isinstance(bias, TensorLike)
        and activation in ACTIVATIONS
    ):  # the usual case, and nothing to convert
        w, b = kernel._read(), bias._read()
        array, matrix, vector = x._array, w._array, b._array
        if (
            array.ndim > 1
            and matrix.ndim == 2
            and array.shape[-1] == matrix.shape[0]
            and vector.shape == matrix.shape[1:]
            and array.dtype is matrix.dtype is vector.dtype
        ):
            return _dense(x, w, b, activation=activation)
    if activation not in ACTIVATIONS:
        known = ", ".join(repr(each) for each in ACTIVATIONS)
        raise InvalidArgumentError(f"`activation` of `dense` must be one of {known}, received {activation!r}.")
    w = _floats(kernel)
    b = Tensor(np.zeros(w._array.shape[-1:], w._array.dtype)) if bias is None else as_tensor(bias)
    x, w = operands(x, w)
    if not (x._array.dtype is w._array.dtype is b._array.dtype):
        x, w = same_dtype(x, w)
        x, b = same_dtype(x, b)
        x, w = same_dtype(x, w)
    shape, of = x._array.shape, w._array.shape
    if len(of) != 2 or not shape or shape[-1] != of[0] or b._array.shape != of[1:]:
        raise ShapeError(
            f"`dense` needs x (..., i), kernel (i, o) and bias (o,), received {shape}, {of} and {b._array.shape}."
        )
    if len(shape) == 1:
        return ops.reshape(_dense(ops.reshape(x, shape=(1, -1)), w, b, activation=activation), shape=of[1:])
    return _dense(x, w, b, activation=activation)


# -------------------------------------------------------------------------------------------------------- diagonals


@primitive(name="diag")
def _diag(x):
    """(..., n) -> (..., n, n)"""
    n = x.shape[-1]
    out = np.zeros((*x.shape, n), x.dtype)
    out[..., np.arange(n), np.arange(n)] = x
    return out


@_diag.vjp("x")
def _(xp, g, out, x):
    return xp.diag_part(g)


@primitive(name="diag_part")
def _diag_part(x):
    """(..., n, m) -> (..., min(n, m))"""
    return np.diagonal(x, axis1=-2, axis2=-1).copy()


@_diag_part.vjp("x")
def _(xp, g, out, x):
    square = xp.diag(g)
    rows, columns = x.shape[-2] - out.shape[-1], x.shape[-1] - out.shape[-1]
    if rows or columns:
        lead = ((0, 0),) * (len(square.shape) - 2)
        square = xp.pad(square, paddings=(*lead, (0, rows), (0, columns)), value=0)
    return square


@primitive(name="band_part")
def _band_part(x, *, lower, upper):
    rows, columns = np.arange(x.shape[-2])[:, None], np.arange(x.shape[-1])[None, :]
    inside = ((lower < 0) | (rows - columns <= lower)) & ((upper < 0) | (columns - rows <= upper))
    return np.where(inside, x, np.zeros_like(x))


@_band_part.vjp("x")
def _(xp, g, out, x, *, lower, upper):
    return xp.band_part(g, lower=lower, upper=upper)


def diag(
    diagonal: Any, name: str = "diag", k: Any = 0, num_rows: Any = -1, num_cols: Any = -1, padding_value: Any = 0
) -> Tensor:
    """Matrices with the given k-th diagonals and `padding_value` elsewhere. (..., n) -> (..., n + |k|, n + |k|)

    `num_rows`, `num_cols`: sizes of their own; where one is given the other is the least that holds the diagonal.
    """
    x = _at_least(diagonal, 1, "diag")
    below, above = _sides(k)
    n = x._array.shape[-1]
    if (below, above, num_rows, num_cols, padding_value) == (0, 0, -1, -1, 0):
        return _diag(x)
    square = num_rows == num_cols == -1
    rows = n + (below + above if square else below) if num_rows == -1 else as_int(num_rows, "num_rows")
    columns = n + (below + above if square else above) if num_cols == -1 else as_int(num_cols, "num_cols")
    if rows < n + below or columns < n + above:
        raise ShapeError(f"A {rows} by {columns} matrix does not hold {n} elements on diagonal {k}.")
    around = ((below, rows - n - below), (above, columns - n - above))
    out = ops.pad(_diag(x), paddings=((0, 0),) * (x._array.ndim - 1) + around, value=0)
    return (
        out
        if padding_value == 0
        else ops.where(np.eye(rows, columns, above - below, bool), out, like(padding_value, out._array.dtype))
    )


def diag_part(input: Any, name: str = "diag_part", k: Any = 0) -> Tensor:
    """The k-th diagonals of matrices, the main ones by default. (..., n, m) -> (..., min(n, m))"""
    x = _at_least(input, 2, "diag_part")
    below, above = _sides(k)
    return _diag_part(x[..., below:, above:] if below or above else x)


def _sides(k: Any) -> tuple[int, int]:
    """How far the k-th diagonal stands below and to the right of the corner."""
    k = as_int(k, "k")
    return max(-k, 0), max(k, 0)


def trace(x: Any, name: str | None = None) -> Tensor:
    """The sums of the main diagonals of matrices. (..., n, m) -> (...)"""
    return ops.sum(diag_part(x), axis=(-1,), keepdims=False)


def band_part(input: Any, num_lower: Any, num_upper: Any, name: str | None = None) -> Tensor:
    """Matrices with zeros beyond `num_lower` diagonals below and `num_upper` above the main one; negative: keep all."""
    x = _at_least(input, 2, "band_part")
    return _band_part(x, lower=as_int(num_lower, "num_lower"), upper=as_int(num_upper, "num_upper"))


# ---------------------------------------------------------------------------------------------------- decompositions


def _swapped(xp: Any, x: Any) -> Any:
    return xp.swapaxes(x, axis1=-1, axis2=-2)


@primitive(name="inv")
def _inv(x):
    return np.linalg.inv(x)


@_inv.vjp("x")
def _(xp, g, out, x):
    back = _swapped(xp, out)
    return -xp.matmul(xp.matmul(back, g), back)


@primitive(name="solve")
def _solve(x, y):
    """x @ out = y: (..., n, n), (..., n, k) -> (..., n, k)"""
    return np.linalg.solve(x, y)


@_solve.vjp("x")
def _(xp, g, out, x, y):
    return -xp.matmul(xp.solve(_swapped(xp, x), g), _swapped(xp, out))


@_solve.vjp("y")
def _(xp, g, out, x, y):
    return xp.solve(_swapped(xp, x), g)


@primitive(name="det")
def _det(x):
    return np.linalg.det(x)


@_det.vjp("x")
def _(xp, g, out, x):
    scale = xp.reshape(g * out, shape=(*g.shape, 1, 1))
    return scale * _swapped(xp, xp.inv(x))


@primitive(name="sign_det")
def _sign_det(x):
    return np.linalg.slogdet(x).sign


@primitive(name="log_abs_det")
def _log_abs_det(x):
    return np.linalg.slogdet(x).logabsdet


@_log_abs_det.vjp("x")
def _(xp, g, out, x):
    return xp.reshape(g, shape=(*g.shape, 1, 1)) * _swapped(xp, xp.inv(x))


@primitive(name="cholesky")
def _cholesky(x):
    return np.linalg.cholesky(x)


@_cholesky.vjp("x")
def _(xp, g, out, x):
    # Murray (2016), "Differentiation of the Cholesky decomposition", eq. 10.
    back = xp.inv(out)
    inner = xp.band_part(xp.matmul(_swapped(xp, out), g), lower=-1, upper=0)
    half = inner - 0.5 * xp.band_part(inner, lower=0, upper=0)
    middle = xp.matmul(_swapped(xp, back), xp.matmul(half, back))
    return 0.5 * (middle + _swapped(xp, middle))


def inv(input: Any, adjoint: bool = False, name: str | None = None) -> Tensor:
    """The inverses of square matrices, (..., n, n). Raises InvalidArgumentError where one is singular."""
    x = _square(input, "inv")
    return _linalg(_inv, _swapped(ops, x) if adjoint else x)


def solve(matrix: Any, rhs: Any, adjoint: bool = False, name: str | None = None) -> Tensor:
    """x with matrix @ x = rhs: (..., n, n), (..., n, k) -> (..., n, k). Raises where a matrix is singular."""
    x, y = operands(matrix, rhs)
    x, y = same_dtype(x, y)
    x, y = _square(x, "solve"), _at_least(_floats(y), 2, "solve")
    if x._array.shape[-1] != y._array.shape[-2]:
        raise ShapeError(f"`solve` needs (..., n, n) and (..., n, k), received {x.shape} and {y.shape}.")
    return _linalg(_solve, _swapped(ops, x) if adjoint else x, y)


def det(input: Any, name: str | None = None) -> Tensor:
    """The determinants of square matrices. (..., n, n) -> (...)"""
    return _det(_square(input, "det"))


class LogMatrixDeterminant(NamedTuple):
    """What `slogdet` gives."""

    sign: Tensor
    log_abs_determinant: Tensor


def slogdet(input: Any, name: str | None = None) -> tuple[Tensor, Tensor]:
    """The sign and the logarithm of the absolute value of determinants. (..., n, n) -> (...), (...)"""
    x = _square(input, "slogdet")
    return LogMatrixDeterminant(_sign_det(x), _log_abs_det(x))


def logdet(matrix: Any, name: str | None = None) -> Tensor:
    """The logarithm of the determinants of positive definite matrices. (..., n, n) -> (...)"""
    return 2.0 * ops.sum(ops.log(diag_part(cholesky(matrix))), axis=(-1,), keepdims=False)


def cholesky(input: Any, name: str | None = None) -> Tensor:
    """The lower triangular L with L @ L.T = input, (..., n, n). Raises where it is not positive definite."""
    return _linalg(_cholesky, _square(input, "cholesky"))


def _linalg(op: Any, *xs: Tensor, **params: Any) -> Tensor:
    try:
        return op(*xs, **params)
    except np.linalg.LinAlgError as error:
        raise InvalidArgumentError(f"`{op.__name__}` failed for shape {xs[0]._array.shape}: {error}.") from error


def _at_least(value: Any, ndim: int, op: str) -> Tensor:
    x = as_tensor(value)
    if x._array.ndim < ndim:
        raise ShapeError(f"`{op}` needs at least {ndim} dimension(s), received shape {x._array.shape}.")
    return x


def _square(value: Any, op: str) -> Tensor:
    x = _at_least(_floats(value), 2, op)
    if x._array.shape[-1] != x._array.shape[-2]:
        raise ShapeError(f"`{op}` needs square matrices (..., n, n), received shape {x._array.shape}.")
    return x
