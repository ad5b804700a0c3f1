"""The state of a model as nested dicts: variables by the parts of their paths, as Keras gives them for checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minitrain.errors import InvalidArgumentError

FORMATS: dict[str, Callable[[Any], Any]] = {
    "backend_tensor": lambda variable: variable.read_value(),
    "numpy_array": lambda variable: np.asarray(variable.numpy()),
}


def kinds_of(model: Any) -> dict[str, Sequence[Any]]:
    """The variables of a model by what they are for."""
    optimizer = model.optimizer
    return {
        "trainable_variables": model.trainable_variables,
        "non_trainable_variables": model.non_trainable_variables,
        "optimizer_variables": [] if optimizer is None else optimizer.variables,
        "metrics_variables": model.metrics_variables,
    }


def state_tree(model: Any, value_format: str) -> dict[str, Any]:
    """The values of all variables of a model."""
    if value_format not in FORMATS:
        raise InvalidArgumentError(f"`value_format` must be one of {sorted(FORMATS)}, received {value_format!r}.")
    return {kind: _tree(variables, FORMATS[value_format]) for kind, variables in kinds_of(model).items()}


def _tree(variables: Sequence[Any], value_of: Callable[[Any], Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for variable in variables:
        *above, last = variable.path.split("/")
        held = tree
        for part in above:
            held = held.setdefault(part, {})
        if last in held:
            raise InvalidArgumentError(
                f"The following variable path is found twice in the model: '{variable.path}'. Give its layers or its "
                "weights names of their own."
            )
        held[last] = value_of(variable)
    return tree


def put_state_tree(model: Any, tree: dict[str, Any]) -> None:
    """Assign the values of a tree, or of the kinds of state that it holds, once all of them are known to fit."""
    kinds = kinds_of(model)
    unknown = [each for each in tree if each not in kinds]
    if unknown:
        raise InvalidArgumentError(f"A state tree holds {', '.join(kinds)}; received {', '.join(map(repr, unknown))}.")
    found = []
    for kind, part in tree.items():
        variables = {each.path: each for each in kinds[kind]}
        for path, value in _flat(part, ""):
            if path not in variables:
                raise InvalidArgumentError(
                    f"The state tree holds '{path}' among its {kind}; the model has {', '.join(variables) or 'none'}."
                )
            variable = variables[path]
            found.append((variable, variable._accept(np.asarray(value), "assign")))
    for variable, array in found:
        variable.assign(array)


def _flat(tree: Any, above: str) -> list[tuple[str, Any]]:
    if not isinstance(tree, dict):
        return [(above[:-1], tree)]
    return [leaf for key, part in tree.items() for leaf in _flat(part, f"{above}{key}/")]
