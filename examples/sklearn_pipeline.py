"""A table as people have them in scikit-learn's tools: grid search, calibrated probabilities, permutation importance.

    python examples/sklearn_pipeline.py

The table is drawn here: customers, with numbers, missing values, text, a category of forty towns, dates and booleans.
Who leaves depends on age, plan, town and complaints, and neither on the date of joining nor on the reference.
"""

from __future__ import annotations

import warnings

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import ConvergenceWarning
from sklearn.inspection import permutation_importance
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, train_test_split

from minitrain.sklearn import MLPClassifier

warnings.simplefilter("ignore", ConvergenceWarning)  # few epochs on purpose


def customers(rows: int, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """A table of customers, and whether each has left: "left" or "stayed"."""
    rng = np.random.default_rng(seed)
    age = rng.uniform(18, 80, rows)
    plan = rng.choice(["basic", "family", "business"], rows, p=[0.5, 0.3, 0.2])
    town = rng.integers(0, 40, rows)
    pull = np.random.default_rng(1).normal(size=40)  # some towns have a competitor
    complaints = rng.poisson(1.0, rows)
    joined = np.datetime64("2015-01-01") + rng.integers(0, 3650, rows).astype("timedelta64[D]")
    score = -0.5 + 1.5 * pull[town] + 0.9 * complaints - 0.002 * (age - 45) ** 2
    score += np.where(plan == "business", -1.5, 0.3)
    left = rng.random(rows) < 1 / (1 + np.exp(-score))
    table = pd.DataFrame(
        {
            "age": np.where(rng.random(rows) < 0.1, np.nan, age),
            "plan": plan,
            "town": pd.Categorical([f"town {each}" for each in town]),
            "complaints": complaints,
            "joined": joined,
            "paperless": rng.random(rows) < 0.5,
            "reference": rng.lognormal(3, 2, rows),
        }
    )
    return table, np.where(left, "left", "stayed")


def main() -> None:
    table, y = customers(4000, 0)
    train, test, y_train, y_test = train_test_split(table, y, random_state=0, stratify=y)
    net = MLPClassifier(max_iter=20, learning_rate_init=0.01, batch_size=64, random_state=0)
    search = GridSearchCV(
        net,
        {"alpha": [0.01, 1.0], "hidden_layer_sizes": [(16,), (32, 16)]},
        scoring="neg_log_loss",
        cv=3,
        n_jobs=2,
    ).fit(train, y_train)
    print(f"grid search: {search.best_params_}, log loss {-search.best_score_:.4f} in cross-validation")

    calibrated = CalibratedClassifierCV(search.best_estimator_, cv=4).fit(train, y_train)
    before, after = (log_loss(y_test, each.predict_proba(test)) for each in (search, calibrated))
    share = [np.mean(y_test == each) for each in search.classes_]
    chance = -float(np.sum(share * np.log(share)))
    print(f"log loss on the test rows: {before:.4f}, calibrated {after:.4f}, without a model {chance:.4f}")

    found = permutation_importance(search.best_estimator_, test, y_test, n_repeats=5, random_state=0)
    order = np.argsort(found.importances_mean)
    names = table.columns[order]
    for name, value in zip(names[::-1], found.importances_mean[order][::-1], strict=True):
        print(f"  {name:12s} {value:7.4f}")
    figure, axes = plt.subplots(figsize=(6, 3), layout="constrained")
    axes.barh(names, found.importances_mean[order], xerr=found.importances_std[order])
    axes.set_xlabel("accuracy lost when the column is shuffled")
    figure.savefig("sklearn_pipeline.png")

    assert min(before, after) < chance - 0.1
    assert after < before + 0.01
    assert set(names[-2:]) == {"town", "complaints"}


if __name__ == "__main__":
    main()
