"""Settings of the whole package: the default float type and the small number that protects divisions."""

from __future__ import annotations

from typing import Any

from minitrain.dtypes import DTypePolicy, as_dtype
from minitrain.engine.trail import Changes
from minitrain.errors import InvalidArgumentError

__all__ = ["dtype_policy", "epsilon", "floatx", "set_dtype_policy", "set_epsilon", "set_floatx"]

_settings: dict[str, object] = {"floatx": "float32", "epsilon": 1e-7, "policy": None}


def floatx() -> str:
    """The dtype of new layers' weights and of what models compute in: "float32" by default."""
    return str(_settings["floatx"])


def set_floatx(value: str) -> None:
    """Set the default float type: "float16", "float32" or "float64"."""
    dtype = as_dtype(value)
    if not dtype.is_floating:
        raise InvalidArgumentError(f"Expected 'float16', 'float32' or 'float64', received {value!r}.")
    _settings["floatx"] = dtype.name
    Changes.count += 1


def epsilon() -> float:
    """The small number that Keras adds to divisors and clips probabilities with: 1e-7 by default."""
    return float(_settings["epsilon"])  # type: ignore[arg-type]  # always a number


def set_epsilon(value: float) -> None:
    """Set the small number that protects divisions."""
    _settings["epsilon"] = float(value)
    Changes.count += 1


def dtype_policy() -> DTypePolicy:
    """The policy of new layers that are given none: that of `floatx` unless `set_dtype_policy` said otherwise."""
    return DTypePolicy(str(_settings["policy"] or floatx()))


def set_dtype_policy(policy: Any) -> None:
    """Set the policy of new layers: a `DTypePolicy`, or its name such as "float64"."""
    _settings["policy"] = policy.name if isinstance(policy, DTypePolicy) else DTypePolicy(policy).name
    Changes.count += 1
