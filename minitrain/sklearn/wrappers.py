"""Regressor, Classifier and Transformer: any minitrain model, or a function that builds one, as an estimator.

A function is asked for a model of the data's shape, in the data's dtype; a model is cloned, so that every fit starts
from new weights. Arguments with a prefix go where it says: `model__units=30` to the function, `fit__epochs` to
`model.fit`, `optimizer__learning_rate`, `loss__delta` and `callbacks__patience` to those. The prefix may be left out
where the function, or `model.fit`, has an argument of that name. They are parameters like all others for `clone`,
`set_params` and grid search.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from minitrain import activations, config, layers, losses, optim
from minitrain.configuration import Configurable
from minitrain.engine.convert import as_tensor
from minitrain.errors import DTypeError, InvalidArgumentError, ShapeError
from minitrain.layers.core import Input
from minitrain.models import Model, clone_model
from minitrain.nest import as_list
from minitrain.sklearn.base import (
    ROWS,
    SEEDS,
    Criterion,
    LabelTargets,
    NetworkEstimator,
    NumberTargets,
    checked_encoding,
    compile_with,
    label_loss,
    need_counts,
    number_loss,
    own_stream,
    scaling_for,
    unchanged_if_refused,
)
from minitrain.sklearn.encoding import TableEncoder, is_sparse
from minitrain.training.objective import as_loss

Array = Any
PREFIXES = ("model__", "optimizer__", "loss__", "callbacks__", "fit__")
FIT_ARGUMENTS = frozenset(inspect.signature(Model.fit).parameters) - {"self", "x", "y", "sample_weight"}


@contextmanager
def default_dtype(dtype: Any) -> Iterator[None]:
    """Within this `with` block new layers are of this dtype."""
    outer = config.floatx()
    config.set_floatx(np.dtype(dtype).name)
    try:
        yield
    finally:
        config.set_floatx(outer)


def perceptron(
    n_features: int, n_outputs: int, units: Any = (100,), activation: Any = "relu", dropout: float = 0.0
) -> Model:
    """The model where none is given: dense layers of so many units each, and a linear output."""
    out = x = Input((n_features,), dtype=config.floatx())
    for count in [units] if isinstance(units, int) else units:
        out = layers.Dense(count, activation)(out)
        out = layers.Dropout(dropout)(out) if dropout else out
    return Model(x, layers.Dense(n_outputs)(out))


def autoencoder(n_features: int, n_components: int = 2, units: Any = (), activation: Any = "relu") -> Model:
    """The model where none is given to a Transformer: to a few numbers, in the layer "code", and back."""
    out = x = Input((n_features,), dtype=config.floatx())
    for count in units:
        out = layers.Dense(count, activation)(out)
    out = layers.Dense(n_components, name="code")(out)
    for count in reversed(units):
        out = layers.Dense(count, activation)(out)
    return Model(x, layers.Dense(n_features)(out))


class ModelEstimator(NetworkEstimator):
    """What the three share: parameters with prefixes, the model, its training."""

    _allows_nd = True
    default_model: Any = staticmethod(perceptron)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters, those with prefixes included."""
        return {**super().get_params(deep), **self._given}

    def set_params(self, **params: Any) -> Any:
        """Set parameters; those of `fit` and of the model's function, and those with prefixes, may be new."""
        asked = {each for each in self._asked() if f"model__{each}" not in self._given}
        known = FIT_ARGUMENTS.union(asked).difference(super().get_params(deep=False)).union(self._given)
        routed = {name: params.pop(name) for name in list(params) if name.startswith(PREFIXES) or name in known}
        self._given = {**self._given, **routed}
        return super().set_params(**params)

    def _routed(self, prefix: str) -> dict[str, Any]:
        """What is meant for one of PREFIXES, by names without it."""
        bare = {"model__": self._asked(), "fit__": FIT_ARGUMENTS - self._asked()}.get(prefix, ())
        found = {name: value for name, value in self._given.items() if name in bare}
        return found | {name[len(prefix) :]: value for name, value in self._given.items() if name.startswith(prefix)}

    def _builder(self) -> Any:
        """The function that builds the model, or the model."""
        return type(self).default_model if self.model is None else self.model

    def _asked(self) -> frozenset[str]:
        """The names of the arguments of the function that builds the model."""
        build = self._builder()
        is_function = callable(build) and not isinstance(build, Model)
        return frozenset(inspect.signature(build).parameters) if is_function else frozenset()

    # ------------------------------------------------------------------------------------------------------- the model

    def _check_parameters(self) -> None:
        checked_encoding(self.encoding)
        for name in self._given:
            if not (name.startswith(PREFIXES) or name in self._asked() | FIT_ARGUMENTS) or name in PREFIXES:
                raise TypeError(
                    f"{type(self).__name__} got an unexpected keyword argument {name!r}. Arguments for the model's "
                    f"function, the optimizer, the loss, callbacks and `fit` begin with {', '.join(PREFIXES)}."
                )
        for name in ("max_iter", "batch_size"):
            value = getattr(self, name)
            if isinstance(value, str) and value == "auto" and name == "batch_size":
                continue
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
                raise InvalidArgumentError(f"`{name}` must be a positive integer, received {value!r}.")
        for name in ("warm_start", "target_scaling"):
            value = getattr(self, name, True)
            if not isinstance(value, (bool, np.bool_)):  # "false" would be true
                raise InvalidArgumentError(f"`{name}` must be True or False, received {value!r}.")
        is_optimizer = isinstance(self.optimizer, (str, dict, Configurable)) or callable(self.optimizer)
        if self.optimizer is not None and not is_optimizer:
            raise InvalidArgumentError(f"`optimizer` must be a name, a class or an Optimizer, not {self.optimizer!r}.")
        if self._routed("callbacks__") and self.callbacks is None:
            unused = next(each for each in self._given if each.startswith("callbacks__"))
            raise InvalidArgumentError(f"{unused!r} is an argument of `callbacks`, which are not given.")

    def _new_encoder(self) -> Any:
        if self.encoding is not None and isinstance(self.encoding, str):
            return TableEncoder(embed=False)  # a model of one's own expects columns of numbers alone
        return super()._new_encoder()

    def _build(self, matrix: Any, facts: dict[str, Any]) -> None:
        """Make `model_` for such a matrix; `facts` is what a function may ask for by the names of its arguments."""
        with default_dtype(matrix.dtype):
            made = self._made(facts)
        row = matrix[:1].toarray() if is_sparse(matrix) else matrix[:1]
        y_pred = made(as_tensor(row.astype(made.dtype)), training=False)
        if not hasattr(y_pred, "shape"):
            raise ShapeError(f"An estimator needs a model of one output, received one that gives {type(y_pred)}.")
        self.model_ = made
        self._width = y_pred.shape[-1] if len(y_pred.shape) > 1 else 1
        self._gives_logits = not hasattr(y_pred, "_logits")

    def _made(self, facts: dict[str, Any]) -> Model:
        given = self._routed("model__")
        if isinstance(self.model, Model):
            if given:
                raise InvalidArgumentError(
                    f"`model` is a model, which takes no arguments such as 'model__{next(iter(given))}': give the "
                    "function that builds it."
                )
            self._compiled = _compiled(self.model)
            return clone_model(self.model)
        build = self._builder()
        if not callable(build):
            raise DTypeError(f"`model` must be a minitrain model or a function that builds one, received {build!r}.")
        made = build(**{name: value for name, value in facts.items() if name in self._asked()} | given)
        if not isinstance(made, Model):
            raise DTypeError(f"The function `model` must give a minitrain model, received {made!r}.")
        self._compiled = _compiled(made)
        return made

    def _compile(self, default_loss: Any) -> None:
        """Compile with the loss and optimizer given, else those that the model was compiled with, else defaults."""
        names = ("loss", "optimizer", "metrics")
        given = self._compiled | {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        loss = _loss(given.get("loss"), self._routed("loss__"))
        optimizer = _optimizer(given.get("optimizer", "adam"), self._routed("optimizer__"))
        compile_with(self.model_, optimizer, default_loss(loss), given.get("metrics"))

    # -------------------------------------------------------------------------------------------------------- training

    def _train(self, matrix: Any, targets: Array, weight: Any, validation: Any, epochs: int, seed: int) -> None:
        dtype = self.model_.dtype
        rows = matrix.shape[0]
        options = {
            "epochs": epochs,
            "batch_size": min(200, rows) if self.batch_size == "auto" else int(self.batch_size),
            "verbose": int(self.verbose),
            **self._routed("fit__"),
        }
        callbacks = _new_callbacks(self.callbacks, self._routed("callbacks__"))
        callbacks += _new_callbacks(options.pop("callbacks", None), {})
        if validation is not None:
            options["validation_data"] = validation
        if options["batch_size"] >= rows:
            options.setdefault("shuffle", False)
        with own_stream(seed):
            history = self.model_.fit(
                matrix,
                targets,
                sample_weight=None if weight is None else weight.astype(dtype),
                callbacks=callbacks,
                **options,
            )
        self.history_ = dict(history.history)
        self.model_.history = None
        self.n_iter_ = len(self.history_["loss"])
        self._need_finite_weights()

    def _fit(self, X: Any, y: Any, sample_weight: Any, validation_data: Any = None, **options: Any) -> Any:  # noqa: N803
        with unchanged_if_refused(self):
            self._fit_checked(X, y, sample_weight, validation_data, **options)
        return self

    def _fit_checked(
        self,
        X: Any,  # noqa: N803
        y: Any,
        sample_weight: Any,
        validation_data: Any,
        is_partial: bool = False,
        classes: Any = None,
    ) -> None:
        is_first, matrix, y, weight, rng = self._begin(X, y, sample_weight, is_partial, classes)
        seeds = rng.randint(SEEDS, size=2)
        if is_first:
            facts = self._facts(matrix)
            with own_stream(int(seeds[0])):
                self._build(matrix, facts)
            self._need_width()
        if is_first or not is_partial:
            self._compile(self._criterion)
        self._meet_loss(y, weight, is_first)
        given = self._routed("fit__").get("validation_data") if validation_data is None else validation_data
        validation = self._checked_validation(given)
        if validation is not None:
            x, t, w = validation
            validation = (x, self._network_targets(t), *([] if w is None else [w]))
        epochs = 1 if is_partial else self.max_iter
        self._train(matrix, self._network_targets(y), weight, validation, epochs, int(seeds[1]))

    def fit(self, X: Any, y: Any, sample_weight: Any = None, validation_data: Any = None) -> Any:  # noqa: N803
        """Train on X (n, ...) and targets y; `validation_data`: (X, y) or (X, y, sample_weight), for `history_`."""
        return self._fit(X, y, sample_weight, validation_data)

    def _meet_loss(self, y: Array, weight: Any, is_first: bool) -> None:
        """Called when it is known what is minimised: a model may bring its own loss."""

    def _facts(self, matrix: Any) -> dict[str, Any]:
        """What a function that builds a model may ask for: `meta` and `compile_kwargs` are those of SciKeras."""
        n_features, n_classes = matrix.shape[1], len(getattr(self, "classes_", ()))
        kind = getattr(self, "_label_kind", "continuous")
        learned = {name: value for name, value in vars(self).items() if name.endswith("_")}
        facts = {
            "n_features": n_features,
            "input_shape": tuple(matrix.shape[1:]),
            "n_outputs": self.n_outputs_,
            "n_classes": n_classes,
            "meta": learned
            | {"n_features_in_": n_features, "X_shape_": matrix.shape, "X_dtype_": matrix.dtype}
            | {"n_classes_": n_classes, "target_type_": "multilabel-indicator" if kind == "multilabel" else kind},
        }
        if "compile_kwargs" in self._asked():
            facts["compile_kwargs"] = {
                "optimizer": _optimizer(self.optimizer or "adam", self._routed("optimizer__")),
                "loss": _loss(self.loss, self._routed("loss__")),
                "metrics": self.metrics,
            }
        return facts


def _compiled(model: Model) -> dict[str, Any]:
    """What a model was compiled with, before it is for an estimator."""
    if not model.compiled:
        return {}
    metrics = (model._compile_config or {}).get("metrics")
    return {"loss": model.loss, "optimizer": model.optimizer, "metrics": metrics}


def _loss(given: Any, options: dict[str, Any]) -> Any:
    """A loss of a name, a class or an instance, with some options set."""
    if not options:
        return given
    found = losses.get(given)
    if found is None:
        raise InvalidArgumentError(f"'loss__{next(iter(options))}' is an option of `loss`, which is not given.")
    if isinstance(found, Configurable):
        return type(found).from_config({**found.get_config(), **options})
    return getattr(found, "loss_class", found)(**options)


def _new_callbacks(given: Any, options: dict[str, Any]) -> list[Any]:
    """Callbacks for one fit, which leaves parameters as they are: copies of instances, instances of classes.

    `options` are those of the classes: of all, or "name__option" of the one of that name, or place, in `given`.
    """
    found = []
    for name, each in (given if isinstance(given, dict) else dict(enumerate(as_list(given)))).items():
        if not isinstance(each, type):
            found.append(copy.copy(each))
            continue
        own = {option: value for option, value in options.items() if "__" not in option}
        prefix = f"{name}__"
        own |= {option[len(prefix) :]: value for option, value in options.items() if option.startswith(prefix)}
        found.append(each(**own))
    return found


def _optimizer(given: Any, options: dict[str, Any]) -> Any:
    """A new optimizer of a name, a class or an instance, with some options set."""
    if isinstance(given, str):
        return optim.get({"class_name": given, "config": options})
    if isinstance(given, dict):
        return optim.get({**given, "config": {**given.get("config", {}), **options}})
    if isinstance(given, Configurable):
        return type(given).from_config({**given.get_config(), **options})
    return given(**options)


class Regressor(NumberTargets, ModelEstimator):
    """A minitrain model as a regressor.

    `model`: a model, or a function that builds one, which may ask for `n_features`, `n_outputs`, `input_shape`, or all
    that is known as `meta`, by the names of its arguments; None for dense layers, `model__units` and
    `model__activation`. `loss`, `optimizer`, `metrics`: as for `compile`; by default what the model was compiled with,
    else squared error and Adam. `max_iter`: epochs. `callbacks`: instances, or classes whose arguments have the prefix
    `callbacks__`. `target_scaling`: whether the model sees targets of mean 0 and deviation 1. `encoding`: None for
    arrays as they are, "auto" for a TableEncoder without embeddings, or a transformer.

    >>> x = np.linspace(-1, 1, 100)[:, None]
    >>> net = Regressor(model__units=(20,), optimizer__learning_rate=0.01, random_state=0).fit(x, 3 * x[:, 0])
    >>> bool(net.score(x, 3 * x[:, 0]) > 0.99)
    True
    """

    def __init__(
        self,
        model: Any = None,
        *,
        loss: Any = None,
        optimizer: Any = None,
        metrics: Any = None,
        batch_size: Any = "auto",
        max_iter: int = 200,
        random_state: Any = None,
        verbose: Any = 0,
        warm_start: bool = False,
        callbacks: Any = None,
        encoding: Any = None,
        target_scaling: bool = True,
        **routed: Any,
    ) -> None:
        self.model = model
        self.loss = loss
        self.optimizer = optimizer
        self.metrics = metrics
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.random_state = random_state
        self.verbose = verbose
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.encoding = encoding
        self.target_scaling = target_scaling
        self._given = routed

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:  # noqa: N803
        """One epoch on these rows, going on from the calls before."""
        return self._fit(X, y, sample_weight, is_partial=True)

    def _meet_targets(self, y: Array, weight: Any, classes: Any, *, is_first: bool, is_partial: bool) -> None:
        if is_first:
            self._learn_targets(y, weight)

    def _need_width(self) -> None:
        if self._width != self.n_outputs_:
            raise ShapeError(f"The model gives {self._width} numbers a row, and y has {self.n_outputs_}.")

    def _criterion(self, given: Any) -> Any:
        return Criterion(number_loss("squared_error" if given is None else given))

    def _meet_loss(self, y: Array, weight: Any, is_first: bool) -> None:
        loss = self.model_.loss.function
        need_counts(loss, y)
        if is_first:
            self._learn_targets(y, weight, scaling_for(loss))


class Classifier(LabelTargets, ModelEstimator):
    """A minitrain model as a classifier, of two classes or more, or several labels of 0 and 1 a row.

    As `Regressor`; a function that builds the model may ask for `n_classes` too. The model gives one number a row for
    two classes, or one a class. Whether these are probabilities, from a softmax or sigmoid, or logits, is seen from the
    model. `class_weight`: "balanced", or a dict from labels to factors.
    """

    def __init__(
        self,
        model: Any = None,
        *,
        loss: Any = None,
        optimizer: Any = None,
        metrics: Any = None,
        batch_size: Any = "auto",
        max_iter: int = 200,
        random_state: Any = None,
        verbose: Any = 0,
        warm_start: bool = False,
        class_weight: Any = None,
        callbacks: Any = None,
        encoding: Any = None,
        **routed: Any,
    ) -> None:
        self.model = model
        self.loss = loss
        self.optimizer = optimizer
        self.metrics = metrics
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.random_state = random_state
        self.verbose = verbose
        self.warm_start = warm_start
        self.class_weight = class_weight
        self.callbacks = callbacks
        self.encoding = encoding
        self._given = routed

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Any:  # noqa: N803
        """One epoch on these rows, going on from the calls before; the first call says all `classes`."""
        self._need_classes(classes)
        return self._fit(X, y, sample_weight, is_partial=True, classes=classes)

    def decision_function(self, X: Any) -> Array:  # noqa: N803
        """Logarithms of the probabilities (n, k); for two classes (n,), or several labels (n, l), of the odds."""
        proba = self._outputs(X)
        limits = np.finfo(proba.dtype)
        chance = np.log(np.maximum(proba, limits.tiny))
        if self._label_kind == "multiclass":
            return chance
        odds = chance - np.log(np.maximum(1.0 - proba, limits.eps))  # the least that 1 - p can be beside 0
        return odds[:, 0] if self._label_kind == "binary" else odds

    def _meet_targets(self, y: Array, weight: Any, classes: Any, *, is_first: bool, is_partial: bool) -> None:
        if is_first:
            self._learn_labels(y, classes)
        if not is_first or classes is not None:
            self._need_known_labels(y, all_of_them=self.warm_start and classes is None)

    def _need_width(self) -> None:
        self._is_pair = self._label_kind == "binary" and self._width == 2
        if self._width != self.n_outputs_ and not self._is_pair:
            raise ShapeError(
                f"The model gives {self._width} numbers a row, and there are {len(self.classes_)} classes: let its "
                "function ask for `n_outputs`."
            )

    def _link(self) -> Any:
        """What makes probabilities of the model's outputs; None where they are that."""
        if not self._gives_logits:
            return None
        return activations.softmax if self._is_pair or self._label_kind == "multiclass" else activations.sigmoid

    def _criterion(self, given: Any) -> Any:
        loss, self._wants_one_hot = label_loss(given, "multiclass" if self._is_pair else self._label_kind, self.metrics)
        return Criterion(loss, link=self._link())

    def _network_targets(self, y: Array) -> Array:
        if not self._is_pair:
            return self._encoded_targets(y, self.model_.dtype, self._wants_one_hot)
        numbers = np.searchsorted(self.classes_, y)
        return np.eye(2, dtype=self.model_.dtype)[numbers] if self._wants_one_hot else numbers

    def _outputs_of(self, matrix: Any) -> Array:
        """The probabilities: (n, 1) for two classes, (n, k) for more."""
        outputs = super()._outputs_of(matrix)
        link = self._link()
        proba = outputs.reshape(len(outputs), -1) if link is None else link(as_tensor(outputs)).numpy()
        return proba[:, 1:] if self._is_pair else proba


class Transformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ModelEstimator):
    """A minitrain model that learns to give its input back, and transforms to what one of its layers gives.

    `model`: as for `Regressor`; None for an autoencoder of `model__n_components` numbers, 2 by default. `layer`: the
    name or place of the layer whose outputs `transform` gives; by default the one called "code", else the model itself.
    """

    default_model = staticmethod(autoencoder)

    def __init__(
        self,
        model: Any = None,
        *,
        layer: Any = None,
        loss: Any = None,
        optimizer: Any = None,
        metrics: Any = None,
        batch_size: Any = "auto",
        max_iter: int = 200,
        random_state: Any = None,
        verbose: Any = 0,
        warm_start: bool = False,
        callbacks: Any = None,
        encoding: Any = None,
        **routed: Any,
    ) -> None:
        self.model = model
        self.layer = layer
        self.loss = loss
        self.optimizer = optimizer
        self.metrics = metrics
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.random_state = random_state
        self.verbose = verbose
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.encoding = encoding
        self._given = routed

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Any:  # noqa: N803
        """Train the model to give X (n, columns) back; `y` is not looked at."""
        with unchanged_if_refused(self):
            self._fit_inputs(X, sample_weight, is_partial=False)
        return self

    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Any:  # noqa: N803
        """One epoch on these rows, going on from the calls before."""
        with unchanged_if_refused(self):
            self._fit_inputs(X, sample_weight, is_partial=True)
        return self

    def _fit_inputs(self, X: Any, sample_weight: Any, is_partial: bool) -> None:  # noqa: N803
        self._check_parameters()
        is_first = not hasattr(self, "model_") or not (self.warm_start or is_partial)
        X = self._checked_inputs(X, is_first)  # noqa: N806
        weight = None
        if sample_weight is not None:
            rows = np.empty((X.shape[0], 0))
            weight = _check_sample_weight(sample_weight, rows, dtype=np.float64, ensure_non_negative=True)
        if is_first:
            self._learn_inputs(X, weight)
        matrix = self._matrix(X)
        matrix = matrix.toarray() if is_sparse(matrix) else matrix
        if weight is not None:
            matrix, weight = matrix[weight > 0], weight[weight > 0]
        seeds = check_random_state(self.random_state).randint(SEEDS, size=2)
        if is_first:
            self.n_outputs_ = int(np.prod(matrix.shape[1:]))
            facts = self._facts(matrix)
            with own_stream(int(seeds[0])):
                self._build(matrix, facts)
            self._find_layer(matrix)
        if is_first or not is_partial:
            self._compile(lambda loss: Criterion(as_loss("mse" if loss is None else loss)))
        self._train(matrix, matrix, weight, None, 1 if is_partial else self.max_iter, int(seeds[1]))

    def _find_layer(self, matrix: Any) -> None:
        names = [each.name for each in self.model_.layers]
        wanted = "code" if self.layer is None and "code" in names else self.layer
        self.transform_model_ = self.model_
        if wanted is not None:
            found = self.model_.get_layer(**({"index": wanted} if isinstance(wanted, int) else {"name": wanted}))
            self.transform_model_ = Model(self.model_.inputs[0], found.output, dtype=self.model_.dtype)
        self._n_features_out = int(np.prod(self._transformed(matrix[:1]).shape[1:]))

    def _transformed(self, matrix: Any) -> Array:
        return self.transform_model_.predict(matrix, batch_size=ROWS, verbose=0)

    def transform(self, X: Any) -> Array:  # noqa: N803
        """What the layer gives for X: (n, columns) -> (n, components)"""
        check_is_fitted(self)
        found = self._transformed(self._matrix(self._checked_inputs(X, reset=False)))
        return found.reshape(len(found), -1)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
