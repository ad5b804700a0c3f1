"""The threads of BLAS while a model trains: one for small products, which cost more to share out than to compute.

It goes through threadpoolctl, where that is installed, and holds for the whole process. OpenBLAS listens to its main
thread alone: fits in other threads leave it as it is. `minitrain.config.set_blas_threads` says otherwise.
"""

from __future__ import annotations

import threading
from contextlib import nullcontext
from functools import cache
from typing import Any

from minitrain import config

SMALL = 1 << 20  # multiplications in the largest product of a step: below, one thread is as fast as two


@cache
def controller() -> Any:
    """What limits the threads of BLAS; None without threadpoolctl. Looking for the libraries takes milliseconds."""
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:
        return None
    return ThreadpoolController()


def threads_for(multiplications: float) -> Any:
    """Within this `with` block BLAS has the threads that are best for products of this size, or those that were set."""
    asked = config.blas_threads()
    wanted = asked if asked != "auto" else 1 if multiplications < SMALL else None
    if wanted is None or threading.current_thread() is not threading.main_thread() or controller() is None:
        return nullcontext()
    return controller().limit(limits=wanted, user_api="blas")
