"""Fixtures for all tests: no test may leave a tape open or numerics checking on; how many steps fleets have made."""

import os

os.environ.setdefault("SCIPY_ARRAY_API", "1")  # before SciPy is imported: else scikit-learn skips its check of arrays

import pytest

from minitrain.engine.program.program import Program
from minitrain.engine.trail import STATE


@pytest.fixture(autouse=True)
def no_open_tape():
    yield
    leaked = STATE.home, STATE.trail, STATE.checking
    STATE.home = STATE.trail = None
    STATE.checking = False
    assert leaked == (None, None, False), "the test left a tape open, or numerics checking on"


@pytest.fixture
def steps(monkeypatch):
    """How many steps programs of several models have made."""
    made = [0]
    real = Program.epoch

    def epoch(self, rows, tables):
        made[0] += len(rows) if rows.ndim == 3 else 0
        real(self, rows, tables)

    monkeypatch.setattr(Program, "epoch", epoch)
    return made
