"""Keras's callbacks for `fit`, and a logger of JSON lines."""

from minitrain.training.callbacks import (
    Callback,
    CallbackList,
    EarlyStopping,
    LambdaCallback,
    LearningRateScheduler,
    ReduceLROnPlateau,
    SwapEMAWeights,
    TerminateOnNaN,
)
from minitrain.training.checkpoints import BackupAndRestore, ModelCheckpoint
from minitrain.training.loggers import CSVLogger, History, JSONLogger, TensorBoard
from minitrain.training.loggers import ProgressBar as ProgbarLogger

__all__ = [
    "BackupAndRestore",
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "JSONLogger",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "ProgbarLogger",
    "ReduceLROnPlateau",
    "SwapEMAWeights",
    "TensorBoard",
    "TerminateOnNaN",
]
