"""`keras.dtype_policies`: a policy for whatever stands for one."""

from __future__ import annotations

from typing import Any

from minitrain import config
from minitrain.dtypes import DTypePolicy, as_dtype

__all__ = ["DTypePolicy", "deserialize", "get", "serialize"]


def get(identifier: Any) -> DTypePolicy:
    """The policy that `identifier` stands for: None for that of new layers, a policy, a dtype, or a configuration."""
    if identifier is None:
        return config.dtype_policy()
    if isinstance(identifier, DTypePolicy):
        return identifier
    if isinstance(identifier, dict):
        return DTypePolicy.from_config(identifier.get("config", identifier))
    return DTypePolicy(identifier if isinstance(identifier, str) else as_dtype(identifier).name)


deserialize = get


def serialize(dtype_policy: DTypePolicy) -> dict[str, Any]:
    """The class name and configuration of a policy."""
    return {"class_name": "DTypePolicy", "config": dtype_policy.get_config()}
