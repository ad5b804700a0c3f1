"""The table that `model.summary()` prints, and its form for notebooks."""

from __future__ import annotations

from typing import Any

import numpy as np

from minitrain import nest
from minitrain.errors import TapeError

UNITS = (("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10), ("B", 1))


class Summary:
    """The layers of a model, a row each: name and class, output shape, parameters, and where the input comes from."""

    def __init__(self, model: Any, expand_nested: bool, show_trainable: bool) -> None:
        self.model = model
        self.graph = model._graph
        self.is_branched = self.graph is not None and not _is_chain(self.graph)
        self.show_trainable = show_trainable
        self.heads = ["Layer (type)", "Output Shape", "Param #"]
        self.heads += ["Connected to"] * self.is_branched + ["Trainable"] * show_trainable
        self.rows: list[list[str]] = []
        self._add(model, expand_nested, "")

    def _add(self, model: Any, expand_nested: bool, indent: str) -> None:
        for layer in model.layers:
            row = [f"{indent}{layer.name} ({type(layer).__name__})", _shape_of(layer, model._graph), _count_of(layer)]
            if self.is_branched:
                row.append(self._sources(layer) or "-")
            if self.show_trainable:
                row.append("Y" if layer.trainable else "N")
            self.rows.append(row)
            if expand_nested and hasattr(layer, "layers"):
                self._add(layer, True, indent + "  ")

    def _sources(self, layer: Any) -> str:
        found = [_maker(tensor) for node in self.graph.nodes if node.operation is layer for tensor in node.inputs]
        return ", ".join(dict.fromkeys(found))

    def totals(self) -> list[str]:
        """The lines below the table: parameters and bytes, trainable, frozen, of the optimizer."""
        model = self.model
        optimizer = getattr(model, "optimizer", None)
        slots = optimizer.variables if optimizer is not None and optimizer.built else []
        lines = [
            _total("Total params", [*model.weights, *slots]),
            _total("Trainable params", model.trainable_weights),
            _total("Non-trainable params", model.non_trainable_weights),
        ]
        if slots:
            lines.append(_total("Optimizer params", slots))
        return lines

    def text(self, line_length: int | None = None) -> str:
        """Aligned columns in plain text."""
        table = [self.heads, *self.rows]
        widths = [max(len(row[at]) for row in table) for at in range(len(self.heads))]
        lines = [_line(row, widths) for row in table]
        rule = "-" * (line_length or max(map(len, lines)))
        return "\n".join([f'Model: "{self.model.name}"', rule, lines[0], rule, *lines[1:], rule, *self.totals()])

    def html(self) -> str:
        """A table of HTML, for notebooks."""
        from html import escape  # milliseconds that only notebooks need

        head = "".join(f"<th>{escape(each)}</th>" for each in self.heads)
        rows = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in self.rows)
        below = "<br>".join(map(escape, self.totals()))
        return f"<b>Model: {escape(self.model.name)}</b><table><tr>{head}</tr>{rows}</table>{below}"


def _line(row: list[str], widths: list[int]) -> str:
    cells = (_aligned(cell, width, at) for at, (cell, width) in enumerate(zip(row, widths, strict=True)))
    return "  ".join(cells).rstrip()


def _aligned(cell: str, width: int, column: int) -> str:
    return f"{cell:>{width}s}" if column == 2 else f"{cell:{width}s}"


def _is_chain(graph: Any) -> bool:
    """Whether each call takes what the one before made, so that it need not be said."""
    layers = [node.operation for node in graph.nodes]
    if len(graph.flat_inputs) != 1 or len({id(each) for each in layers}) != len(layers):
        return False
    before = graph.flat_inputs[0]
    for node in graph.nodes:
        if len(node.inputs) != 1 or node.inputs[0] is not before:
            return False
        before = node.outputs
    return True


def _maker(tensor: Any) -> str:
    operation = tensor.node.operation if tensor.node is not None else tensor
    return str(getattr(operation, "name", None) or getattr(operation, "__name__", "?"))


def _shape_of(layer: Any, graph: Any) -> str:
    drawn = () if graph is None else (node.outputs for node in graph.nodes if node.operation is layer)
    try:
        outputs = next(iter(drawn), None)  # a model of a class of one's own has an output only where it is called
        outputs = layer.output if outputs is None else outputs
        return str(nest.map_structure(lambda each: each.shape, outputs)).replace("'", "")
    except (TapeError, AttributeError):
        return _computed_shape(layer)


def _computed_shape(layer: Any) -> str:
    """The output's shape for inputs such as those that the layer was built for; "?" where that is not known."""
    built_for = vars(layer).get("_build_shape")
    if not isinstance(built_for, tuple) or not built_for or isinstance(built_for[0], (tuple, list)):
        return "?"
    try:
        return str(layer.compute_output_shape((None, *built_for[1:])))
    except Exception:  # a `call` of the user's may ask for more
        return "?"


def _count_of(layer: Any) -> str:
    return f"{sum(_size(each) for each in layer.weights):,}" if layer.built else "0 (unbuilt)"


def _size(variable: Any) -> int:
    return int(np.prod(variable.shape, dtype=np.int64))


def _total(name: str, variables: list[Any]) -> str:
    size = sum(_size(each) * each._peek().itemsize for each in variables)
    unit, scale = next(each for each in UNITS if size >= each[1] or each[1] == 1)
    return f" {name}: {sum(map(_size, variables)):,} ({size / scale:.2f} {unit})"
