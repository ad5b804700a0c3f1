"""What all benchmarks settle before NumPy is imported: one BLAS thread, and the kernels that suit the processor.

OPENBLAS_CORETYPE makes OpenBLAS take a processor for another one. Where somebody has set it, products may run at 60 %
of their speed (Haswell's on a processor with AVX-512), which no peer with a library of its own would share.
"""

from __future__ import annotations

import os

ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"), "1")
CHOSEN = "OPENBLAS_CORETYPE"


def pin() -> None:
    """Settle it for this process and those that it starts. Called before NumPy is imported."""
    os.environ.update(ONE_THREAD)
    os.environ.pop(CHOSEN, None)
