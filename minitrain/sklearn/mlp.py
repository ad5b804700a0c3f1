"""MLPRegressor and MLPClassifier: scikit-learn's multi-layer perceptrons, argument for argument, and more.

What scikit-learn names keeps its name and meaning: stopping rules, L2 term, schedules of "sgd", warm starts.
New are losses, metrics, dropout, normalization, weight decay, optimizer and schedule objects, class weights,
callbacks, a validation set of one's own, and tables as they are. By default inputs are encoded and targets scaled:
with `encoding=None` and `target_scaling=False` what is trained is scikit-learn's.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
import scipy.optimize
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import train_test_split
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from minitrain import activations, layers, optim
from minitrain.engine.convert import as_tensor
from minitrain.engine.tape import GradientTape
from minitrain.errors import InvalidArgumentError
from minitrain.layers.core import Input
from minitrain.models import Model
from minitrain.nest import as_list
from minitrain.optim.base import Optimizer
from minitrain.optim.schedules import LearningRateSchedule
from minitrain.sklearn.base import (
    ROWS,
    SEEDS,
    Criterion,
    LabelTargets,
    NetworkEstimator,
    NumberTargets,
    checked_encoding,
    compile_with,
    is_of_counts,
    label_loss,
    need_counts,
    number_loss,
    own_stream,
    scaling_for,
    unchanged_if_refused,
    warn_unless,
)
from minitrain.sklearn.encoding import Embedded, is_sparse
from minitrain.training.callbacks import Callback

Array = Any
ACTIVATIONS = {"identity": "linear", "logistic": "sigmoid"}  # scikit-learn's names that Keras has others for
OUTPUT_ACTIVATIONS = {"identity": None, "logistic": "sigmoid", "softmax": "softmax", "exp": "exponential"}
NORMALIZATIONS = {"batch": ("BatchNormalization", {"momentum": 0.9}), "layer": ("LayerNormalization", {})}
INTERVALS = {  # of the parameters that are numbers, as in scikit-learn: a round bracket leaves its end out
    "alpha": "[0, inf]",
    "learning_rate_init": "(0, inf]",
    "power_t": "[0, inf]",
    "tol": "[0, inf]",
    "momentum": "[0, 1]",
    "validation_fraction": "[0, 1)",
    "beta_1": "[0, 1)",
    "beta_2": "[0, 1)",
    "epsilon": "(0, inf]",
    "n_iter_no_change": "[1, inf]",
}
SMALLEST_RATE = 1e-6  # where an adaptive learning rate ends, as in scikit-learn


class StoppingRules(Callback):
    """scikit-learn's rules after each epoch: the curves, patience, the learning rate of "sgd", the best weights."""

    def __init__(self, estimator: Any, rows: int, held_out: tuple[Any, ...] | None) -> None:
        self.estimator = estimator
        self.rows = rows
        self.held_out = held_out
        self.has_stopped = False
        self.best_weights: list[Array] | None = None

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        net = self.estimator
        net.n_iter_ += 1
        net.t_ += self.rows
        net.loss_ = float((logs or {})["loss"])
        net.loss_curve_.append(net.loss_)
        if net.verbose:
            print(f"Iteration {net.n_iter_}, loss = {net.loss_:.8f}")
        if self.held_out is not None:
            self._look_at_score()
        else:
            is_worse = net.loss_ > net.best_loss_ - net._loss_tolerance()
            net._no_improvement_count = net._no_improvement_count + 1 if is_worse else 0
            net.best_loss_ = min(net.best_loss_, net.loss_)
        if net.solver == "sgd" and isinstance(net.learning_rate, str) and net.learning_rate == "invscaling":
            self.model.optimizer.learning_rate = net.learning_rate_init / (net.t_ + 1) ** net.power_t
        if net._no_improvement_count > net.n_iter_no_change:
            self._stop()

    def _look_at_score(self) -> None:
        net = self.estimator
        score = net._score_of(*self.held_out)
        net.validation_scores_.append(score)
        if net.verbose:
            print(f"Validation score: {score:f}")
        is_worse = score < net.best_validation_score_ + net.tol
        net._no_improvement_count = net._no_improvement_count + 1 if is_worse else 0
        if score > net.best_validation_score_:
            net.best_validation_score_ = score
            self.best_weights = self.model.get_weights()

    def _stop(self) -> None:
        """Stop, or with an adaptive learning rate go on with a fifth of it, as long as it is not too small."""
        net = self.estimator
        if net.verbose:
            what = "Training loss" if self.held_out is None else "Validation score"
            said = f"{what} did not improve more than tol={net.tol:f} for {net.n_iter_no_change} consecutive epochs."
        if net.solver == "sgd" and isinstance(net.learning_rate, str) and net.learning_rate == "adaptive":
            rate = float(self.model.optimizer.learning_rate)
            if rate > SMALLEST_RATE:
                self.model.optimizer.learning_rate = rate / 5.0
                net._no_improvement_count = 0
                if net.verbose:
                    print(f"{said} Setting learning rate to {rate / 5.0:f}")
                return
        if net.verbose:
            print(f"{said} Stopping.")
        self.has_stopped = self.model.stop_training = True


@dataclass(eq=False)
class Descent:
    """The training of one estimator by steps on batches, until its rules say stop."""

    estimator: Any
    x: Any  # (n, columns)
    y: Array
    weight: Array | None
    validation: tuple[Any, Array, Array | None] | None
    batch_size: int
    rules: StoppingRules
    is_partial: bool
    seed: int  # of the order of the rows

    def __post_init__(self) -> None:
        net = self.estimator
        self.epochs = 1 if self.is_partial else net.max_iter
        self.shuffle = bool(net.shuffle) and self.batch_size < len(self.y)
        # `fit` leaves parameters as they are, callbacks too.
        self.callbacks = [*(copy.copy(each) for each in as_list(net.callbacks)), self.rules]

    def run(self) -> None:
        """Train."""
        with own_stream(self.seed), interruptible():
            self.estimator.model_.fit(
                self.x,
                self.y,
                batch_size=self.batch_size,
                epochs=self.epochs,
                verbose=0,
                callbacks=self.callbacks,
                sample_weight=self.weight,
                shuffle=self.shuffle,
                validation_data=self.validation,
            )

    def finish(self) -> None:
        """Keep what training has shown."""
        net = self.estimator
        net.history_ = dict(net.model_.history.history)
        net.model_.history = None  # it holds the callbacks' model, and so would every pickle
        if self.rules.best_weights is not None:
            net.model_.set_weights(self.rules.best_weights)
        warn_unless(
            self.rules.has_stopped or self.is_partial or net.n_iter_ < net.max_iter,
            f"Stochastic Optimizer: Maximum iterations ({net.max_iter}) reached and the optimization hasn't converged "
            "yet.",
            ConvergenceWarning,
        )


@contextmanager
def interruptible() -> Iterator[None]:
    """Let the user end training, and keep what it has come to."""
    try:
        yield
    except KeyboardInterrupt:
        warn_unless(False, "Training interrupted by user.")


def in_dtype(weight: Array | None, dtype: Any) -> Array | None:
    """Weights in the dtype of what they weight."""
    return None if weight is None else weight.astype(dtype)


class MultilayerPerceptron(NetworkEstimator):
    """What both share: parameters, the network, the solvers. Subclasses say what the targets are."""

    # What a subclass does not offer as a parameter has scikit-learn's default.
    solver: Any = "adam"
    learning_rate: Any = "constant"
    power_t = 0.5
    shuffle = True
    momentum = 0.9
    nesterovs_momentum = True
    beta_1 = 0.9
    beta_2 = 0.999
    epsilon = 1e-8
    max_fun = 15000
    metrics: Any = None
    normalization: Any = None
    weight_decay: Any = None
    class_weight: Any = None

    # ------------------------------------------------------------------------------------------------------- parameters

    def _check_parameters(self) -> None:
        for name, interval in INTERVALS.items():
            value = getattr(self, name)
            low, high = (float(each) for each in interval[1:-1].split(","))
            is_in = isinstance(value, Real) and not isinstance(value, bool) and low <= value <= high
            if not is_in or (interval[0] == "(" and value == low) or (interval[-1] == ")" and value == high):
                raise InvalidArgumentError(f"`{name}` must be a number in {interval}, received {value!r}.")
        for name in ("max_iter", "max_fun"):
            value = getattr(self, name)
            if not isinstance(value, Integral) or value < 1:
                raise InvalidArgumentError(f"`{name}` must be a positive integer, received {value!r}.")
        if self.batch_size != "auto" and not (isinstance(self.batch_size, Integral) and self.batch_size >= 1):
            raise InvalidArgumentError(f"`batch_size` must be 'auto' or a positive integer, not {self.batch_size!r}.")
        known = ("constant", "invscaling", "adaptive")
        if self.learning_rate not in known and not isinstance(self.learning_rate, LearningRateSchedule):
            raise InvalidArgumentError(
                f"`learning_rate` must be one of {known} or a schedule, received {self.learning_rate!r}. The number is "
                "`learning_rate_init`."
            )
        for name in ("shuffle", "warm_start", "nesterovs_momentum", "early_stopping", "target_scaling"):
            value = getattr(self, name, True)
            if not isinstance(value, (bool, np.bool_)):  # "false" would be true
                raise InvalidArgumentError(f"`{name}` must be True or False, received {value!r}.")
        if not isinstance(self.verbose, (bool, np.bool_, Integral)):
            raise InvalidArgumentError(f"`verbose` must be True, False or an integer, received {self.verbose!r}.")
        if self.weight_decay is not None and not (
            isinstance(self.weight_decay, Real) and 0 <= self.weight_decay < np.inf
        ):
            raise InvalidArgumentError(
                f"`weight_decay` must be a number of 0 or more, or None, received {self.weight_decay!r}."
            )
        if not isinstance(self.solver, (str, Optimizer)):
            raise InvalidArgumentError(f"`solver` must be a name or an Optimizer, received {self.solver!r}.")
        if self._is_lbfgs() and self._dropouts():
            raise InvalidArgumentError("The solver 'lbfgs' takes no dropout: use 'adam'.")
        checked_encoding(self.encoding)

    def _is_lbfgs(self) -> bool:
        return isinstance(self.solver, str) and self.solver == "lbfgs"

    def _units(self) -> list[int]:
        sizes = self.hidden_layer_sizes
        listed = list(sizes) if hasattr(sizes, "__iter__") else [sizes]
        if any(not isinstance(each, Integral) or each <= 0 for each in listed):
            raise InvalidArgumentError(f"`hidden_layer_sizes` must be > 0, got {listed}.")
        return [int(each) for each in listed]

    def _dropouts(self) -> list[float]:
        """The rate after each hidden layer; empty without dropout."""
        if not np.any(self.dropout):
            return []
        units = self._units()
        rates = [self.dropout] * len(units) if isinstance(self.dropout, Real) else list(self.dropout)
        are_rates = all(isinstance(each, Real) and 0 <= each < 1 for each in rates)
        if len(rates) != len(units) or not are_rates:
            raise InvalidArgumentError(f"`dropout` must be a rate, or one for each hidden layer, not {self.dropout!r}.")
        return [float(each) for each in rates]

    @property
    def _optimizer(self) -> Optimizer:
        """The optimizer of the last fit, under scikit-learn's name: its tests look at the learning rate."""
        return self.model_.optimizer

    def _new_optimizer(self) -> Optimizer:
        rate = self.learning_rate if isinstance(self.learning_rate, LearningRateSchedule) else self.learning_rate_init
        if isinstance(self.solver, Optimizer):
            return type(self.solver).from_config(self.solver.get_config())
        decay = {} if self.weight_decay is None else {"weight_decay": self.weight_decay}
        if self.solver == "adam":
            made = optim.Adam(rate, self.beta_1, self.beta_2, self.epsilon, **decay)
        elif self.solver == "sgd":
            made = optim.SGD(rate, self.momentum, self.nesterovs_momentum, **decay)
        else:
            made = optim.get({"class_name": self.solver, "config": {"learning_rate": rate, **decay}})
        if self.weight_decay is not None:
            made.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        return made

    # ----------------------------------------------------------------------------------------------------- the network

    def _build(self, width: int, dtype: Any, rng: Any) -> None:
        """Make `model_` for a matrix of so many columns, its weights drawn as scikit-learn draws them."""
        dtype = np.dtype(dtype).name
        units = [*self._units(), self._output_units()]
        rates = self._dropouts()
        out = x = Input((width,), dtype=dtype, name="x")
        sizes = getattr(self.encoder_, "embedded_sizes_", None)
        if sizes:
            out = Embedded(sizes, seed=int(rng.randint(SEEDS)), dtype=dtype, name="embedded")(out)
        function = activations.get(ACTIVATIONS.get(self.activation, self.activation) if self.activation else None)
        dense = []
        for place, count in enumerate(units[:-1]):
            plain = self.normalization is None
            kernel = layers.Dense(
                count,
                function if plain else None,
                kernel_initializer="zeros",
                dtype=dtype,
                name=f"hidden_{place}",
            )
            out = kernel(out)
            dense.append(kernel)
            if not plain:
                out = self._normalized(place, dtype)(out)
                out = layers.Activation(function, dtype=dtype, name=f"activation_{place}")(out)
            if rates and rates[place]:
                seed = int(rng.randint(SEEDS))
                out = layers.Dropout(rates[place], seed=seed, dtype=dtype, name=f"dropout_{place}")(out)
        last = layers.Dense(units[-1], kernel_initializer="zeros", dtype=dtype, name="output")
        out = last(out)
        link = self._last_layer(dtype)
        out = out if link is None else link(out)
        for each in [*dense, last]:
            self._draw_weights(each, rng)
        self.model_ = Model(x, out, name="network", dtype=dtype)
        self.n_layers_ = len(units) + 1

    def _last_layer(self, dtype: str) -> Any:
        """What follows the last dense layer, or None."""
        link = OUTPUT_ACTIVATIONS[self.out_activation_]
        return None if link is None else layers.Activation(link, dtype=dtype, name=link)

    def _normalized(self, place: int, dtype: str) -> Any:
        if self.normalization not in NORMALIZATIONS:
            raise InvalidArgumentError(
                f"`normalization` must be None or one of {tuple(NORMALIZATIONS)}, received {self.normalization!r}."
            )
        name, options = NORMALIZATIONS[self.normalization]
        return getattr(layers, name)(dtype=dtype, name=f"normalization_{place}", **options)

    def _draw_weights(self, layer: Any, rng: Any) -> None:
        """Uniform weights within sqrt(6 / (i + o)), for the logistic activation sqrt(2 / (i + o)). Source: Glorot and
        Bengio (2010), eq. 16, with scikit-learn's biases drawn alike."""
        shape = tuple(layer.kernel.shape)
        bound = np.sqrt((2.0 if self.activation == "logistic" else 6.0) / sum(shape))
        layer.kernel.assign(rng.uniform(-bound, bound, shape).astype(layer.dtype))
        layer.bias.assign(rng.uniform(-bound, bound, shape[1]).astype(layer.dtype))

    def _dense_layers(self) -> list[Any]:
        return [each for each in self.model_.layers if isinstance(each, layers.Dense)]

    @property
    def coefs_(self) -> list[Array]:
        """The kernels of the layers, (i, o) each. A list of arrays may be assigned, as a whole."""
        return [each.kernel.numpy() for each in self._dense_layers()]

    @coefs_.setter
    def coefs_(self, values: Any) -> None:
        check_is_fitted(self)
        for each, value in zip(self._dense_layers(), values, strict=True):
            each.kernel.assign(value)

    @property
    def intercepts_(self) -> list[Array]:
        """The biases of the layers, (o,) each. A list of arrays may be assigned, as a whole."""
        return [each.bias.numpy() for each in self._dense_layers()]

    @intercepts_.setter
    def intercepts_(self, values: Any) -> None:
        check_is_fitted(self)
        for each, value in zip(self._dense_layers(), values, strict=True):
            each.bias.assign(value)

    # -------------------------------------------------------------------------------------------------------- training

    def fit(self, X: Any, y: Any, sample_weight: Any = None, validation_data: Any = None) -> Any:  # noqa: N803
        """Train on a table X (n, columns) and targets y.

        `sample_weight`: (n,), a weight of two is a row that is there twice. `validation_data`: (X, y) or (X, y,
        sample_weight), whose loss goes into `history_`, and which early stopping looks at in the place of a share of X.
        """
        return self._fit(X, y, sample_weight, validation_data=validation_data)

    def _fit_epoch(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Any:  # noqa: N803
        if self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True")
        return self._fit(X, y, sample_weight, is_partial=True, classes=classes)

    def _fit(
        self,
        X: Any,  # noqa: N803
        y: Any,
        sample_weight: Any,
        validation_data: Any = None,
        is_partial: bool = False,
        classes: Any = None,
    ) -> Any:
        with unchanged_if_refused(self):
            descent = self._ready(X, y, sample_weight, validation_data, is_partial, classes)
            if descent is not None:
                descent.run()
                descent.finish()
            self._need_finite_weights()
        return self

    def _ready(
        self,
        X: Any,  # noqa: N803
        y: Any,
        sample_weight: Any = None,
        validation_data: Any = None,
        is_partial: bool = False,
        classes: Any = None,
    ) -> Descent | None:
        """Check and encode, make the network, and give what trains it; None where lbfgs has done that already."""
        is_first, matrix, y, weight, rng = self._begin(X, y, sample_weight, is_partial, classes)
        if is_first:
            self._start(matrix, rng)
        if is_first or not is_partial:
            self._compile()
        self.n_iter_ = 0
        if self._is_lbfgs():
            self._minimise(matrix, self._network_targets(y), weight)
            return None
        return self._descent(matrix, y, weight, self._checked_validation(validation_data), is_partial, rng)

    def _start(self, matrix: Any, rng: Any) -> None:
        """A new network, and curves that begin."""
        with own_stream(0):  # nothing is drawn from it: weights come from `rng`
            self._build(matrix.shape[1], matrix.dtype, rng)
        self.t_ = 0
        self._no_improvement_count = 0
        self.loss_curve_: list[float] = []
        self.best_loss_: float | None = None if self.early_stopping else np.inf
        self.validation_scores_: list[float] | None = [] if self.early_stopping else None
        self.best_validation_score_: float | None = -np.inf if self.early_stopping else None

    def _compile(self) -> None:
        kernels = [each.kernel for each in self._dense_layers()]
        criterion = Criterion(self._loss_function(), self.alpha, kernels)
        optimizer = optim.SGD() if self._is_lbfgs() else self._new_optimizer()
        compile_with(self.model_, optimizer, criterion, self.metrics)

    def _descent(self, matrix: Any, y: Array, weight: Any, validation: Any, is_partial: bool, rng: Any) -> Descent:
        """Training by steps on batches, ready to begin."""
        held_out = validation if self.early_stopping else None
        if self.early_stopping and validation is None:
            matrix, y, weight, held_out = self._held_out(matrix, y, weight, rng)
        rows = len(y)
        warn_unless(self.batch_size == "auto" or self.batch_size <= rows, "Got `batch_size` larger than sample size.")
        data = None
        if validation is not None:
            data = validation[0], self._network_targets(validation[1]), in_dtype(validation[2], matrix.dtype)
        return Descent(
            estimator=self,
            x=matrix,
            y=self._network_targets(y),
            weight=in_dtype(weight, matrix.dtype),
            validation=data,
            batch_size=min(200 if self.batch_size == "auto" else int(self.batch_size), rows),
            rules=StoppingRules(self, rows, held_out),
            is_partial=is_partial,
            seed=int(rng.randint(SEEDS)),
        )

    def _held_out(self, matrix: Any, y: Array, weight: Any, rng: Any) -> tuple[Any, Array, Any, Any]:
        """What is trained on, and a share for early stopping; of two classes both keep their shares."""
        stratify = y if isinstance(self, LabelTargets) and self._label_kind == "binary" else None
        train, held = train_test_split(
            np.arange(len(y)), test_size=self.validation_fraction, random_state=rng, stratify=stratify
        )
        if len(held) < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or the size of your dataset."
            )
        weights = (None, None) if weight is None else (weight[train], weight[held])
        return matrix[train], y[train], weights[0], (matrix[held], y[held], weights[1])

    def _minimise(self, matrix: Any, targets: Array, weight: Array | None) -> None:
        """Minimise over all rows at once by L-BFGS, in float64. Source: Liu and Nocedal (1989)."""
        x = as_tensor(matrix.toarray() if is_sparse(matrix) else matrix)
        y = as_tensor(targets)
        w = None if weight is None else as_tensor(weight.astype(matrix.dtype))
        variables = self.model_.trainable_variables
        sizes = np.cumsum([int(np.prod(each.shape)) for each in variables])[:-1]

        def value_and_gradient(flat: Array) -> tuple[float, Array]:
            for each, part in zip(variables, np.split(flat, sizes), strict=True):
                each.assign(part.reshape(tuple(each.shape)).astype(matrix.dtype))
            with GradientTape() as tape:
                loss = self.model_.compute_loss(x, y, self.model_(x, training=True), w)
            grads = tape.gradient(loss, variables)
            return float(loss), np.concatenate([each.numpy().ravel() for each in grads]).astype(np.float64)

        start = np.concatenate([each.numpy().ravel() for each in variables]).astype(np.float64)
        options = {"maxfun": self.max_fun, "maxiter": self.max_iter, "gtol": self._loss_tolerance()}
        found = scipy.optimize.minimize(value_and_gradient, start, method="L-BFGS-B", jac=True, options=options)
        self.loss_ = value_and_gradient(found.x)[0]
        self.best_loss_ = self.loss_
        self.n_iter_ = max(1, min(int(found.nit), self.max_iter))
        self.history_ = {"loss": [self.loss_]}
        if self.verbose:
            print(f"L-BFGS: {self.n_iter_} iterations, loss = {self.loss_:.8f}")
        warn_unless(
            found.status != 1,
            f"lbfgs failed to converge after {self.n_iter_} iteration(s) (status=1): {found.message}. Increase the "
            "number of iterations (max_iter) or scale the data.",
            ConvergenceWarning,
        )

    def _loss_tolerance(self) -> float:
        """`tol` in the unit of the network's loss."""
        return self.tol

    def _output_units(self) -> int:
        return self.n_outputs_


class NumberPerceptron(NumberTargets, MultilayerPerceptron):
    """What the regressors share, those with further outputs included."""

    @available_if(lambda self: not self._is_lbfgs())
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:  # noqa: N803
        """One epoch on these rows, going on from the calls before; encoding and scaling are those of the first."""
        return self._fit_epoch(X, y, sample_weight)


class MLPRegressor(NumberPerceptron):
    """A multi-layer perceptron for numbers.

    As scikit-learn's of that name: `hidden_layer_sizes`, `activation` (or any of minitrain's), `solver`, `alpha`,
    `batch_size`, `learning_rate`, `learning_rate_init`, `power_t`, `max_iter` (the epochs), `shuffle`, `random_state`,
    `tol`, `verbose`, `warm_start`, `momentum`, `nesterovs_momentum`, `early_stopping` (but for "lbfgs"),
    `validation_fraction`, `beta_1`, `beta_2`, `epsilon`, `n_iter_no_change`, `max_fun`. And:

    `loss`: "squared_error", "poisson", or any loss of minitrain's. `solver`: also a name of, or an Optimizer.
    `learning_rate`: also a schedule. `metrics`: of the network's outputs, in `history_`. `dropout`: a rate, or one for
    each hidden layer. `normalization`: "batch", of rows whatever their weights, or "layer". `weight_decay`: of the
    kernels, decoupled. `encoding`: "auto" for a TableEncoder, None for a matrix as it is, or a transformer.
    `target_scaling`: whether the network sees targets of mean 0 and deviation 1, or for Poisson's loss and relative
    errors of mean 1 (logarithmic errors see them as they are); predictions are in the targets' unit all the same,
    losses in the network's. `tol` is in the targets' unit, squared for squared errors, where its deviation is above 1.

    float32 trains in float32, all else in float64. `model_` is the network, `encoder_` what turns tables into its
    matrix, `history_` the results of each epoch.

    >>> x = np.linspace(-2, 2, 200)[:, None]
    >>> net = MLPRegressor(hidden_layer_sizes=(20,), solver="lbfgs", tol=10.0, random_state=0)
    >>> net = net.fit(x, 100 * x[:, 0] ** 2)
    >>> bool(abs(net.predict([[1.0]])[0] - 100) < 5)
    True
    """

    def __init__(
        self,
        loss: Any = "squared_error",
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: Any = "adam",
        alpha: float = 0.0001,
        batch_size: Any = "auto",
        learning_rate: Any = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        metrics: Any = None,
        dropout: Any = 0.0,
        normalization: Any = None,
        weight_decay: float | None = None,
        callbacks: Any = None,
        encoding: Any = "auto",
        target_scaling: bool = True,
    ) -> None:
        self.loss = loss
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun
        self.metrics = metrics
        self.dropout = dropout
        self.normalization = normalization
        self.weight_decay = weight_decay
        self.callbacks = callbacks
        self.encoding = encoding
        self.target_scaling = target_scaling

    def _meet_targets(self, y: Array, weight: Any, classes: Any, *, is_first: bool, is_partial: bool) -> None:
        loss = self._loss_function()
        need_counts(loss, y)
        if is_first:
            self._learn_targets(y, weight, scaling_for(loss))
            self.out_activation_ = "exp" if is_of_counts(loss) else "identity"

    def _loss_tolerance(self) -> float:
        # `tol` is of losses in the targets' own unit, as in scikit-learn, unless that unit makes them small.
        power = {"squared_error": 2, "poisson": 1}.get(self.loss, 0) if isinstance(self.loss, str) else 0
        return self.tol / max(1.0, float(self.target_scale_.max())) ** power

    def _loss_function(self) -> Any:
        if isinstance(self.loss, (int, list, tuple)):
            raise InvalidArgumentError(
                f"`loss` is the first argument, and received {self.loss!r}: write `hidden_layer_sizes={self.loss!r}`."
            )
        return number_loss(self.loss)

    def _score_of(self, matrix: Any, y: Array, weight: Any) -> float:
        y_pred = self._in_units(self._outputs_of(matrix))
        return r2_score(y, y_pred, sample_weight=weight) if np.isfinite(y_pred).all() else np.nan


class MLPClassifier(LabelTargets, MultilayerPerceptron):
    """A multi-layer perceptron for labels: of two classes or more, or several labels of 0 and 1 a row.

    As scikit-learn's of that name, and with the further parameters of `MLPRegressor`, but for `target_scaling`. `loss`:
    "log_loss", or any loss of minitrain's, of probabilities and one-hot labels (class numbers for the sparse ones).
    `class_weight`: "balanced", or a dict from labels to factors.
    """

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: Any = "adam",
        alpha: float = 0.0001,
        batch_size: Any = "auto",
        learning_rate: Any = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        loss: Any = "log_loss",
        metrics: Any = None,
        dropout: Any = 0.0,
        normalization: Any = None,
        weight_decay: float | None = None,
        class_weight: Any = None,
        callbacks: Any = None,
        encoding: Any = "auto",
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun
        self.loss = loss
        self.metrics = metrics
        self.dropout = dropout
        self.normalization = normalization
        self.weight_decay = weight_decay
        self.class_weight = class_weight
        self.callbacks = callbacks
        self.encoding = encoding

    @available_if(lambda self: not self._is_lbfgs())
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Any:  # noqa: N803
        """One epoch on these rows, going on from the calls before; the first call says all `classes`."""
        self._need_classes(classes)
        return self._fit_epoch(X, y, sample_weight, classes)

    def decision_function(self, X: Any) -> Array:  # noqa: N803
        """The logits: (n, k), for two classes (n,), positive for the second."""
        check_is_fitted(self)
        matrix = self._matrix(self._checked_inputs(X, reset=False))
        found = []
        for start in range(0, matrix.shape[0], ROWS):
            rows = matrix[start : start + ROWS]
            out = as_tensor(rows.toarray() if is_sparse(rows) else rows)
            for layer in self.model_.layers[1:-1]:  # between the input and the link
                out = layer(out, training=False)
            found.append(out.numpy())
        logits = np.concatenate(found)
        return logits[:, 0] if self._label_kind == "binary" else logits

    def _meet_targets(self, y: Array, weight: Any, classes: Any, *, is_first: bool, is_partial: bool) -> None:
        if is_first:
            self._learn_labels(y, classes)
            self.out_activation_ = "softmax" if self._label_kind == "multiclass" else "logistic"
        if not is_first or classes is not None:
            self._need_known_labels(y, all_of_them=self.warm_start and not is_partial)

    def _network_targets(self, y: Array) -> Array:
        return self._encoded_targets(y, self.model_.dtype, label_loss(self.loss, self._label_kind, self.metrics)[1])

    def _loss_function(self) -> Any:
        return label_loss(self.loss, self._label_kind, self.metrics)[0]

    def _score_of(self, matrix: Any, y: Array, weight: Any) -> float:
        proba = self._outputs_of(matrix)
        return accuracy_score(y, self._labels(proba), sample_weight=weight) if np.isfinite(proba).all() else np.nan
