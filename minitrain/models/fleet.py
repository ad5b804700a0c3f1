"""Fleets: several small models of one architecture, such as seeds, folds or learning rates, trained at once.

Small models cost calls, not arithmetic. A fleet records each model's step as `fit` does, stacks the recordings, and
runs one program over batched products. Each model sees the batches of a `fit` of its own, in an order of its own, and
ends with its weights, its optimizer's state, its metrics and callbacks as if it had been trained alone. What cannot
be stacked is done model by model.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np

from minitrain import nest
from minitrain.engine.program.program import Program, optimized
from minitrain.engine.program.stack import CannotStack, Stack, stacked
from minitrain.engine.program.trace import Trace
from minitrain.errors import DTypeError, InvalidArgumentError
from minitrain.models.model import Model
from minitrain.models.trainer import Results
from minitrain.ops import stacked as _rules  # noqa: F401  # imported for what it tells the operations
from minitrain.ops.random import Generator, get_global_generator, set_global_generator
from minitrain.training.callbacks import Backup, CallbackList
from minitrain.training.data import Batch, Table, is_table, need_count
from minitrain.training.loggers import History
from minitrain.training.threads import threads_for


class Member:
    """A model of a fleet while it trains: which rows are its own, in which order, and who listens."""

    def __init__(self, model: Model, rows: Any, held_rows: Any, stream: Any, hooks: CallbackList) -> None:
        self.model = model
        self.rows = rows
        self.held_rows = held_rows  # for validation
        self.stream = stream  # that the order of each epoch is drawn from
        self.hooks = hooks
        self.logs: Results = {}

    def order(self, shuffle: bool) -> Any:
        """The numbers of its rows in the order of an epoch."""
        return self.rows[self.stream.permutation(len(self.rows))] if shuffle else self.rows

    def step(self, kind: str, batch: Batch) -> None:
        """Train or test on a batch, alone."""
        model = self.model
        model._steps.run(model, kind, model._train_on if kind == "train" else model._test_on, batch, patience=0)

    def can_join(self, kind: str) -> bool:
        """Whether its steps may be one with those of others: they are minitrain's own, and nobody looks at batches."""
        model = self.model
        own = type(model).train_step if kind == "train" else type(model).test_step
        plain = Model.train_step if kind == "train" else Model.test_step
        return (
            own is plain
            and not model._computes_own_metrics()
            and not self.hooks.looks_at_batches(kind)
            and not (kind == "train" and model.stop_training)
            and model._can_replay()
        )


class Group:
    """Members that take equally many steps an epoch, so that their optimizers stay at one step: they can be stacked."""

    def __init__(self, members: list[Member]) -> None:
        self.members = members
        self.stack = Stack()
        self._programs: dict[Any, tuple[list[Trace], Program | None]] = {}
        self._options: list[Any] = []

    def train(self, table: Table, epoch: int) -> None:
        """One epoch of training, hooks included, but for what comes after validation."""
        for each in self.members:
            each.model.reset_metrics()
            each.hooks.call("on_epoch_begin", epoch, {})
        self._follow_options()
        orders = [each.order(table.shuffle) for each in self.members]
        if self._can_join("train", table):
            self._pass("train", table, orders)
            for each in self.members:
                each.logs = each.model.get_metrics_result()
        else:
            for each, order in zip(self.members, orders, strict=True):
                each.logs = each.model._train_epoch(_batches(table, order), each.hooks, epoch, 0)

    def _follow_options(self) -> None:
        """Stack anew where a callback has set an option of an optimizer, or moved one to another step than others."""
        optimizers = [each.model.optimizer for each in self.members]
        are_at_one_step = len({int(each._iterations._peek()) for each in optimizers}) == 1
        options = [are_at_one_step, *((each, each._version) for each in optimizers)]
        if options != self._options:
            self.stack.store()
            self.stack, self._programs, self._options = Stack(), {}, options

    def test(self, table: Table) -> None:
        """One pass of validation, whose results go to those of training."""
        if self._can_join("test", table):
            self._store_for("on_test_begin")
            for each in self.members:
                each.model.reset_metrics()
                each.hooks.call("on_test_begin", {})
            self._pass("test", table, [each.held_rows for each in self.members])
            results = [each.model.get_metrics_result() for each in self.members]
            self._store_for("on_test_end")
            for each, found in zip(self.members, results, strict=True):
                each.hooks.call("on_test_end", found)
        else:
            self.stack.store()
            results = [
                each.model._test_epoch(_batches(table, each.held_rows), None, each.hooks) for each in self.members
            ]
        for each, found in zip(self.members, results, strict=True):
            each.logs |= {f"val_{name}": value for name, value in found.items()}

    def _store_for(self, hook: str) -> None:
        """Give the models their values where a callback may look at them, or change them."""
        if any(each.hooks.looks_at(hook) for each in self.members):
            self.stack.store()

    def _can_join(self, kind: str, table: Table) -> bool:
        arrays = all(type(part) is np.ndarray for part in table.parts)
        return arrays and all(each.can_join(kind) for each in self.members)

    def _pass(self, kind: str, table: Table, orders: list[Any]) -> None:
        """One pass over the rows of each member: at once while all have a batch of one size, else one by one."""
        size = table.batch_size
        full = min(len(each) for each in orders) // size
        self._advance(kind, table, [each[: full * size] for each in orders], size)
        rest = [each[full * size :] for each in orders]
        if len({len(each) for each in rest}) == 1:
            self._advance(kind, table, rest, len(rest[0]))
            return
        self.stack.store()
        for member, order in zip(self.members, rest, strict=True):
            for batch in _batches(table, order):
                member.step(kind, batch)

    def _advance(self, kind: str, table: Table, orders: list[Any], size: int) -> None:
        """Do the steps on batches of a size that all members have, at once when each has shown what it does."""
        if not size:
            return
        rows = np.stack(orders).reshape(len(orders), -1, size).swapaxes(0, 1)
        for place, at in enumerate(rows):
            program = self._program(kind, table, size)
            if program is not None:
                self.stack.load()
                with program.lock:
                    program.begin()
                    try:
                        program.epoch(np.ascontiguousarray(rows[place:]), table.parts)
                    finally:
                        program.end()
                return
            self.stack.store()
            for member, own in zip(self.members, at, strict=True):
                member.step(kind, table.batch(own))

    def _program(self, kind: str, table: Table, size: int) -> Program | None:
        """The program of a step of all members; None while one has not recorded it, and where it cannot be."""
        traces = [each.model._steps.trace_of(kind, table.batch(slice(0, size))) for each in self.members]
        if not all(each.is_ready for each in traces):
            return None
        known = self._programs.get((kind, size))
        if known is None or known[0] != traces:
            self.stack.store()
            try:
                recording = optimized(stacked([each.recording for each in traces], self.stack))  # type: ignore[misc]
                program: Program | None = Program(recording, static_inputs=True)
            except CannotStack as error:
                if len(self.members) > 1:
                    warnings.warn(f"The models train one by one. {error}", stacklevel=6)
                program = None
            known = self._programs[kind, size] = traces, program
        return known[1]


def groups_of(members: list[Member], size: int) -> list[Group]:
    """Members by the number of their steps an epoch."""
    found: dict[int, list[Member]] = {}
    for each in members:
        found.setdefault(-(-len(each.rows) // size), []).append(each)
    return [Group(each) for each in found.values()]


class Fleet:
    """Several compiled models that train at once. See `vectorize`."""

    def __init__(self, models: Sequence[Model]) -> None:
        self.models = list(models)
        for each in self.models:
            if not isinstance(each, Model):
                raise DTypeError(f"`models` must be a list of Models, received {each!r}.")
            each._need_compiled("fit")
        for what in (self.models, [each.optimizer for each in self.models]):
            if not what or len({id(each) for each in what}) < len(what):
                raise InvalidArgumentError(
                    "`models` must be models of their own, each compiled with its own optimizer."
                )

    def fit(
        self,
        x: Any,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        callbacks: Callable[[int], Any] | None = None,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: dict[int, float] | None = None,
        sample_weight: Any = None,
        rows: Sequence[Any] | None = None,
        validation_rows: Sequence[Any] | None = None,
        seeds: Sequence[int] | None = None,
    ) -> list[History]:
        """Train all models on the same data, or on rows of it, and give their Histories.

        As `Model.fit`, in silence, for arrays held whole. `rows`: for each model the numbers of the rows that it trains
        on, such as those of a fold; `validation_rows`: of the rows of `validation_data`, or of `x` without it, that
        validate it.
        `callbacks`: a function that makes a model's callbacks from its number. `seeds`: a number for each model, from
        which the order of its rows is drawn: a fit of that model alone after `utils.set_random_seed` of it is the same
        to rounding.

        Raises as `Model.fit` does, and InvalidArgumentError for rows that are not there.
        """
        need_count(epochs, "epochs")
        if callbacks is not None and not callable(callbacks):
            raise DTypeError(
                "`callbacks` must be a function that makes a model's callbacks from its number, such as "
                f"`lambda place: [EarlyStopping()]`, received {type(callbacks).__name__}."
            )
        table = self._table(x, y, sample_weight, batch_size, shuffle)
        held = None
        if validation_data is not None:
            if not isinstance(validation_data, (tuple, list)) or len(validation_data) > 3:
                raise InvalidArgumentError("`validation_data` must be (x, y) or (x, y, sample_weight).")
            held = self._table(*validation_data, batch_size=batch_size)
        elif validation_rows is not None:
            held = table
        if class_weight is not None:
            table = table.weighted(class_weight)
        members = self._members(table, held, rows, validation_rows, seeds, callbacks, epochs)
        groups = groups_of(members, table.batch_size)
        try:
            with threads_for(self.models[0]._largest_product(table)):
                for epoch in range(epochs):
                    going = [each for each in members if not each.model.stop_training]
                    if len(going) < sum(len(each.members) for each in groups):
                        groups = groups_of(going, table.batch_size)
                    for group in groups:
                        group.train(table, epoch)
                        if held is not None:
                            group.test(held)
                        group.stack.store()
                    for each in going:
                        each.logs = dict(sorted(each.logs.items()))
                        each.hooks.call("on_epoch_end", epoch, each.logs)
        finally:
            for group in groups:
                group.stack.store()
        for each in members:
            if each.model.optimizer.use_ema:
                each.model.optimizer.finalize_variable_values(each.model.trainable_variables)
            each.hooks.call("on_train_end", each.logs)
        return [each.model.history for each in members]  # type: ignore[misc]

    def _table(self, *data: Any, **options: Any) -> Table:
        """The data of all models, held once."""
        if len({each._numpy_dtype for each in self.models}) > 1:
            raise DTypeError("The models of a fleet must have one dtype.")
        if not data or not is_table(data[0]):
            raise DTypeError("A fleet needs its data as arrays, not as an iterable of batches.")
        return self.models[0]._batches(*data, **options)  # type: ignore[no-any-return]

    def _members(
        self, table: Table, held: Table | None, rows: Any, held_rows: Any, seeds: Any, callbacks: Any, epochs: int
    ) -> list[Member]:
        count = len(self.models)
        own = _rows_of(table, rows, "rows", count)
        validating = [None] * count if held is None else _rows_of(held, held_rows, "validation_rows", count)
        if seeds is None:
            seeds = get_global_generator()._stream.integers(2**31, size=count).tolist()
        if len(seeds) != count:
            raise InvalidArgumentError(f"`seeds` must be {count} numbers, received {len(seeds)}.")
        members = []
        for place, (model, seed) in enumerate(zip(self.models, seeds, strict=True)):
            stream = Generator(seed)
            with _drawing_from(stream) if not model.built else nullcontext():
                model._look_at(table)
            listed = nest.as_list(callbacks(place)) if callbacks is not None else []
            model.stop_training = False
            steps = -(-len(own[place]) // table.batch_size)
            hooks = CallbackList(listed, add_history=True, model=model, epochs=epochs, steps=steps, verbose=0)
            if any(isinstance(each, Backup) for each in hooks.callbacks):
                raise InvalidArgumentError("A fleet keeps no backups: train the models one by one for that.")
            members.append(Member(model, own[place], validating[place], stream._stream, hooks))
        heard = [id(listener) for each in members for listener in each.hooks.callbacks]
        if len(set(heard)) < len(heard):
            raise InvalidArgumentError("`callbacks` must make new callbacks for each model: they keep its state.")
        for each in members:
            each.hooks.call("on_train_begin", {})
        return members


@contextmanager
def _drawing_from(generator: Generator) -> Iterator[None]:
    """Let weights be made from a stream of the model's own."""
    before = get_global_generator()
    set_global_generator(generator)
    try:
        yield
    finally:
        set_global_generator(before)


def _batches(table: Table, order: Any) -> Iterator[Batch]:
    """The batches of a table in the given order of rows."""
    return (table.batch(order[at : at + table.batch_size]) for at in range(0, len(order), table.batch_size))


def _rows_of(table: Table, given: Any, name: str, count: int) -> list[Any]:
    """For each model the numbers of its rows, all of them by default."""
    if given is None:
        return [np.arange(table.rows)] * count
    if len(given) != count:
        raise InvalidArgumentError(
            f"`{name}` must hold {count} arrays of rows, one for each model, received {len(given)}."
        )
    found = [np.asarray(each) for each in given]
    for place, each in enumerate(found):
        if each.ndim != 1 or each.dtype.kind not in "iu" or not each.size:
            raise InvalidArgumentError(f"`{name}[{place}]` must hold numbers of rows, received {given[place]!r}.")
        if each.min() < 0 or each.max() >= table.rows:
            raise InvalidArgumentError(
                f"`{name}[{place}]` must lie between 0 and {table.rows - 1}, received {each.min()} to {each.max()}."
            )
    return found


def vectorize(models: Sequence[Model]) -> Fleet:
    """A fleet of compiled models of one architecture, which `fit` trains in one program.

    Learning rates, weight decays, dropout rates and regularization may differ from model to model.

    >>> from minitrain import Sequential, optim
    >>> from minitrain.layers import Dense, Input
    >>> models = [Sequential([Input((2,)), Dense(1)]) for _ in range(3)]
    >>> for model, rate in zip(models, (0.1, 0.01, 0.001)):
    ...     model.compile(optim.SGD(rate), "mse")
    >>> x = np.ones((8, 2), np.float32)
    >>> histories = vectorize(models).fit(x, x[:, :1], epochs=3)
    >>> [len(each.history["loss"]) for each in histories]
    [3, 3, 3]
    """
    return Fleet(models)
