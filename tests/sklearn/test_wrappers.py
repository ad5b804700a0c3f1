"""Regressor, Classifier and Transformer: any minitrain model under scikit-learn's contract."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import minitrain as mt
from minitrain.sklearn import Classifier, Regressor, Transformer

RNG = np.random.RandomState(0)
X = RNG.randn(120, 4)
Y = 100 + 10 * (X @ np.array([1.0, -2.0, 0.5, 0.0]))
LABELS = np.array(["low", "mid", "top"])[np.digitize(Y, [90.0, 110.0])]


def build(n_features, n_outputs, units=16, activation=None):
    dense = mt.layers.Dense
    return mt.Sequential([mt.Input((n_features,)), dense(units, "tanh"), dense(n_outputs, activation)])


FAST = {"max_iter": 60, "optimizer__learning_rate": 0.03, "random_state": 0}


def test_a_function_builds_the_model_from_the_datas_shape():
    net = Regressor(build, model__units=8, **FAST).fit(X, Y)
    assert net.score(X, Y) > 0.95
    assert net.model_.layers[0].units == 8
    assert Regressor(build, **FAST).fit(X, np.c_[Y, -Y]).predict(X).shape == (120, 2)


def test_a_model_is_cloned_and_left_alone():
    model = build(4, 1)
    before = model.get_weights()
    net = Regressor(model, **FAST).fit(X, Y)
    assert net.score(X, Y) > 0.95
    assert net.model_ is not model
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("activation", [None, "softmax"])
@pytest.mark.parametrize("classes", [2, 3])
def test_probabilities_come_from_logits_and_from_softmax_alike(activation, classes):
    labels = LABELS if classes == 3 else LABELS == "top"
    outputs = {} if classes == 3 or activation is None else {"n_outputs": 2}
    given = {f"model__{name}": value for name, value in outputs.items()}
    net = Classifier(build, model__activation=activation, **given, **FAST).fit(X, labels)
    proba = net.predict_proba(X)
    np.testing.assert_allclose(proba.sum(1), 1.0)
    assert proba.shape == (120, classes)
    assert net.score(X, labels) > 0.9


def test_what_the_model_was_compiled_with_is_taken_over():
    def compiled(n_features):
        model = build(n_features, 1)
        model.compile(mt.optimizers.SGD(0.01, momentum=0.5), "mae", metrics=["mse"])
        return model

    net = Regressor(compiled, max_iter=3, random_state=0).fit(X, Y)
    assert type(net.model_.optimizer).__name__ == "SGD"
    assert net.model_.optimizer.momentum == 0.5
    assert set(net.history_) == {"loss", "mse"}


def test_parameters_with_prefixes_survive_clone_set_params_and_pickle():
    net = Regressor(build, model__units=8, optimizer="sgd", optimizer__momentum=0.9, fit__epochs=2, loss="huber")
    net.set_params(loss__delta=0.5, model__units=5)
    for copied in (clone(net), pickle.loads(pickle.dumps(net))):
        assert copied.get_params() == net.get_params()
    fitted = net.fit(X, Y)
    assert fitted.n_iter_ == 2
    assert fitted.model_.layers[0].units == 5
    assert fitted.model_.optimizer.momentum == 0.9
    assert fitted.model_.loss.function.delta == 0.5
    with pytest.raises(ValueError, match="Invalid parameter"):
        net.set_params(units=3)
    with pytest.raises(TypeError, match="begin with model__"):
        Regressor(build, epoch=3).fit(X, Y)


def test_prefixes_may_be_left_out_where_the_name_tells():
    net = Regressor(build, units=8, epochs=3, validation_split=0.25, random_state=0)
    bare, prefixed = net, Regressor(build, model__units=8, fit__epochs=3, fit__validation_split=0.25, random_state=0)
    np.testing.assert_array_equal(bare.fit(X, Y).predict(X), prefixed.fit(X, Y).predict(X))
    assert bare.history_ == prefixed.history_
    found = GridSearchCV(net, {"epochs": [1, 2], "units": [2, 3]}, cv=2).fit(X, Y).best_estimator_
    assert found.n_iter_ == found.get_params()["epochs"] <= 2
    assert found.model_.layers[0].units <= 3
    assert Regressor(build).set_params(epochs=4).fit(X, Y).n_iter_ == 4


@pytest.mark.parametrize(
    ("estimator", "y", "expected"),
    [
        (Regressor, Y, ("continuous", 1, 0)),
        (Classifier, Y > 100, ("binary", 1, 2)),
        (Classifier, LABELS, ("multiclass", 3, 3)),
        (Classifier, np.c_[Y > 100, Y > 90], ("multilabel-indicator", 2, 2)),
    ],
    ids=["numbers", "two classes", "three classes", "several labels"],
)
def test_a_function_may_ask_for_all_that_is_known_and_for_what_to_compile_with(estimator, y, expected):
    def made(meta, compile_kwargs, units):
        assert (meta["target_type_"], meta["n_outputs_"], meta["n_classes_"]) == expected
        assert (meta["n_features_in_"], meta["X_shape_"]) == (4, X.shape)
        model = build(meta["n_features_in_"], meta["n_outputs_"], units)
        model.compile(compile_kwargs["optimizer"], compile_kwargs["loss"] or "mse")
        return model

    net = estimator(made, model__units=3, optimizer="sgd", optimizer__momentum=0.5, epochs=1).fit(X, y)
    assert net.model_.optimizer.momentum == 0.5
    assert net.predict(X).shape == np.shape(y)


@pytest.mark.parametrize(
    ("callbacks", "prefix"),
    [
        (mt.callbacks.EarlyStopping, ""),
        ([mt.callbacks.EarlyStopping], "0__"),
        ({"e": mt.callbacks.EarlyStopping}, "e__"),
    ],
    ids=["class", "place", "name"],
)
def test_classes_of_callbacks_take_options(callbacks, prefix):
    options = {f"callbacks__{prefix}monitor": "loss", f"callbacks__{prefix}min_delta": 1e9}
    net = Regressor(build, callbacks=callbacks, max_iter=20, **options)
    assert clone(net).set_params(**{f"callbacks__{prefix}patience": 3}).fit(X, Y).n_iter_ == 4


def test_validation_data_may_be_a_parameter():
    given, parameter = Regressor(build, **FAST), Regressor(build, fit__validation_data=(X[80:], Y[80:]), **FAST)
    given.fit(X[:80], Y[:80], validation_data=(X[80:], Y[80:]))
    assert parameter.fit(X[:80], Y[:80]).history_ == given.history_


def test_grid_search_reaches_the_model_and_the_optimizer():
    grid = {"regressor__model__units": [2, 16], "regressor__optimizer__learning_rate": [1e-5, 0.03]}
    pipeline = make_pipeline(StandardScaler(), Regressor(build, max_iter=40, random_state=0))
    found = GridSearchCV(pipeline, grid, cv=2, n_jobs=2).fit(X, Y)
    assert found.best_params_ == {"regressor__model__units": 16, "regressor__optimizer__learning_rate": 0.03}


def test_the_dtype_of_the_input_is_that_of_a_built_model():
    for dtype in ("float32", "float64"):
        net = Regressor(build, max_iter=2, random_state=0).fit(X.astype(dtype), Y)
        assert {each.dtype.name for each in net.model_.weights} == {dtype} == {net.predict(X).dtype.name}
    assert mt.config.floatx() == "float32"


def test_the_same_seed_gives_the_same_bits():
    def dropping(n_features):
        return mt.Sequential(
            [mt.Input((n_features,)), mt.layers.Dense(8, "relu"), mt.layers.Dropout(0.3), mt.layers.Dense(1)]
        )

    one, other = (Regressor(dropping, max_iter=3, random_state=5).fit(X, Y).predict(X) for _ in range(2))
    np.testing.assert_array_equal(one, other)


def test_images_keep_their_axes():
    def flat(input_shape, n_outputs):
        return mt.Sequential([mt.Input(input_shape), mt.layers.Flatten(), mt.layers.Dense(n_outputs)])

    images = RNG.randn(60, 3, 3, 1)
    net = Classifier(flat, **FAST).fit(images, images[:, 1, 1, 0] > 0)
    assert net.score(images, images[:, 1, 1, 0] > 0) > 0.9


def test_labels_of_several_kinds_at_once():
    y = np.c_[X[:, 0] > 0, X[:, 1] > 0].astype(int)
    net = Classifier(build, **FAST).fit(X, y)
    assert net.predict_proba(X).shape == (120, 2)
    assert (net.predict(X) == y).mean() > 0.9


def test_callbacks_and_validation_data_reach_fit():
    stop = mt.callbacks.EarlyStopping(patience=2)
    net = Regressor(build, callbacks=[stop], **FAST | {"max_iter": 500}).fit(
        X[:80], Y[:80], validation_data=(X[80:], Y[80:])
    )
    assert net.n_iter_ < 500
    assert "val_loss" in net.history_
    assert stop.model is None


def test_partial_fit_and_warm_start_go_on():
    net = Classifier(build, random_state=0).partial_fit(X[:10], LABELS[:10], classes=["low", "mid", "top"])
    model = net.model_
    assert net.partial_fit(X, LABELS).model_ is model
    net = Regressor(build, warm_start=True, max_iter=5, random_state=0).fit(X, Y)
    first = net.history_["loss"][-1]
    assert net.fit(X, Y).history_["loss"][-1] < first


@pytest.mark.parametrize("loss", [None, "categorical_crossentropy"])
@pytest.mark.parametrize("labels", [LABELS, LABELS == "top"])
def test_a_warm_start_goes_on_with_the_loss_of_the_first_fit(loss, labels):
    loss = None if labels.dtype == bool else loss
    once = Classifier(build, loss=loss, max_iter=1, random_state=0).fit(X, labels)
    twice = Classifier(build, loss=loss, max_iter=1, random_state=0, warm_start=True).fit(X, labels)
    once.partial_fit(X, labels)
    twice.fit(X, labels)
    assert twice.history_["loss"][0] == pytest.approx(once.history_["loss"][0], rel=1e-3)


def test_models_that_do_not_fit_the_data_are_refused():
    with pytest.raises(ValueError, match="gives 5 numbers a row"):
        Regressor(build, model__n_outputs=5).fit(X, Y)
    with pytest.raises(ValueError, match="there are 3 classes"):
        Classifier(build, model__n_outputs=2).fit(X, LABELS)
    with pytest.raises(TypeError, match="`model` must be"):
        Regressor(3).fit(X, Y)


def test_an_autoencoder_transforms_to_its_code():
    flat = RNG.randn(200, 1) @ RNG.randn(1, 5)
    coder = Transformer(model__n_components=1, max_iter=150, optimizer__learning_rate=0.02, random_state=0).fit(flat)
    code = coder.transform(flat)
    assert code.shape == (200, 1)
    assert coder.history_["loss"][-1] < 0.05 * flat.var()
    assert coder.get_feature_names_out().tolist() == ["transformer0"]
    named = Transformer(lambda n_features: build(n_features, n_features, units=3), layer=0, max_iter=1).fit(X)
    assert named.transform(X).shape == (120, 3)


def test_a_search_varies_the_functions_own_arguments():
    search = GridSearchCV(Regressor(build, **FAST), {"units": [2, 16]}, cv=2, error_score="raise").fit(X, Y)
    assert search.best_estimator_.model_.layers[0].units == search.best_params_["units"]
    with pytest.raises(ValueError, match="Invalid parameter"):
        Regressor(build).set_params(nothing=3)
