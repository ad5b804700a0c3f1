"""Training that was killed goes on from its backup as if nothing had happened: the short form of tests/resume.py."""

import runpy
from pathlib import Path

import pytest

DIFFERENCES = runpy.run_path(str(Path(__file__).parents[1] / "resume.py"))["differences"]


@pytest.mark.parametrize(("optimizer", "save_freq"), [("momentum", "epoch"), ("adam", 7)])
def test_training_that_is_killed_twice_ends_as_training_that_is_not(optimizer, save_freq):
    found, kills = DIFFERENCES(2, optimizer, save_freq)
    assert found == []
    assert kills > 0
