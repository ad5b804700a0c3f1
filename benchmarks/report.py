"""What benchmarks do with their tables: print them under the versions, and keep them with `--write`."""

from __future__ import annotations

import argparse
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import minitrain as mt


def report(description: str | None, script: str, how: str, *tables: Callable[[], list[str]], also: Any = ()) -> None:
    """Print the tables, and keep them in the text beside the script with --write.

    `how`: what the first line says of the measurement. `also`: further packages whose versions it names.
    """
    path = Path(script).with_suffix(".txt")
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help=f"keep the result in benchmarks/{path.name}")
    options = parser.parse_args()
    versions = [("minitrain", mt.__version__), *also, ("NumPy", np.__version__), ("Python", platform.python_version())]
    head = f"{', '.join(' '.join(each) for each in versions)}; one BLAS thread; {how}"
    text = "\n\n".join([head, *("\n".join(table()) for table in tables)])
    print(text)
    if options.write:
        path.write_text(text + "\n")
