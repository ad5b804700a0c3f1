"""`keras.backend`: what scripts still ask it for."""

from minitrain.config import epsilon, floatx, set_epsilon, set_floatx
from minitrain.layers.base import reset_names as clear_session

__all__ = ["clear_session", "epsilon", "floatx", "set_epsilon", "set_floatx"]
