"""What all optimizers share: the order of a step, and how it runs over few long arrays rather than many short ones.

An optimizer's own file says what its slots are and how one array is updated in place. `build` packs the variables of
a dtype into one buffer, and the slots likewise, so that an update is a handful of calls however many layers there are,
in blocks that stay in the cache. Variables that cannot be packed, missing gradients and rules that differ from
variable to variable take the general path: the same update, array by array. Optimizers see variables, no layers.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterable, Sequence
from operator import is_
from typing import Any

import numpy as np

from minitrain import initializers
from minitrain.configuration import Configurable, Registry, _arguments, snake_case
from minitrain.engine.convert import as_tensor, to_dtype
from minitrain.engine.packing import Pack, pack
from minitrain.engine.slices import IndexedSlices
from minitrain.engine.symbolic import name_of
from minitrain.engine.tape import GradientTape
from minitrain.engine.tensor import Tensor
from minitrain.engine.trail import STATE, Changes
from minitrain.engine.variable import Variable, Weight
from minitrain.errors import DTypeError, InvalidArgumentError, ShapeError, nearest_names
from minitrain.optim.schedules import REGISTRY as SCHEDULES
from minitrain.optim.schedules import LearningRateSchedule
from minitrain.optim.stacked import Rates
from minitrain.optim.update import BLOCK, Update

REGISTRY = Registry("optimizer")

MEMORIES = 64  # rates that are kept spread out; schedules bring new ones in every step

Array = Any


class Optimizer(Configurable):
    """The base. A subclass names its slots in `slot_names` and writes `update`; `__init__` stores its options.

    `learning_rate`: a number, a schedule, a function of no arguments, or a Variable; `lr` is its old name.
    `weight_decay`: the fraction of each weight, times the learning rate, that a step takes off. `clipnorm`,
    `global_clipnorm`, `clipvalue`: limits on the norm of each gradient, of all of them together, and on each element;
    at most one. `use_ema`: keep an exponential moving average of the weights, with `ema_momentum`, which overwrites
    them every `ema_overwrite_frequency` steps. `loss_scale_factor`: gradients are divided by it.
    `gradient_accumulation_steps`: update every so many steps, with the mean of their gradients; a schedule counts all
    of them, as in Keras.
    """

    _named = True
    _version = 0  # how often an option has been set: programs that update by this optimizer look at it

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "loss_scale_factor":  # which `scale_loss` has put into recordings
            Changes.count += vars(self).get(name, value) != value
        object.__setattr__(self, name, value)
        if name[0] != "_" and name not in ("built", "learning_rate", "lr"):
            self.__dict__["_version"] = self._version + 1

    slot_names: tuple[str, ...] = ()
    slots_apart: tuple[str, ...] = ()  # those that stand in `variables` after all variables' others, as in Keras
    _writes_variables = False  # whether `update_step` is what a subclass defines
    _begins = False  # whether `begin_step` does anything
    is_elementwise = True  # whether an update of joined arrays is the join of their updates

    def __init__(
        self,
        learning_rate: Any = 0.001,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        learning_rate = kwargs.pop("lr", learning_rate)
        if kwargs.pop("decay", None) is not None:
            warnings.warn("`decay` is no longer supported and is ignored: give a schedule.", stacklevel=2)
        if kwargs:
            raise InvalidArgumentError(
                f"{type(self).__name__} received unknown arguments: {kwargs}. "
                f"{nearest_names(next(iter(kwargs)), _arguments(type(self)))}"
            )
        if sum(each is not None for each in (clipnorm, clipvalue, global_clipnorm)) > 1:
            raise InvalidArgumentError(
                "Only one of `clipnorm`, `clipvalue` and `global_clipnorm` can be set, received "
                f"clipnorm={clipnorm}, clipvalue={clipvalue}, global_clipnorm={global_clipnorm}."
            )
        for value, what in ((clipnorm, "clipnorm"), (clipvalue, "clipvalue"), (global_clipnorm, "global_clipnorm")):
            if value is not None and not value > 0:
                raise InvalidArgumentError(f"`{what}` must be positive, received {value!r}.")
        if gradient_accumulation_steps and not gradient_accumulation_steps >= 2:
            raise InvalidArgumentError(
                f"`gradient_accumulation_steps` must be an integer >= 2, received {gradient_accumulation_steps!r}."
            )
        if use_ema and not 0 <= ema_momentum <= 1:
            raise InvalidArgumentError(f"`ema_momentum` must be in the range [0, 1], received {ema_momentum!r}.")
        if (
            use_ema
            and ema_overwrite_frequency
            and not (isinstance(ema_overwrite_frequency, int) and ema_overwrite_frequency >= 1)
        ):
            raise InvalidArgumentError(
                f"`ema_overwrite_frequency` must be an integer >= 1 or None, received {ema_overwrite_frequency!r}."
            )
        self.weight_decay = weight_decay
        self.clipnorm = clipnorm
        self.clipvalue = clipvalue
        self.global_clipnorm = global_clipnorm
        self.use_ema = use_ema
        self.ema_momentum = ema_momentum
        self.ema_overwrite_frequency = ema_overwrite_frequency
        self.loss_scale_factor = loss_scale_factor
        self.gradient_accumulation_steps = gradient_accumulation_steps
        self.name = name or name_of(snake_case(type(self).__name__))
        self.built = False
        self._iterations = self._state(np.array(0, np.int64), "iteration")
        self._learning_rate: Any = None
        self._excluded: set[int] = set()
        self._excluded_names: list[str] = []
        self._trainable_variables: list[Variable] = []
        self._shapes: list[tuple[int, ...]] = []  # of these variables
        self._slots: dict[str, list[Variable]] = {}
        self._model_variables_moving_average: list[Variable] = []
        self._accumulated_gradients: list[Variable] = []
        self._extra: list[Variable] = []  # further state of a subclass
        self._packs: dict[int, tuple[Pack, dict[str, Pack]]] = {}  # by the place of the pack's first variable
        self._groups: list[list[int]] = []  # places of the variables that are packed together, or alone
        self._place: dict[int, int] = {}  # id of a variable -> its place
        self._spare: dict[Any, list[Array]] = {}  # two arrays to work in, by dtype
        self._warned = False
        self._at_once: tuple[Any, bool] = (None, False)
        self._spread: dict[Any, Array] = {}  # of `_for_each`
        self.learning_rate = learning_rate

    # ------------------------------------------------------------------------------------------- what a subclass says

    def update(self, w: Array, g: Array, slots: list[Array], rate: float, step: int, spare: list[Array]) -> None:
        """Update `w` in place from its gradient `g`, which is only read, and `slots`, in the order of `slot_names`.

        All arrays have one shape. `rate` is the learning rate, `step` counts from 1, `spare` are two arrays to work in.
        """
        raise NotImplementedError(f"{type(self).__name__} must define update(w, g, slots, rate, step, spare).")

    def emit(self, emitter: Any, step: Update, w: Array, g: Array, slots: list[Array], spare: list[Array]) -> bool:
        """Write source into a program that does as `update`, for weights or a block of them; False leaves it to that.

        `step.number` is the learning rate, of no axes, `step.count` the number of the step.
        """
        return False

    def update_step(self, gradient: Tensor, variable: Variable, learning_rate: Tensor) -> None:
        """Keras's form of `update`, for optimizers of one's own: as in Keras, `build` adds their state.

        Here `variable` is changed by `assign`, `assign_add` and `assign_sub`. Slower than `update`.
        """
        raise NotImplementedError(f"{type(self).__name__} must define update or update_step.")

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "update_step" in vars(cls):
            cls._writes_variables, cls.is_elementwise = True, False
        if "begin_step" in vars(cls):
            cls._begins = True

    def slot_value(self, name: str) -> float:
        """The first value of a slot."""
        return 0.0

    def slot_shape(self, name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of a slot for a variable of the given shape; elementwise optimizers have the variable's."""
        return shape

    # ---------------------------------------------------------------------------------------------------------- state

    @property
    def learning_rate(self) -> Any:
        """The present learning rate: a Variable, or what the schedule or function gives now."""
        if isinstance(self._learning_rate, Variable):
            return self._learning_rate
        if isinstance(self._learning_rate, LearningRateSchedule):
            return as_tensor(self._learning_rate(self._iterations))  # a program sees that it moves
        return as_tensor(float(self._rate()))

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if value is None or isinstance(value, str):
            raise InvalidArgumentError(f"`learning_rate` must be a number or a schedule, received {value!r}.")
        if isinstance(value, dict):
            value = SCHEDULES.get(value)
        if isinstance(value, (LearningRateSchedule, Variable)) or callable(value):
            self._learning_rate = value
            return
        if isinstance(self._learning_rate, LearningRateSchedule):
            raise DTypeError(
                "This optimizer was created with a `LearningRateSchedule`, so that its learning rate cannot be set to "
                f"{value!r}: assign another schedule, or make the optimizer with a number."
            )
        number = float(value)
        if not number >= 0:
            raise InvalidArgumentError(f"`learning_rate` must be 0 or more, received {value!r}.")
        if isinstance(self._learning_rate, Variable):
            self._learning_rate.assign(number)
        else:
            self._learning_rate = self._state(np.array(number, np.float32), "learning_rate")

    lr = learning_rate

    def _rate(self, step: int | None = None) -> Any:
        """The learning rate of the next step, or of that after `step` steps, as a Python float."""
        rate = self._learning_rate
        if isinstance(rate, Variable):
            return float(rate._tensor._array.item())
        if isinstance(rate, (LearningRateSchedule, Rates)):
            found = rate(int(self._iterations._peek()) if step is None else step)
            return found if isinstance(found, np.ndarray) else float(found)  # of each model of a stack
        return float(rate())

    def _step_number(self) -> int:
        """How many updates have been made."""
        return int(self._iterations._peek()) // (self.gradient_accumulation_steps or 1)

    @property
    def iterations(self) -> Any:
        """How many updates have been made; with accumulation, several calls make one."""
        steps = self.gradient_accumulation_steps
        return self._iterations // steps if steps else self._iterations  # a Tensor, which programs compute anew

    @property
    def variables(self) -> list[Variable]:
        """All state: iterations, the learning rate where it is a number, averages, sums of gradients, the slots of each
        variable in turn, and those of `slots_apart` one after the other: Keras's order.
        """
        found = [self._iterations]
        if isinstance(self._learning_rate, Variable):
            found.append(self._learning_rate)
        found += self._model_variables_moving_average + self._accumulated_gradients
        names = [each for each in self._slots if each not in self.slots_apart]
        for place in range(len(self._trainable_variables)):
            found += [self._slots[name][place] for name in names]
        found += [each for name in self.slots_apart for each in self._slots.get(name, ())]
        return found + self._extra

    def add_variable(
        self, shape: Any, initializer: Any = "zeros", dtype: Any = None, name: str | None = None
    ) -> Variable:
        """A further variable of the optimizer's own state, saved with it."""
        variable = self._state(initializers.get(initializer)(shape, dtype), name or name_of("variable"))
        self._extra.append(variable)
        return variable

    def add_variable_from_reference(
        self, reference_variable: Any, name: str = "slot", initializer: Any = "zeros"
    ) -> Variable:
        """A variable of the optimizer's own state with another one's shape and dtype."""
        name = _named_after(reference_variable, name)
        return self.add_variable(reference_variable.shape, initializer, reference_variable.dtype, name)

    def add_optimizer_variables(
        self, trainable_variables: Iterable[Variable], name: Any, initializer: Any = "zeros"
    ) -> Any:
        """A list of variables, one for each given; of several names, a tuple of such lists."""
        if not isinstance(name, str):
            return tuple(self.add_optimizer_variables(trainable_variables, each, initializer) for each in name)
        return [self.add_variable_from_reference(each, name, initializer) for each in trainable_variables]

    def _get_variable_index(self, variable: Variable) -> int:
        return self._place[id(variable)]

    def assign(self, variable: Variable, value: Any) -> None:
        """Replace a variable's value, in an `update_step`."""
        variable.assign(to_dtype(as_tensor(value), variable._peek().dtype))

    def assign_add(self, variable: Variable, value: Any) -> None:
        """Add to a variable, in an `update_step`."""
        variable.assign_add(to_dtype(as_tensor(value), variable._peek().dtype))

    def assign_sub(self, variable: Variable, value: Any) -> None:
        """Subtract from a variable, in an `update_step`."""
        variable.assign_sub(to_dtype(as_tensor(value), variable._peek().dtype))

    def get_weights(self) -> list[Any]:
        """The values of `variables`, as ndarrays."""
        return [np.asarray(each.numpy()) for each in self.variables]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Restore what `get_weights` gave, to an optimizer built for the same variables. Shapes are checked."""
        variables = self.variables
        if len(weights) != len(variables):
            raise InvalidArgumentError(
                f"Optimizer {self.name!r} has {len(variables)} variables, received {len(weights)} weights. Build it "
                "for the model's variables first."
            )
        arrays = [
            variable._accept(np.asarray(value), "assign") for variable, value in zip(variables, weights, strict=True)
        ]
        for variable, array in zip(variables, arrays, strict=True):
            variable._write(array)

    def save_own_variables(self, store: dict[str, Any]) -> None:
        """Put the state into `store`, by number."""
        store.update({str(place): value for place, value in enumerate(self.get_weights())})

    def load_own_variables(self, store: Any) -> None:
        """Restore what `save_own_variables` put into `store`."""
        self.set_weights([store[str(place)] for place in range(len(store))])

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        rate = self._learning_rate
        if isinstance(rate, Variable):
            config["learning_rate"] = float(rate.numpy())
        elif isinstance(rate, LearningRateSchedule):
            config["learning_rate"] = {"class_name": type(rate).__name__, "config": rate.get_config()}
        return config

    def build(self, variables: Iterable[Variable]) -> None:
        """Make the slots for these variables, and pack those of one dtype where nobody else has packed them."""
        if self.built:
            return
        variables = list(variables)
        strange = [each for each in variables if not isinstance(each, Variable)]
        if strange:
            raise DTypeError(
                f"An optimizer trains Variables, received {strange[0]!r}. `apply_gradients` takes pairs (gradient, "
                "variable), in this order."
            )
        self._trainable_variables = variables
        self._place = {id(each): place for place, each in enumerate(variables)}
        self._shapes = [each._peek().shape for each in variables]
        if self.use_ema:
            self._model_variables_moving_average = [self._zeros_like(each, "average") for each in variables]
        if self.gradient_accumulation_steps:
            self._accumulated_gradients = [self._zeros_like(each, "gradient_accumulator") for each in variables]
        for name in self.slot_names:
            self._slots[name] = [self._new_slot(name, each) for each in variables]
        for places in self._by_dtype():
            packed = self._pack(places) if self.is_elementwise else None
            if packed is None:
                self._groups += [[place] for place in places]
            else:
                self._groups.append(places)
                self._packs[places[0]] = packed
        self.built = True

    def __getstate__(self) -> dict[str, Any]:
        # A pack belongs to these very variables; a copy updates its own one by one, with the same numbers.
        return {**vars(self), "_packs": {}, "_spare": {}, "_spread": {}, "_at_once": (None, False)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._place = {id(each): place for place, each in enumerate(self._trainable_variables)}

    def _new_slot(self, name: str, variable: Variable) -> Variable:
        shape = self.slot_shape(name, tuple(variable.shape))
        value = np.full(shape, self.slot_value(name), variable._peek().dtype)
        return self._state(value, _named_after(variable, name))

    def _zeros_like(self, variable: Variable, name: str) -> Variable:
        return self._state(np.zeros_like(variable._peek()), _named_after(variable, name))

    def _state(self, value: Any, name: str) -> Variable:
        """A variable of this optimizer's own."""
        variable = Weight(value, trainable=False, name=name)
        variable._owner = self.name
        return variable

    def _by_dtype(self) -> list[list[int]]:
        groups: dict[Any, list[int]] = {}
        for place, each in enumerate(self._trainable_variables):
            groups.setdefault(each._peek().dtype, []).append(place)
        return list(groups.values())

    def _pack(self, places: list[int]) -> tuple[Pack, dict[str, Pack]] | None:
        variables = pack([self._trainable_variables[place] for place in places])
        if variables is None:
            return None
        slots = {name: pack([self._slots[name][place] for place in places]) for name in self.slot_names}
        return variables, {name: each for name, each in slots.items() if each is not None}

    # ----------------------------------------------------------------------------------------------------------- steps

    def minimize(self, loss: Any, var_list: Any, tape: GradientTape | None = None) -> Any:
        """One step on `loss`: a function of no arguments, or a Tensor with the `tape` that recorded it."""
        if callable(loss):
            with GradientTape() as tape:
                loss = loss()
        if tape is None:
            raise InvalidArgumentError(
                "`minimize` needs a function that computes the loss, or the loss and its `tape`."
            )
        variables = list(var_list() if callable(var_list) else var_list)
        return self.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Variable]]) -> Any:
        """One step, from pairs of gradient and variable. Returns `iterations`.

        A gradient of None is left out, with one warning that names the variables; all None raise.
        """
        pairs = list(grads_and_vars)
        if not pairs:
            raise InvalidArgumentError("`apply_gradients` received no pairs of gradient and variable.")
        self.apply([pair[0] for pair in pairs], [pair[1] for pair in pairs])
        return self.iterations

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Variable] | None = None) -> None:
        """One step; none without gradients. `trainable_variables` may be left out once the optimizer is built."""
        grads = list(grads)
        if not grads:
            return
        variables = self._trainable_variables if trainable_variables is None else list(trainable_variables)
        if len(grads) != len(variables):
            raise InvalidArgumentError(f"Received {len(grads)} gradients for {len(variables)} variables.")
        trail = STATE.trail
        if trail is not None and trail.recorder is not None:
            given = [_dense(g, each) for g, each in zip(grads, variables, strict=True) if g is not None]
            trail.recorder.effect(Update(self, variables, grads), given)
            return
        if not self.built:
            self.build(variables)
        flat = self._joined(grads, variables) if self._is_at_once() else None
        if flat is not None:
            self._update_packed(self._groups[0], flat, *self._begin_step())
        else:
            self._apply_each(grads, variables)
        count = self._iterations._writable()
        count[()] = count.item() + 1

    def _is_at_once(self) -> bool:
        """Whether a step is one update of one short pack, with nothing before or after it; kept while options stay."""
        key = self._version, Changes.count
        if self._at_once[0] != key:
            is_one = self.is_one_update(self._trainable_variables)
            self._at_once = key, is_one and self._packs[0][0].buffer.size <= BLOCK
        return self._at_once[1]

    def _joined(self, grads: list[Any], variables: list[Variable]) -> Array | None:
        """The gradients in one flat array; None where they are not those of all variables in order, as they should."""
        mine = self._trainable_variables
        if len(variables) != len(mine):
            return None
        joint = getattr(grads[0], "_joint", None)
        if joint is not None and joint.flat.dtype is self._packs[0][0].buffer.dtype and joint.shapes == self._shapes:
            if joint.holds(grads) and all(map(is_, variables, mine)):
                return joint.flat
        arrays = []
        for g, variable, known in zip(grads, variables, mine, strict=True):
            if variable is not known or type(g) is not Tensor:
                return None
            array, held = g._array, variable._tensor._array
            if array.shape != held.shape or array.dtype is not held.dtype:
                return None
            arrays.append(array)
        return np.concatenate(arrays, axis=None)

    def _apply_each(self, grads: list[Any], variables: list[Variable]) -> None:
        """A step of any kind."""
        places, arrays = self._accepted(grads, variables)
        if self.loss_scale_factor is not None:
            arrays = [array / self.loss_scale_factor for array in arrays]
        if self.gradient_accumulation_steps:
            mean = self._accumulated(places, arrays)
            if mean is not None:
                self._update_all(places, mean)
        else:
            self._update_all(places, arrays)
        if self.use_ema:
            self._average()
        for place in places:
            variable = self._trainable_variables[place]
            if variable._constraint is not None:
                variable.assign(as_tensor(variable._constraint(variable)))

    def _accepted(self, grads: list[Any], variables: list[Variable]) -> tuple[list[int], list[Array]]:
        """The places of the variables that have a gradient, and the gradients as ndarrays of their shape and dtype."""
        places, arrays, missing = [], [], []
        for g, variable in zip(grads, variables, strict=True):
            place = self._place.get(id(variable))
            if place is None:
                raise InvalidArgumentError(
                    f"Unknown variable '{variable.path}'. Optimizer {self.name!r} was built for "
                    f"{[each.path for each in self._trainable_variables]}. Make a new optimizer for other variables, "
                    "or call `build` with all of them first."
                )
            if g is None:
                missing.append(variable)
                continue
            array = g._array if type(g) is Tensor else _dense(g, variable)._array
            mine = variable._tensor._array
            if array.shape != mine.shape:
                raise ShapeError(
                    f"The gradient of variable '{variable.path}' must have its shape {mine.shape}, received "
                    f"{array.shape}."
                )
            places.append(place)
            arrays.append(array if array.dtype is mine.dtype else array.astype(mine.dtype))
        if not places:
            raise InvalidArgumentError(
                "No gradients provided for any variable: all are None. `tape.explain(loss, variable)` says why; a loss "
                "that is computed by other means than minitrain's operations has none."
            )
        if missing and not self._warned:
            self._warned = True
            warnings.warn(
                f"Gradients do not exist for variables {[each.path for each in missing]} when minimizing the loss; "
                "they are left as they are. `tape.explain(loss, variable)` says why.",
                stacklevel=5,
            )
        return places, arrays

    def _update_all(self, places: list[int], arrays: list[Array]) -> None:
        """Clip, decay and update, group by group."""
        rate, step = self._begin_step()
        if self.clipnorm is None and self.global_clipnorm is None and self.clipvalue is None:
            given = dict(zip(places, arrays, strict=True))
        else:
            given = dict(zip(places, self._clip_gradients(arrays), strict=True))
        for group in self._groups:
            packed = self._packs.get(group[0])
            is_whole = len(given) == len(self._trainable_variables) or all(place in given for place in group)
            if packed is not None and is_whole and packed[0].buffer.size <= BLOCK:
                self._update_packed(group, np.concatenate([given[place] for place in group], axis=None), rate, step)
                continue
            # Joining long gradients would cost as much as their update does.
            for place in group:
                if place in given:
                    self._update_one(place, given[place], rate, step)

    def _begin_step(self) -> tuple[Any, int]:
        """The learning rate of a step, and its number."""
        rate, step = self._rate(), self._step_number() + 1
        if self._begins:
            self.begin_step(step)
        return rate, step

    def _update_packed(self, group: list[int], flat: Array, rate: Any, step: int) -> None:
        """Decay and update the variables of a pack from their gradients in one flat array."""
        variables, packs = self._packs[group[0]]
        slots = [packs[name].writable() for name in self.slot_names]
        w = variables.writable()
        self._decay(group, w, rate)
        self._in_blocks(w, flat, slots, self._for_each(rate, group), step)

    def is_one_update(self, variables: Sequence[Variable]) -> bool:
        """Whether a step is one update of one pack of these variables, with nothing before or after it."""
        return (
            self.built
            and len(self._groups) == 1
            and list(self._packs) == [0]
            and self._packs[0][0].holds(variables)
            and len(self._packs[0][1]) == len(self.slot_names)
            and self.clipnorm is self.clipvalue is self.global_clipnorm is self.loss_scale_factor is None
            and not self.gradient_accumulation_steps
            and not self.use_ema
            and not (self._excluded or self._excluded_names)
            and all(each.constraint is None for each in variables)
        )

    def _update_one(self, place: int, g: Array, rate: float, step: int) -> None:
        variable = self._trainable_variables[place]
        w = variable._writable()
        self._decay([place], w, rate)
        if self._writes_variables:
            self.update_step(Tensor(g), variable, as_tensor(rate))
            return
        slots = [self._slots[name][place]._writable() for name in self.slot_names]
        if self.is_elementwise:
            flat_slots = [each.reshape(-1) for each in slots]
            self._in_blocks(w.reshape(-1), g.reshape(-1), flat_slots, self._for_each(rate, [place]), step)
        else:
            self.update(w, g, slots, rate, step, [np.empty_like(w), np.empty_like(w)])

    def _for_each(self, rate: Any, group: list[int]) -> Any:
        """A learning rate as it is, or those of stacked models, (models,), for each element of a group, flat."""
        if not isinstance(rate, np.ndarray):
            return rate
        key = rate.tobytes(), *group
        if key not in self._spread:
            if len(self._spread) > MEMORIES:
                self._spread.clear()
            found = [self._trainable_variables[place]._peek() for place in group]
            parts = [np.repeat(rate.astype(each.dtype), each.size // len(rate)) for each in found]
            self._spread[key] = np.concatenate(parts)
        return self._spread[key]

    def begin_step(self, step: int) -> None:
        """Called before the arrays of a step are updated, for state that belongs to all of them."""

    def _in_blocks(self, w: Array, g: Array, slots: list[Array], rate: Any, step: int) -> None:
        """Update flat arrays, block by block: whole passes over long ones would fetch them from memory every time."""
        size = w.size
        spare = self._spare.get(w.dtype)
        if spare is None or spare[0].size < min(size, BLOCK):
            # Kept from step to step: fresh memory of this size costs page faults each time.
            spare = self._spare[w.dtype] = [np.empty(min(size, BLOCK), w.dtype) for _ in range(2)]
        if size <= BLOCK:
            self.update(w, g, slots, rate, step, spare if spare[0].size == size else [each[:size] for each in spare])
            return
        for start in range(0, size, BLOCK):
            part = slice(start, min(start + BLOCK, size))
            room = [each[: part.stop - start] for each in spare]
            of = rate[part] if isinstance(rate, np.ndarray) else rate
            self.update(w[part], g[part], [each[part] for each in slots], of, step, room)

    def _clip_gradients(self, arrays: list[Array]) -> list[Array]:
        if self.clipnorm is not None:
            return [g * (self.clipnorm / max(_norm([g]), self.clipnorm)) for g in arrays]
        if self.global_clipnorm is not None:
            norm = _norm(arrays)
            return [
                g * (self.global_clipnorm * min(1.0 / norm, 1.0 / self.global_clipnorm) if norm else 1.0)
                for g in arrays
            ]
        return [np.clip(g, -self.clipvalue, self.clipvalue) for g in arrays]  # type: ignore[operator]

    def exclude_from_weight_decay(
        self, var_list: Iterable[Variable] | None = None, var_names: Iterable[str] | None = None
    ) -> None:
        """Spare these variables, or those whose name contains one of `var_names`, from weight decay."""
        if self.built and not self._trainable_variables:
            raise InvalidArgumentError("`exclude_from_weight_decay` must be called before the optimizer is built.")
        self._excluded |= {id(each) for each in var_list or ()}
        self._excluded_names += list(var_names or ())

    def _decays(self, variable: Variable) -> bool:
        return id(variable) not in self._excluded and not any(each in variable.path for each in self._excluded_names)

    def _decay(self, group: list[int], w: Array, rate: float) -> None:
        if self.weight_decay is None:
            return
        parts = [(w, group)]
        if self._excluded or self._excluded_names:
            decaying = [place for place in group if self._decays(self._trainable_variables[place])]
            parts = [(self._trainable_variables[place]._tensor._array, [place]) for place in decaying]
        for array, places in parts:
            factor = self._for_each(self.weight_decay * rate, places)
            array -= array * (factor.reshape(array.shape) if isinstance(factor, np.ndarray) else factor)

    def _accumulated(self, places: list[int], arrays: list[Array]) -> list[Array] | None:
        """Add to the accumulators; on every n-th call, their means, and start anew."""
        steps = self.gradient_accumulation_steps or 1
        is_last = (int(self._iterations._peek()) + 1) % steps == 0
        means = []
        for place, g in zip(places, arrays, strict=True):
            held = self._accumulated_gradients[place]._writable()
            held += g
            if is_last:
                means.append(held / steps)
                held[...] = 0
        return means if is_last else None

    def _average(self) -> None:
        """Move the averages on, and the weights onto them where it is time."""
        count = self._step_number()
        momentum = self.ema_momentum if count else 0.0
        for variable, average in zip(self._trainable_variables, self._model_variables_moving_average, strict=True):
            held = average._writable()
            held *= momentum
            held += (1.0 - momentum) * variable._peek()
        frequency = self.ema_overwrite_frequency
        if frequency and (count + 1) % frequency == 0:
            self.finalize_variable_values(self._trainable_variables)

    def finalize_variable_values(self, var_list: Iterable[Variable]) -> None:
        """Overwrite the variables with their moving averages, if those are kept."""
        if self.use_ema:
            for variable in var_list:
                average = self._model_variables_moving_average[self._get_variable_index(variable)]
                variable._write(average._peek())

    def scale_loss(self, loss: Any) -> Any:
        """The loss times `loss_scale_factor`, by which the gradients will be divided."""
        return loss if self.loss_scale_factor is None else loss * self.loss_scale_factor


def _named_after(variable: Any, name: str) -> str:
    """What Keras calls the state that belongs to a variable: "dense_kernel_momentum"."""
    path = variable.path if isinstance(variable, Weight) else getattr(variable, "_name", "variable")
    return f"{path.replace('/', '_')}_{name}"


def _dense(g: Any, variable: Variable) -> Tensor:
    """A gradient as a Tensor; slices that do not say so are slices of something as large as the variable."""
    if isinstance(g, IndexedSlices) and g.dense_shape is None:
        g = IndexedSlices(g.values, g.indices, variable.shape)
    return as_tensor(g)


def _norm(arrays: Sequence[Array]) -> float:
    """The L2 norm of all elements of several arrays."""
    return float(np.sqrt(sum(float(np.dot(flat, flat)) for flat in (each.reshape(-1) for each in arrays))))


class MomentOptimizer(Optimizer):
    """What the relatives of Adam share: two decay rates, and an epsilon that keeps the divisor from 0."""

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        weight_decay: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, weight_decay=weight_decay, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon


def moving_average(held: Array, new: Array, decay: float, spare: Array) -> None:
    """held += (new - held) * (1 - decay), in place, with Keras's roundings: the factors of held * decay + new *
    (1 - decay), which takes as long, do not add up to 1 in float32, and long trainings drift apart.
    """
    np.subtract(new, held, out=spare)
    spare *= 1.0 - decay
    held += spare


def moving_square(held: Array, g: Array, decay: float, spare: Array) -> None:
    """held += (g ** 2 - held) * (1 - decay), in place."""
    np.multiply(g, g, out=spare)
    spare -= held
    spare *= 1.0 - decay
    held += spare


def scalar(value: Any, dtype: np.dtype[Any]) -> Array:
    """A number as an array of no axes: NumPy multiplies by it in half the time that a Python float takes."""
    return value if type(value) is np.ndarray else _scalar(value, dtype)


@functools.lru_cache(maxsize=64)
def _scalar(value: float, dtype: np.dtype[Any]) -> Array:
    made = np.array(value, dtype)
    made.flags.writeable = False
    return made


def missing_mass(beta: float, step: int, dtype: np.dtype[Any]) -> Any:
    """1 - beta ** step, by which a moving average that started at 0 is too small.

    Computed in the weights' own precision, as in Keras: 1 - 0.999 is 5e-5 off in float32, and so are Keras's moves.
    """
    return 1 - dtype.type(beta) ** dtype.type(step)
