"""`keras.mixed_precision`: the names of policies. Weights and computation share one dtype, so that none is mixed."""

from minitrain.config import dtype_policy, set_dtype_policy
from minitrain.dtypes import DTypePolicy

Policy = DTypePolicy
global_policy = dtype_policy
set_global_policy = set_dtype_policy

__all__ = ["DTypePolicy", "Policy", "dtype_policy", "global_policy", "set_dtype_policy", "set_global_policy"]
