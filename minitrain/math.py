"""`tf.math`: elementwise functions, reductions and the rest of mathematics, under TensorFlow's names."""

from minitrain.engine.symbolic import admit as _admit
from minitrain.ops.elementwise import (
    abs,
    acos,
    acosh,
    add,
    add_n,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    ceil,
    cos,
    cosh,
    divide,
    divide_no_nan,
    equal,
    exp,
    expm1,
    floor,
    floordiv,
    floormod,
    greater,
    greater_equal,
    is_finite,
    is_inf,
    is_nan,
    less,
    less_equal,
    log,
    log1p,
    log_sigmoid,
    logaddexp,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    maximum,
    minimum,
    multiply,
    multiply_no_nan,
    negative,
    not_equal,
    polyval,
    pow,
    reciprocal,
    reciprocal_no_nan,
    rint,
    round,
    rsqrt,
    scalar_mul,
    sigmoid,
    sign,
    sin,
    sinh,
    softplus,
    sqrt,
    square,
    squared_difference,
    subtract,
    tan,
    tanh,
    xdivy,
    xlog1py,
    xlogy,
)
from minitrain.ops.elementwise import add_n as accumulate_n
from minitrain.ops.indexing import (
    bincount,
    confusion_matrix,
    in_top_k,
    invert_permutation,
    top_k,
)
from minitrain.ops.keras_arrays import i0 as bessel_i0
from minitrain.ops.keras_arrays import i1 as bessel_i1
from minitrain.ops.keras_arrays import imag, nextafter, real
from minitrain.ops.neural import l2_normalize, log_softmax, softmax, softsign
from minitrain.ops.reduction import (
    argmax,
    argmin,
    count_nonzero,
    cumprod,
    cumsum,
    cumulative_logsumexp,
    is_non_decreasing,
    is_strictly_increasing,
    reduce_all,
    reduce_any,
    reduce_euclidean_norm,
    reduce_logsumexp,
    reduce_max,
    reduce_mean,
    reduce_min,
    reduce_prod,
    reduce_std,
    reduce_sum,
    reduce_variance,
    zero_fraction,
)
from minitrain.ops.segments import (
    segment_max,
    segment_mean,
    segment_min,
    segment_prod,
    segment_sum,
    unsorted_segment_max,
    unsorted_segment_mean,
    unsorted_segment_min,
    unsorted_segment_prod,
    unsorted_segment_sqrt_n,
    unsorted_segment_sum,
)
from minitrain.ops.special import digamma, erf, erfc, erfcinv, erfinv, lbeta, lgamma, ndtri, polygamma

mod = floormod
truediv = divide
conj = real

__all__ = [name for name in dir() if not name.startswith("_")]
_admit(globals(), "math.")
