"""How sure is the network? Quantiles, a Gaussian's deviation and conformal intervals on California housing.

    python examples/uncertainty.py

Each gives an interval for every test value; what counts is the share of values inside, against the promised 90 %, and
how narrow the intervals are. Conformal intervals keep the promise whatever is inside.
"""

from __future__ import annotations

import warnings

import numpy as np
from housing import load_housing
from sklearn.exceptions import ConvergenceWarning

from minitrain.sklearn import ConformalRegressor, GaussianRegressor, MLPRegressor, QuantileRegressor

warnings.simplefilter("ignore", ConvergenceWarning)  # few epochs on purpose

COVERAGE = 0.9
NORMAL = 1.6449  # this many deviations on both sides of a Gaussian's mean hold 90 %


def main() -> None:
    data = load_housing()
    x = np.concatenate([data.x_train, data.x_valid])
    y = np.concatenate([data.y_train, data.y_valid])[:, 0]
    options = {"hidden_layer_sizes": (64, 64), "max_iter": 25, "learning_rate_init": 0.003, "random_state": 0}
    options["early_stopping"] = not data.is_california

    quantiles = QuantileRegressor((0.05, 0.5, 0.95), **options).fit(x, y).predict_quantiles(data.x_test)
    assert (np.diff(quantiles, axis=1) >= 0).all(), "quantiles must not cross"
    mean, deviation = GaussianRegressor(**options).fit(x, y).predict(data.x_test, return_std=True)
    found = {
        "quantiles": quantiles[:, [0, 2]],
        "Gaussian": np.column_stack([mean - NORMAL * deviation, mean + NORMAL * deviation]),
    }
    for name, inner in (
        ("conformal, around an MLPRegressor", MLPRegressor(**options)),
        ("conformal, around quantiles", QuantileRegressor((0.05, 0.95), **options)),
        ("conformal, around a Gaussian", GaussianRegressor(**options)),
    ):
        wrapped = ConformalRegressor(inner, coverage=COVERAGE, random_state=0).fit(x, y)
        found[name] = wrapped.predict_interval(data.x_test)

    print(f"{data.name}: {'':26s} share inside   mean width")
    shares = {}
    for name, interval in found.items():
        low, high = interval.T
        shares[name] = float(np.mean((low <= data.y_test[:, 0]) & (data.y_test[:, 0] <= high)))
        print(f"  {name:44s} {shares[name]:10.3f} {np.mean(high - low):12.3f}")

    room = 0.02 if data.is_california else 0.1
    for name, share in shares.items():
        assert abs(share - COVERAGE) < (room if name.startswith("conformal") else 0.1), name


if __name__ == "__main__":
    main()
