"""scikit-learn skips its check of array-API input unless SciPy was told of it before its import."""

import os
import sys

if "scipy" not in sys.modules:
    os.environ.setdefault("SCIPY_ARRAY_API", "1")
