"""The data of the examples: California housing from scikit-learn, or its bundled diabetes data without it.

California housing is downloaded once by scikit-learn, 20,640 districts of the 1990 census: 8 numbers each, and the
median house value in units of 100,000 dollars.
"""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
from sklearn.datasets import fetch_california_housing, load_diabetes
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler


class Split(NamedTuple):
    """Scaled features and targets as float32: x (n, features), y (n, 1), for training, validation and test."""

    name: str
    feature_names: list[str]
    x_train: np.ndarray
    y_train: np.ndarray
    x_valid: np.ndarray
    y_valid: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray

    @property
    def is_california(self) -> bool:
        """Whether this is the real data, for which the examples know what to expect."""
        return self.name == "California housing"


def load_housing() -> Split:
    """California housing in the split of scikit-learn's guide, features scaled to mean 0 and deviation 1."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # scikit-learn warns of its second try; one line from us is enough
            data, name = fetch_california_housing(n_retries=1, delay=0.1), "California housing"
    except OSError as error:
        print(f"California housing is neither cached nor to be downloaded ({error}): going on with diabetes data.")
        data, name = load_diabetes(), "diabetes"
    target = data.target if name == "California housing" else data.target / 100.0
    x_full, x_test, y_full, y_test = train_test_split(data.data, target, random_state=42)
    x_train, x_valid, y_train, y_valid = train_test_split(x_full, y_full, random_state=42)
    scaler = StandardScaler().fit(x_train)
    features = [scaler.transform(each).astype("float32") for each in (x_train, x_valid, x_test)]
    targets = [each.astype("float32")[:, None] for each in (y_train, y_valid, y_test)]
    pairs = [each for pair in zip(features, targets, strict=True) for each in pair]
    return Split(name, list(data.feature_names), *pairs)
