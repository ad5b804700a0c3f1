"""Every example runs from the first line to its own check, in a folder of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
SHARED = {"housing.py"}  # what the others import


@pytest.mark.parametrize("path", sorted(set(EXAMPLES.glob("*.py"))), ids=lambda path: path.stem)
def test_example_runs(path, tmp_path):
    if path.name in SHARED:
        compile(path.read_text(), path, "exec")
        return
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, path], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
