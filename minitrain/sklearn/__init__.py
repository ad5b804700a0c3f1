"""Estimators with scikit-learn's contract: they pass its checks, and take tables as people have them.

Importing this needs scikit-learn; importing minitrain does not.
"""

try:
    import sklearn as _sklearn
except ImportError as error:
    raise ImportError("minitrain.sklearn needs scikit-learn: python -m pip install 'minitrain[sklearn]'") from error

from minitrain.sklearn.encoding import TableEncoder
from minitrain.sklearn.ensembles import EnsembleClassifier, EnsembleRegressor, cross_val_fit
from minitrain.sklearn.mlp import MLPClassifier, MLPRegressor
from minitrain.sklearn.uncertainty import ConformalRegressor, GaussianRegressor, QuantileRegressor
from minitrain.sklearn.wrappers import Classifier, Regressor, Transformer

__all__ = [
    "Classifier",
    "ConformalRegressor",
    "EnsembleClassifier",
    "EnsembleRegressor",
    "GaussianRegressor",
    "MLPClassifier",
    "MLPRegressor",
    "QuantileRegressor",
    "Regressor",
    "TableEncoder",
    "Transformer",
    "cross_val_fit",
]
