"""minitrain: a Keras-like training framework on a gradient tape, in Python on NumPy.

The names are TensorFlow's and Keras's: a script moves over with `import minitrain as tf` and
`from minitrain import keras`.
"""

import sys as _sys
import warnings as _warnings

# Operations give infinities and NaNs in silence, as TensorFlow does; NumPy would warn from inside minitrain's own
# lines, where nobody can act on it. `debugging.enable_check_numerics` finds the first one.
_warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"minitrain\.")

from minitrain import (
    activations,
    backend,
    callbacks,
    compat,
    config,
    constraints,
    data,
    debugging,
    dtypes,
    errors,
    initializers,
    layers,
    linalg,
    losses,
    math,
    metrics,
    models,
    nest,
    nn,
    ops,
    optim,
    random,
    regularizers,
    saving,
    testing,
    utils,
)
from minitrain.compat import contrib, enable_eager_execution, executing_eagerly, lin_space
from minitrain.dtypes import (
    DType,
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
from minitrain.engine.symbolic import KerasTensor
from minitrain.engine.symbolic import admit as _admit
from minitrain.engine.tape import GradientTape, UnconnectedGradients
from minitrain.engine.tensor import Tensor, is_tensor
from minitrain.engine.transforms import grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp
from minitrain.engine.variable import Variable
from minitrain.initializers import Initializer
from minitrain.layers import Input, Layer
from minitrain.losses import Loss
from minitrain.metrics import Metric
from minitrain.models import Model, Sequential
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
    where,
)
from minitrain.ops.indexing import (
    argsort,
    boolean_mask,
    gather,
    gather_nd,
    scatter_nd,
    searchsorted,
    sequence_mask,
    sort,
    tensor_scatter_nd_add,
    tensor_scatter_nd_sub,
    tensor_scatter_nd_update,
    unique,
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
from minitrain.optim import Optimizer
from minitrain.regularizers import Regularizer

__version__ = "0.1.0"

_admit(globals(), "")
newaxis = None
truediv = divide
mod = floormod
compat.alias_package(f"{__name__}.keras", __name__)
compat.alias_package(f"{__name__}.optimizers", f"{__name__}.optim")
keras = _sys.modules[__name__]
optimizers = optim

__all__ = [name for name in dir() if not name.startswith("_")]
