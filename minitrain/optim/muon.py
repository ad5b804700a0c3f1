"""Muon: moves of matrices whose singular values are all near one. What is no hidden matrix moves by Adam."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from minitrain.engine.convert import as_tensor
from minitrain.engine.tensor import Tensor
from minitrain.engine.variable import Variable
from minitrain.errors import ShapeError
from minitrain.optim.base import REGISTRY, Optimizer, missing_mass, moving_average, moving_square


@REGISTRY.register()
class Muon(Optimizer):
    """w -= rate * rms_rate * sqrt(the longer side) * U V^T, where U S V^T is the momentum of g, (i, o).

    U V^T comes from `ns_steps` Newton-Schulz iterations with the coefficients `muon_a`, `muon_b` and `muon_c`;
    `rms_rate` of None leaves the factor out. By AdamW, at `adam_lr_ratio` times the rate and with `adam_weight_decay`,
    move variables that are no matrices, those with "embedding" in their path (`exclude_embeddings`) and those whose
    path one of the expressions `exclude_layers` is found in: name the output layer there.

    Sources: Jordan et al. (2024), "Muon: An optimizer for hidden layers in neural networks"; Liu et al. (2025), eq. 4.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        adam_beta_1: float = 0.9,
        adam_beta_2: float = 0.999,
        adam_weight_decay: float | None = 0.004,
        epsilon: float = 1e-7,
        weight_decay: float | None = 0.004,
        *,
        exclude_layers: Sequence[str] | None = None,
        exclude_embeddings: bool = True,
        muon_a: float = 3.4445,
        muon_b: float = -4.7750,
        muon_c: float = 2.0315,
        adam_lr_ratio: float = 1,
        momentum: float = 0.95,
        ns_steps: int = 5,
        nesterov: bool = True,
        rms_rate: float | None = 0.2,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, weight_decay=weight_decay, **kwargs)
        self.adam_beta_1 = adam_beta_1
        self.adam_beta_2 = adam_beta_2
        self.adam_weight_decay = adam_weight_decay
        self.epsilon = epsilon
        self.exclude_layers = list(exclude_layers or ())
        self.exclude_embeddings = exclude_embeddings
        self.muon_a = muon_a
        self.muon_b = muon_b
        self.muon_c = muon_c
        self.adam_lr_ratio = adam_lr_ratio
        self.momentum = momentum
        self.ns_steps = ns_steps
        self.nesterov = nesterov
        self.rms_rate = rms_rate
        self._momentums: list[Variable] = []
        self._velocities: list[Variable | None] = []  # of those that move by Adam

    def _should_use_adamw(self, variable: Variable) -> bool:
        path = variable.path
        return (
            len(variable.shape) != 2
            or (self.exclude_embeddings and "embedding" in path.lower())
            or any(re.search(each, path) for each in self.exclude_layers)
        )

    def build(self, variables: Iterable[Variable]) -> None:
        if self.built:
            return
        super().build(variables)
        for each in self._trainable_variables:
            self._momentums.append(self.add_variable_from_reference(each, "momentum"))
            by_adam = self._should_use_adamw(each)
            self._velocities.append(self.add_variable_from_reference(each, "velocity") if by_adam else None)

    def update_step(self, gradient: Tensor, variable: Variable, learning_rate: Tensor) -> None:
        place = self._get_variable_index(variable)
        w, g, m = variable._writable(), gradient._array, self._momentums[place]._writable()
        v, rate = self._velocities[place], float(learning_rate)
        if v is not None:
            self._adam(w, g, m, v._writable(), rate * self.adam_lr_ratio)
            return
        m *= self.momentum
        m += g
        move = np.asarray(
            self.zeropower_via_newtonschulz5(g + self.momentum * m if self.nesterov else m, self.ns_steps)
        )
        w -= move * (rate if self.rms_rate is None else rate * self.rms_rate * float(np.sqrt(max(w.shape))))

    def _adam(self, w: Any, g: Any, m: Any, v: Any, rate: float) -> None:
        step = self._step_number() + 1
        spare = np.empty_like(w)
        moving_average(m, g, self.adam_beta_1, spare)
        moving_square(v, g, self.adam_beta_2, spare)
        mass, square_mass = (missing_mass(beta, step, w.dtype) for beta in (self.adam_beta_1, self.adam_beta_2))
        w -= m * (w.dtype.type(rate) * np.sqrt(square_mass) / mass) / (np.sqrt(v) + self.epsilon)

    def zeropower_via_newtonschulz5(self, x: Any, steps: int) -> Tensor:
        """x, (..., i, o), with all singular values moved to about one: U S V^T becomes nearly U V^T."""
        x = as_tensor(x)._array
        if x.ndim < 2:
            raise ShapeError(f"Muon expects gradients of at least 2 axes, received shape {x.shape}.")
        is_tall = x.shape[-2] > x.shape[-1]
        x = np.swapaxes(x, -1, -2) if is_tall else x
        # The norm bounds the largest singular value, and the iteration needs those at most one; 1e-7 spares x = 0.
        x = x / (np.sqrt(np.sum(x * x, (-2, -1), keepdims=True)) + 1e-7)
        for _ in range(steps):
            square = x @ np.swapaxes(x, -1, -2)
            x = self.muon_a * x + (self.muon_b * square + self.muon_c * square @ square) @ x
        return Tensor(np.swapaxes(x, -1, -2) if is_tall else x)

    def _decay(self, group: list[int], w: Any, rate: float) -> None:
        (place,) = group  # nothing is packed
        variable = self._trainable_variables[place]
        weight_decay = self.adam_weight_decay if self._should_use_adamw(variable) else self.weight_decay
        if weight_decay is not None and self._decays(variable):
            w -= w * (weight_decay * rate)
