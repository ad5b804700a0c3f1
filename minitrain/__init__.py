"""minitrain: a Keras-like training framework on a gradient tape, in Python on NumPy.

The names are TensorFlow's and Keras's: a script moves over with `import minitrain as tf` and
`from minitrain import keras`.
"""

import sys as _sys
import warnings as _warnings
from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

# Operations give infinities and NaNs in silence, as TensorFlow does; NumPy would warn from inside minitrain's own
# lines, where nobody can act on it. `debugging.enable_check_numerics` finds the first one.
_warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"minitrain\.")

from minitrain import (
    activations,
    autodiff,
    bitwise,
    compat,
    config,
    debugging,
    dtypes,
    errors,
    linalg,
    math,
    nest,
    nn,
    ops,
    random,
)
from minitrain.compat import (
    broadcast_dynamic_shape,
    broadcast_static_shape,
    contrib,
    control_dependencies,
    device,
    enable_eager_execution,
    executing_eagerly,
    get_logger,
    get_static_value,
    group,
    init_scope,
    inside_function,
    lin_space,
    name_scope,
    no_op,
    numpy_function,
    py_function,
    timestamp,
)
from minitrain.compat import print_ as print
from minitrain.compat import tuple_ as tuple
from minitrain.debugging import Assert, assert_equal, assert_greater, assert_less, assert_rank
from minitrain.dtypes import (
    DType,
    DTypePolicy,
    as_dtype,
    bool,
    double,
    float16,
    float32,
    float64,
    half,
    int8,
    int16,
    int32,
    int64,
    uint8,
    uint16,
    uint32,
    uint64,
)
from minitrain.engine.convert import constant, convert_to_tensor
from minitrain.engine.custom import custom_gradient, grad_pass_through, recompute_grad
from minitrain.engine.program.function import function
from minitrain.engine.shape import TensorShape
from minitrain.engine.slices import IndexedSlices
from minitrain.engine.spec import TensorSpec
from minitrain.engine.symbolic import KerasTensor
from minitrain.engine.symbolic import admit as _admit
from minitrain.engine.tape import GradientTape, UnconnectedGradients
from minitrain.engine.tensor import Tensor, is_tensor
from minitrain.engine.transforms import grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp
from minitrain.engine.variable import Variable, VariableAggregation, VariableSynchronization
from minitrain.module import Module
from minitrain.ops.control import (
    case,
    cond,
    ensure_shape,
    foldl,
    foldr,
    map_fn,
    scan,
    switch_case,
    vectorized_map,
    while_loop,
)
from minitrain.ops.creation import (
    eye,
    fill,
    linspace,
    one_hot,
    ones,
    ones_like,
    range,
    rank,
    shape,
    shape_n,
    size,
    zeros,
    zeros_like,
)
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
    cast,
    ceil,
    clip_by_value,
    cos,
    cosh,
    divide,
    equal,
    exp,
    expm1,
    floor,
    floordiv,
    floormod,
    greater,
    greater_equal,
    identity,
    identity_n,
    less,
    less_equal,
    log,
    log1p,
    logaddexp,
    logical_and,
    logical_not,
    logical_or,
    maximum,
    minimum,
    multiply,
    negative,
    not_equal,
    pow,
    reciprocal,
    round,
    rsqrt,
    saturate_cast,
    scalar_mul,
    sigmoid,
    sign,
    sin,
    sinh,
    sqrt,
    square,
    squared_difference,
    stop_gradient,
    subtract,
    tan,
    tanh,
    truncatediv,
    truncatemod,
    where,
)
from minitrain.ops.indexing import (
    argsort,
    boolean_mask,
    dynamic_partition,
    dynamic_stitch,
    gather,
    gather_nd,
    histogram_fixed_width,
    reverse_sequence,
    scatter_nd,
    searchsorted,
    sequence_mask,
    sort,
    strided_slice,
    tensor_scatter_nd_add,
    tensor_scatter_nd_sub,
    tensor_scatter_nd_update,
    unique,
    unique_with_counts,
    unravel_index,
)
from minitrain.ops.indexing import (
    slice_ as slice,
)
from minitrain.ops.linear import (
    einsum,
    matmul,
    tensordot,
)
from minitrain.ops.neural import (
    clip_by_global_norm,
    clip_by_norm,
    global_norm,
)
from minitrain.ops.reduction import (
    argmax,
    argmin,
    cumsum,
    norm,
    reduce_all,
    reduce_any,
    reduce_logsumexp,
    reduce_max,
    reduce_mean,
    reduce_min,
    reduce_prod,
    reduce_sum,
)
from minitrain.ops.segments import tensor_scatter_nd_max, tensor_scatter_nd_min
from minitrain.ops.shaping import (
    broadcast_to,
    concat,
    expand_dims,
    flip,
    meshgrid,
    pad,
    repeat,
    reshape,
    reverse,
    roll,
    split,
    squeeze,
    stack,
    tile,
    transpose,
    unstack,
)
from minitrain.ops.tensor_array import TensorArray

if _TYPE_CHECKING:  # for editors and type checkers: the rest of the names, which `_LATER` brings
    from minitrain import (
        backend,
        callbacks,
        constraints,
        data,
        dtype_policies,
        initializers,
        layers,
        losses,
        metrics,
        mixed_precision,
        models,
        optim,
        regularizers,
        saving,
        summary,
        test,
        testing,
        train,
        tree,
        utils,
    )
    from minitrain import optim as optimizers
    from minitrain.initializers import Initializer
    from minitrain.layers import Input, InputSpec, Layer
    from minitrain.losses import Loss
    from minitrain.metrics import Metric
    from minitrain.models import Model, Sequential, vectorize
    from minitrain.optim import Optimizer
    from minitrain.regularizers import Regularizer

    constant_initializer, ones_initializer = initializers.Constant, initializers.Ones
    random_normal_initializer, random_uniform_initializer = initializers.RandomNormal, initializers.RandomUniform
    zeros_initializer = initializers.Zeros

__version__ = "0.1.0"


def version() -> str:
    """The version of this package, as `keras.version()` gives that of Keras."""
    return __version__


# What stands above the operations is imported where it is first named, as `tf.keras` is: a tape does not wait for it.
_LATER = {
    **{
        name: name
        for name in (
            *("backend", "callbacks", "constraints", "data", "dtype_policies", "initializers", "layers", "losses"),
            *("metrics", "mixed_precision", "models", "optim", "regularizers", "saving", "summary", "test", "testing"),
            *("train", "tree", "utils"),
        )
    },
    "Initializer": "initializers.Initializer",
    "Input": "layers.Input",
    "InputSpec": "layers.InputSpec",
    "Layer": "layers.Layer",
    "Loss": "losses.Loss",
    "Metric": "metrics.Metric",
    "Model": "models.Model",
    "Optimizer": "optim.Optimizer",
    "Regularizer": "regularizers.Regularizer",
    "Sequential": "models.Sequential",
    "constant_initializer": "initializers.Constant",
    "ones_initializer": "initializers.Ones",
    "optimizers": "optim",
    "random_normal_initializer": "initializers.RandomNormal",
    "random_uniform_initializer": "initializers.RandomUniform",
    "vectorize": "models.vectorize",
    "zeros_initializer": "initializers.Zeros",
}

_admit(globals(), "")
newaxis = None
truediv = realdiv = divide
parallel_stack = stack
mod = floormod
compat.alias_package(f"{__name__}.keras", __name__)
compat.alias_package(f"{__name__}.optimizers", f"{__name__}.optim")
keras = _sys.modules[__name__]
compat.v1 = compat.v2 = keras
dtypes.cast, dtypes.saturate_cast = cast, saturate_cast  # type: ignore[attr-defined]  # TensorFlow has them there too
for _name in (  # keras.ops has these activations too
    *("celu", "glu", "hard_shrink", "hard_tanh", "soft_shrink", "sparse_plus", "sparse_sigmoid", "sparsemax"),
    *("squareplus", "tanh_shrink", "threshold"),
):
    setattr(ops, _name, getattr(activations, _name))

__all__ = sorted({*(name for name in dir() if not name.startswith("_")), *_LATER})


def __getattr__(name: str) -> _Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = _LATER[name].partition(".")
    found = _import_module(f"{__name__}.{module}")
    globals()[name] = found = getattr(found, attribute) if attribute else found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
