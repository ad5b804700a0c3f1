"""Functional models: drawn with symbolic tensors, run on data, with several inputs and outputs."""

import copy
import gc
import pickle
import weakref

import numpy as np
import pytest

import minitrain as mt
from minitrain import Input, Model, layers
from minitrain.models import clone_model, model_from_json

RNG = np.random.default_rng(0)
X = RNG.normal(size=(64, 8)).astype("float32")
Y1 = RNG.normal(size=(64, 1)).astype("float32")
Y2 = RNG.integers(0, 3, 64)


def two_headed(kind="list"):
    x = Input((8,), name="features")
    h = layers.Dense(4, activation="relu", name="hidden")(x)
    a = layers.Dense(1, name="a")(h)
    b = layers.Dense(3, activation="softmax", name="b")(h)
    return Model(x, {"a": a, "b": b} if kind == "dict" else [a, b])


def wide_and_deep():
    wide, deep = Input((5,), name="wide"), Input((6,), name="deep")
    h = layers.Dense(30, activation="relu")(layers.Dense(30, activation="relu")(deep))
    out = layers.Dense(1, name="main")(layers.concatenate([wide, h]))
    return Model([wide, deep], [out, layers.Dense(1, name="aux")(h)])


def test_a_functional_model_computes_what_its_layers_compute():
    x = Input((8,))
    first, second = layers.Dense(4, activation="tanh"), layers.Dense(2)
    model = Model(inputs=x, outputs=second(first(x)))
    np.testing.assert_array_equal(model(X), second(first(X)))
    assert model.input_shape == (None, 8)
    assert model.output_shape == (None, 2)
    assert first.output.shape == (None, 4)
    assert [type(each).__name__ for each in model.layers] == ["InputLayer", "Dense", "Dense"]


@pytest.mark.parametrize(
    "draw",
    [
        lambda x: 1.0 - x * 2,
        lambda x: x[:, 1:3],
        lambda x: mt.reduce_mean(x, axis=-1, keepdims=True),
        lambda x: mt.ops.concatenate([x, mt.ops.square(x)], axis=-1),
        lambda x: mt.nn.relu(x) @ mt.ones((8, 2)),
        lambda x: mt.math.reduce_max(mt.keras.activations.gelu(x), axis=1),
        lambda x: mt.where(x > 0, x, mt.zeros_like(x)),
        lambda x: -(abs(x) ** 2.0) / 3.0,
        lambda x: mt.split(x, 2, axis=1)[1],
        lambda x: mt.keras.ops.softmax(x, axis=-1),
    ],
    ids=range(10),
)
def test_operations_may_stand_in_the_drawing(draw):
    x = Input((8,))
    out = draw(x)
    model = Model(x, out)
    np.testing.assert_allclose(model(X), draw(mt.constant(X)), rtol=1e-6)
    assert out.shape == (None, *np.shape(draw(mt.constant(X)))[1:])
    twin = Model.from_config(model.get_config())
    np.testing.assert_array_equal(twin(X), model(X))


def test_open_axes_are_found_by_two_examples():
    x = Input((None, 8))
    assert layers.Dense(3)(x).shape == (None, None, 3)
    assert layers.UpSampling1D(2)(x).shape == (None, None, 8)
    assert mt.reduce_sum(x, axis=1).shape == (None, 8)
    assert layers.Flatten()(Input((4, 2))).shape == (None, 8)
    assert Input((2,), batch_size=5).shape == (5, 2)
    assert layers.Embedding(10, 3)(Input((4,), dtype="int32")).shape == (None, 4, 3)


def test_drawing_changes_no_statistics_and_no_random_stream():
    x = Input((8,))
    norm, drop = layers.BatchNormalization(), layers.Dropout(0.5, seed=1)
    drop(norm(x), training=True)
    np.testing.assert_array_equal(norm.moving_mean, np.zeros(8))
    np.testing.assert_array_equal(drop(X, training=True), layers.Dropout(0.5, seed=1)(X, training=True))


def test_a_shared_layer_has_one_set_of_weights():
    shared = layers.Dense(3)
    one, two = Input((8,)), Input((8,))
    model = Model([one, two], layers.subtract([shared(one), shared(two)]))
    assert len(model.weights) == 2
    np.testing.assert_allclose(model([X, X]), np.zeros((64, 3)), atol=1e-6)
    with mt.GradientTape() as tape:
        loss = mt.reduce_sum(model([X, 2 * X]))
    assert tape.gradient(loss, shared.kernel).shape == (8, 3)


def test_models_nest():
    inner = mt.Sequential([Input((8,)), layers.Dense(4), layers.BatchNormalization()])
    x = Input((8,))
    model = Model(x, layers.Dense(1)(inner(x)))
    assert model.count_params() == 8 * 4 + 4 + 16 + 5
    np.testing.assert_array_equal(model(X), model.layers[-1](inner(X)))
    inner.trainable = False
    assert len(model.trainable_weights) == 2


def test_inputs_come_by_place_or_by_name():
    model = wide_and_deep()
    wide, deep = X[:, :5], X[:, 2:]
    listed = model.predict([wide, deep], verbose=0)
    named = model.predict({"deep": deep, "wide": wide}, verbose=0)
    for one, other in zip(listed, named, strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(ValueError, match="'deep'"):
        model.predict({"wide": wide}, verbose=0)
    with pytest.raises(ValueError, match="2 inputs"):
        model.predict([wide], verbose=0)
    with pytest.raises(ValueError, match=r"'wide' expects data of shape \(None, 5\)"):
        model.predict([deep, wide], verbose=0)


@pytest.mark.parametrize("kind", ["list", "dict"])
@pytest.mark.parametrize("targets", ["list", "dict"])
def test_several_outputs_train_with_names_as_in_keras(kind, targets):
    model = two_headed(kind)
    losses = {"a": "mse", "b": "sparse_categorical_crossentropy"}
    model.compile("sgd", loss=losses, loss_weights={"a": 2.0, "b": 0.5}, metrics={"a": ["mae"], "b": ["accuracy"]})
    y = {"a": Y1, "b": Y2} if targets == "dict" else [Y1, Y2]
    history = model.fit(X, y, epochs=2, verbose=0, validation_data=(X, y)).history
    names = ["loss", "a_loss", "b_loss", "a_mae", "b_accuracy"]
    assert list(history) == sorted(names + [f"val_{each}" for each in names])
    found = model.evaluate(X, y, verbose=0)
    assert model.metrics_names == names
    assert found[0] == pytest.approx(2 * found[1] + 0.5 * found[2], rel=1e-5)
    assert model.evaluate(X, y, verbose=0, return_dict=True)["a_mae"] == pytest.approx(found[3])


def test_losses_and_metrics_come_by_place_too():
    model = two_headed()
    model.compile("sgd", ["mse", "sparse_categorical_crossentropy"], loss_weights=[1, 2], metrics=[["mae"], ["acc"]])
    history = model.fit(X, [Y1, Y2], epochs=1, verbose=0).history
    assert list(history) == ["a_loss", "a_mae", "b_acc", "b_loss", "loss"]
    model = two_headed("dict")
    model.compile("sgd", {"b": "sparse_categorical_crossentropy"}, metrics={"a": ["mae"]})
    with pytest.warns(UserWarning, match="a/kernel"):
        assert list(model.fit(X, {"a": Y1, "b": Y2}, verbose=0).history) == ["a_mae", "loss"]


def test_lists_hold_losses_as_the_outputs_stand_and_metrics_by_name_and_dicts_are_sorted():
    x = Input((8,))
    model = Model(x, [layers.Dense(1, name="z")(x), layers.Dense(1, name="a")(x)])
    model.compile(
        "sgd", "mse", metrics={"z": "mae", "a": ["mse", lambda y, p: p, "mae"]}, weighted_metrics=["mse", "mae"]
    )
    values = model.evaluate(X, [Y1, Y1], verbose=0)
    named = model.evaluate(X, [Y1, Y1], verbose=0, return_dict=True)
    by_name = ["a_lambda", "a_mae", "a_mse", "a_weighted_mae", "z_mae", "z_mse"]
    assert model.metrics_names == ["loss", "z_loss", "a_loss", *by_name]
    assert values == pytest.approx([named[each] for each in model.metrics_names])
    assert list(named) == sorted(model.metrics_names)


def test_weights_of_rows_may_differ_by_output():
    model = two_headed()
    model.compile("sgd", ["mse", "sparse_categorical_crossentropy"])
    weights = np.linspace(0, 1, 64).astype("float32")
    both = model.evaluate(X, [Y1, Y2], sample_weight=weights, verbose=0)
    apart = model.evaluate(X, [Y1, Y2], sample_weight={"a": weights, "b": weights}, verbose=0)
    assert both == pytest.approx(apart)
    plain = model.evaluate(X, [Y1, Y2], sample_weight={"b": weights}, verbose=0)
    assert plain[1] != pytest.approx(both[1])
    assert plain[2] == pytest.approx(both[2])


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"loss": {"c": "mse"}}, "'a', 'b'"),
        ({"loss": ["mse", "mse", "mse"]}, "3 entries for 2 outputs"),
        ({"loss": "mse", "metrics": ["mae", "mae", "mae"]}, "'a', 'b'"),
        ({"loss": "mse", "loss_weights": [1.0]}, "1 entries"),
    ],
)
def test_settings_that_do_not_fit_the_outputs_are_refused(settings, said):
    model = two_headed()
    model.compile("sgd", **settings)
    with pytest.raises(ValueError, match=said):
        model.fit(X, [Y1, Y1], verbose=0)


def test_a_model_of_ones_own_may_be_functional():
    class Halved(Model):
        def train_step(self, data):
            x, y = data
            with mt.GradientTape() as tape:
                loss = mt.reduce_mean((y - self(x, training=True)) ** 2) / 2
            self.optimizer.apply_gradients(zip(tape.gradient(loss, self.trainable_variables), self.trainable_variables))
            return {"half": loss}

    x = Input((8,))
    model = Halved(x, layers.Dense(1)(x))
    model.compile("sgd")
    assert list(model.fit(X, Y1, verbose=0).history) == ["half"]
    assert model.predict(X, verbose=0).shape == (64, 1)


def test_part_of_a_model_is_a_model():
    model = two_headed()
    inner = Model(model.inputs, model.get_layer("hidden").output)
    assert inner.predict(X, verbose=0).shape == (64, 4)
    sequential = mt.Sequential([Input((8,)), layers.Dense(4), layers.Dense(2)])
    features = Model(sequential.input, sequential.layers[0].output)
    assert features.predict(X, verbose=0).shape == (64, 4)


@pytest.mark.parametrize("make", [two_headed, wide_and_deep], ids=["two_headed", "wide_and_deep"])
@pytest.mark.parametrize(
    "copied",
    [
        copy.deepcopy,
        lambda model: pickle.loads(pickle.dumps(model)),
        clone_model,
        lambda model: Model.from_config(model.get_config()),
        lambda model: model_from_json(model.to_json()),
    ],
    ids=["deepcopy", "pickle", "clone", "config", "json"],
)
def test_a_copied_model_computes_the_same(make, copied):
    model = make()
    other = copied(model)
    other.set_weights(model.get_weights())
    data = X if len(model.inputs) == 1 else [X[:, :5], X[:, 2:]]
    for mine, its in zip(model.predict(data, verbose=0), other.predict(data, verbose=0), strict=True):
        np.testing.assert_array_equal(mine, its)
    assert [each.name for each in other.layers] == [each.name for each in model.layers]
    other.weights[0].assign_add(mt.ones_like(other.weights[0]))
    assert not np.array_equal(other.get_weights()[0], model.get_weights()[0])
    assert other.layers[-1].output.shape == model.layers[-1].output.shape


def test_clone_may_replace_layers():
    model = two_headed()
    other = clone_model(
        model,
        clone_function=lambda layer: (
            layers.Dense(7, name="hidden") if layer.name == "hidden" else type(layer).from_config(layer.get_config())
        ),
    )
    assert other.get_layer("hidden").units == 7


def test_errors_name_what_is_wrong():
    x = Input((8,))
    with pytest.raises(ValueError, match="not among the `inputs`"):
        Model(Input((8,)), layers.Dense(1)(x))
    with pytest.raises(ValueError, match="symbolic"):
        np.asarray(x.numpy())
    with pytest.raises(ValueError, match=r"\(8,\)"):
        Input(8)
    with pytest.raises(TypeError, match="symbolic"):
        Model(X, layers.Dense(1)(x))
    with pytest.raises(ValueError, match="symbolic"):
        bool(x)
    with pytest.raises(ValueError, match="expected"):
        layers.Dense(2).build((None, None))


def test_summary_shows_shapes_parameters_and_connections(capsys):
    model = wide_and_deep()
    model.layers[1].trainable = False
    model.summary()
    said = capsys.readouterr().out
    assert "(None, 35)" in said
    assert "wide, dense" in said
    assert "Total params: 1,207" in said
    assert "<table>" in model._repr_html_()


def test_models_are_given_back_without_the_garbage_collector():
    gc.collect()
    gc.disable()
    try:
        model = two_headed()
        gone = weakref.ref(model), weakref.ref(model.layers[1])
        del model
        assert [each() for each in gone] == [None, None]
    finally:
        gc.enable()


def test_a_clone_may_go_into_the_models_in_a_model():
    inner = mt.Sequential([mt.Input((3,)), mt.layers.Dense(2, name="deep")], name="inner")
    x = mt.Input((3,))
    model = mt.Model(x, mt.layers.Dense(1, name="flat")(inner(x)))
    for recursive, expected in ((False, ["inner", "flat"]), (True, ["deep", "flat"])):
        seen = []

        def clone(layer, seen=seen):
            seen.append(layer.name)
            return type(layer).from_config(layer.get_config())

        twin = mt.models.clone_model(model, clone_function=clone, recursive=recursive)
        assert seen == expected
        assert twin.output_shape == (None, 1)


def test_inputs_may_be_lists_in_a_dict():
    a, b = mt.Input((3,), name="a"), mt.Input((3,), name="b")
    model = mt.Model({"pair": [a, b], "one": (c := mt.Input((3,), name="c"))}, {"sum": a + b, "rest": [c - a]})
    one = np.ones((2, 3), "float32")
    made = model({"pair": [one, 2 * one], "one": 5 * one})
    np.testing.assert_array_equal(made["sum"], 3 * one)
    np.testing.assert_array_equal(made["rest"][0], 4 * one)


def test_layers_of_one_model_need_names_of_their_own():
    x = mt.Input((3,))
    with pytest.raises(ValueError, match="'twin' is used 2 times"):
        mt.Model(x, mt.layers.Dense(3, name="twin")(mt.layers.Dense(3, name="twin")(x)))


def test_losses_of_outputs_are_means_over_the_batches_as_in_keras():
    rng = np.random.default_rng(0)
    x, a, b = (rng.normal(size=(80, width)).astype("float32") for width in (3, 1, 2))
    inputs = mt.keras.Input((3,))
    model = mt.keras.Model(
        inputs, [mt.keras.layers.Dense(1, name="a")(inputs), mt.keras.layers.Dense(2, name="b")(inputs)]
    )
    model.compile("sgd", loss=["mse", "mae"])
    parts = [slice(0, 32), slice(32, 64), slice(64, 80)]
    alone = [model.evaluate(x[at], [a[at], b[at]], batch_size=32, verbose=0, return_dict=True) for at in parts]
    found = model.evaluate(x, [a, b], batch_size=32, verbose=0, return_dict=True)
    for name in ("a_loss", "b_loss"):
        np.testing.assert_allclose(found[name], np.mean([each[name] for each in alone]), rtol=1e-6)
    np.testing.assert_allclose(
        found["loss"], np.average([each["loss"] for each in alone], weights=[32, 32, 16]), rtol=1e-6
    )


def test_outputs_without_a_loss_need_no_targets():
    inputs = Input((3,))
    outputs = [layers.Dense(1, name=name)(inputs) for name in "abc"]
    x, y = np.random.default_rng(0).normal(size=(64, 3)), np.ones((64, 1))

    def results(loss, metrics, targets):
        model = Model(inputs, outputs)
        model.compile("sgd", loss, metrics=metrics)
        return model.evaluate(x, targets, return_dict=True, verbose=0)

    full = results(["mse", "mse", "mae"], [["mae"], None, None], [y, y, y])
    assert results(["mse", None, None], [["mae"], None, None], y) == {"loss": full["a_loss"], "a_mae": full["a_mae"]}
    assert results({"c": "mae"}, None, [y]) == {"loss": full["c_loss"]}
    both = results(["mse", None, "mae"], [["mae"], None, None], [y, y])
    assert both.pop("loss") == pytest.approx(full["a_loss"] + full["c_loss"])
    assert both == {name: full[name] for name in ("a_loss", "c_loss", "a_mae")}
    with pytest.raises(ValueError, match="3 outputs"):
        results(["mse", "mse", "mae"], None, y)


def test_a_loss_of_ones_own_takes_tensors_in_every_step():
    def loss(y_true, y_pred):
        assert isinstance(y_true, mt.Tensor)
        return mt.reduce_mean((y_true - y_pred) ** 2)

    model = mt.Sequential([Input((3,)), layers.Dense(1)])
    for eagerly in (True, False):
        model.compile("sgd", loss, run_eagerly=eagerly)
        model.fit(np.ones((8, 3)), np.ones((8, 1)), verbose=0)


def test_the_clone_of_a_compiled_model_is_compiled_with_an_optimizer_of_its_own():
    x = Input((8,))
    for model in (Model(x, layers.Dense(1)(x)), mt.Sequential([Input((8,)), layers.Dense(1)])):
        assert not clone_model(model).compiled
        metrics = ["mae", mt.metrics.MeanSquaredError()]
        model.compile(mt.optimizers.Adam(0.02), lambda t, p: mt.reduce_mean((t - p) ** 2), metrics=metrics)
        twin = clone_model(model)
        assert twin.optimizer is not model.optimizer
        twin.set_weights(model.get_weights())
        options = {"epochs": 3, "shuffle": False, "verbose": 0}
        assert twin.fit(X, Y1, **options).history == model.fit(X, Y1, **options).history


def test_a_sequential_takes_columns_as_vectors_whether_or_not_it_begins_with_an_input():
    column = X[:, 0]
    scale = layers.Normalization(input_shape=[1], axis=None)
    scale.adapt(column)
    late = mt.Sequential([layers.Dense(1)])
    late(column[:, None])
    for model in (mt.Sequential([scale, layers.Dense(1)]), mt.Sequential([layers.Dense(1, input_shape=(1,))]), late):
        assert model.predict(column).shape == (64, 1)
        np.testing.assert_array_equal(model(column), model(column[:, None]))
        model.compile("sgd", "mse")
        model.fit(column, Y1[:, 0], verbose=0)
    wide = mt.Sequential([layers.Dense(2, input_shape=(8,))])
    np.testing.assert_array_equal(wide(X[..., None]), wide(X))


def test_a_sequential_that_cannot_be_drawn_is_built_by_its_first_call():
    class Shapeless(layers.Layer):
        def call(self, inputs):
            return inputs * 2.0

        def compute_output_spec(self, inputs):
            raise NotImplementedError

    model = mt.Sequential([Shapeless(), layers.Dense(2)])
    assert model(X).shape == (64, 2)
    assert len(model.weights) == 2
