"""Estimators with scikit-learn's contract: they pass its checks, and take tables as people have them.

Importing this needs scikit-learn; importing minitrain does not.
"""

from minitrain.sklearn.encoding import TableEncoder
from minitrain.sklearn.mlp import MLPClassifier, MLPRegressor
from minitrain.sklearn.uncertainty import ConformalRegressor, GaussianRegressor, QuantileRegressor
from minitrain.sklearn.wrappers import Classifier, Regressor, Transformer

__all__ = [
    "Classifier",
    "ConformalRegressor",
    "GaussianRegressor",
    "MLPClassifier",
    "MLPRegressor",
    "QuantileRegressor",
    "Regressor",
    "TableEncoder",
    "Transformer",
]
