"""Settings of the whole package: the default float type and the small number that protects divisions."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, NamedTuple

from minitrain.dtypes import DTypePolicy, as_dtype
from minitrain.engine.program.function import Function
from minitrain.engine.trail import Changes
from minitrain.errors import InvalidArgumentError

__all__ = [
    "PhysicalDevice",
    "backend",
    "blas_threads",
    "disable_interactive_logging",
    "disable_traceback_filtering",
    "dtype_policy",
    "enable_interactive_logging",
    "enable_traceback_filtering",
    "epsilon",
    "experimental",
    "floatx",
    "functions_run_eagerly",
    "get_visible_devices",
    "image_data_format",
    "is_interactive_logging_enabled",
    "is_traceback_filtering_enabled",
    "list_physical_devices",
    "run_functions_eagerly",
    "set_blas_threads",
    "set_dtype_policy",
    "set_epsilon",
    "set_floatx",
    "set_visible_devices",
]

_settings: dict[str, object] = {
    "floatx": "float32",
    "epsilon": 1e-7,
    "policy": None,
    "threads": "auto",
    "interactive": True,
}


def backend() -> str:
    """What computes: "minitrain", which is none of Keras's backends."""
    return "minitrain"


def image_data_format() -> str:
    """Where layers expect the channels of images, unless their `data_format` says otherwise: "channels_last"."""
    return "channels_last"


def enable_traceback_filtering() -> None:
    """Nothing to do: tracebacks are Python's own."""


disable_traceback_filtering = enable_traceback_filtering


def is_traceback_filtering_enabled() -> bool:
    """Always False: tracebacks are Python's own."""
    return False


def enable_interactive_logging() -> None:
    """Let `fit` draw a bar an epoch by default, where it writes to a terminal."""
    _settings["interactive"] = True


def disable_interactive_logging() -> None:
    """Let `fit` write a line an epoch by default, as for a file."""
    _settings["interactive"] = False


def is_interactive_logging_enabled() -> bool:
    """Whether `fit` draws a bar an epoch by default, where it writes to a terminal."""
    return bool(_settings["interactive"])


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
    """Set the policy of new layers: a `DTypePolicy`, its name such as "float64", or None for that of `floatx` again."""
    _settings["policy"] = None if policy is None else DTypePolicy(getattr(policy, "name", policy)).name
    Changes.count += 1


def blas_threads() -> int | str | None:
    """How many threads BLAS has while a model trains: "auto" by default. See `set_blas_threads`."""
    return _settings["threads"]  # type: ignore[return-value]  # as it was set


def set_blas_threads(threads: int | str | None) -> None:
    """Set how many threads BLAS has while `fit` trains a model in the main thread, which needs threadpoolctl.

    "auto": one for models whose products are small, all for others. A number: as many. None: whatever BLAS has.
    """
    is_count = isinstance(threads, int) and not isinstance(threads, bool) and threads > 0
    if not (is_count or threads is None or threads == "auto"):
        raise InvalidArgumentError(f"`threads` must be a positive integer, 'auto' or None, received {threads!r}.")
    _settings["threads"] = threads


def run_functions_eagerly(run_eagerly: bool) -> None:
    """Let what `minitrain.function` has made run as the Python that it was made of, for debugging."""
    Function.runs_eagerly = bool(run_eagerly)


def functions_run_eagerly() -> bool:
    """Whether functions run as Python."""
    return Function.runs_eagerly


class PhysicalDevice(NamedTuple):
    """A device of the machine, as TensorFlow lists it."""

    name: str
    device_type: str


def list_physical_devices(device_type: str | None = None) -> list[PhysicalDevice]:
    """The CPU; no device of another type.

    >>> list_physical_devices("GPU")
    []
    """
    return [PhysicalDevice("/physical_device:CPU:0", "CPU")] if device_type in (None, "CPU") else []


get_visible_devices = list_physical_devices


def set_visible_devices(devices: Any, device_type: str | None = None) -> None:
    """Nothing to do: there is one device, and it stays visible."""


experimental = SimpleNamespace(  # TensorFlow's
    get_visible_devices=get_visible_devices,
    list_physical_devices=list_physical_devices,
    set_memory_growth=lambda device, enable: None,  # memory grows as it is needed
    set_visible_devices=set_visible_devices,
)
