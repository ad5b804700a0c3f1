"""What scripts and guides written for Keras do: names, results and errors that they count on."""

import collections

import numpy as np
import pytest
from minitrain.keras import layers

from minitrain import keras

RNG = np.random.default_rng(0)
X = RNG.normal(size=(16, 3)).astype("float32")
Y = RNG.normal(size=(16, 1)).astype("float32")


def model(cls=keras.Sequential, **options):
    made = cls([keras.Input((3,)), layers.Dense(1)])
    made.compile(**{"optimizer": "sgd", "loss": "mse", **options})
    return made


def test_a_train_step_as_the_guide_writes_it():
    class Own(keras.Sequential):
        def train_step(self, data):
            x, y = data
            with keras.GradientTape() as tape:
                y_pred = self(x, training=True)
                loss = self.compute_loss(x=x, y=y, y_pred=y_pred)
            gradients = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables))
            for metric in self.metrics:
                if metric.name == "loss":
                    metric.update_state(loss)
                else:
                    metric.update_state(y, y_pred)
            return {metric.name: metric.result() for metric in self.metrics}

    history = model(Own, metrics=["mae"]).fit(X, Y, epochs=2, verbose=0).history
    assert list(history) == ["loss", "mae"]


def test_compute_metrics_of_ones_own_gives_the_results():
    class Own(keras.Sequential):
        def compute_metrics(self, x, y, y_pred, sample_weight=None):
            return super().compute_metrics(x, y, y_pred, sample_weight) | {"extra": 1.0}

    made = model(Own, metrics=["mae"])
    assert made.fit(X, Y, batch_size=4, verbose=0).history["extra"] == [1.0]
    assert int(made.optimizer.iterations) == 4
    assert made.evaluate(X, Y, verbose=0, return_dict=True)["extra"] == 1.0


def test_metrics_of_ones_own_as_the_guide_writes_them():
    class Hits(keras.metrics.Metric):
        def __init__(self, name="hits", **kwargs):
            super().__init__(name=name, **kwargs)
            self.total = self.add_weight(name="total", initializer="zeros")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.total.assign_add(keras.ops.sum(keras.ops.cast(y_pred > 0, "float32")))

        def result(self):
            return {"hits": self.total, "twice": self.total * 2}

    found = model(metrics=[Hits()]).evaluate(X, Y, verbose=0, return_dict=True)
    assert found["twice"] == 2 * found["hits"]


def test_metric_objects_count_once():
    made = model(metrics=[keras.metrics.MeanAbsoluteError()])
    made.evaluate(X, Y, verbose=0)
    assert made.metrics_names == ["loss", "mean_absolute_error"]


def test_train_on_batch_gives_the_results_of_its_batch():
    made = model()
    made.train_on_batch(X, Y)
    expected = made.evaluate(X[:4], Y[:4], verbose=0)
    assert made.train_on_batch(X[:4], Y[:4]) == pytest.approx(expected)


def test_old_names_of_batch_hooks_are_called():
    called = []

    class Own(keras.callbacks.Callback):
        def on_batch_end(self, batch, logs=None):
            called.append((batch, "loss" in logs))

    model().fit(X, Y, batch_size=8, verbose=0, callbacks=[Own()])
    assert called == [(0, True), (1, True)]


def test_weights_may_be_given_for_one_output_alone():
    x = keras.Input((3,))
    made = keras.Model(x, [layers.Dense(1, name="a")(x), layers.Dense(1, name="b")(x)])
    made.compile("sgd", "mse")
    made.fit(X, [Y, Y], sample_weight=[np.ones(16), None], verbose=0)
    with pytest.raises(AttributeError):
        _ = keras.Sequential([layers.Dense(1)]).output
    assert not hasattr(keras.Sequential([layers.Dense(1)]), "inputs")


def test_objects_go_to_plain_data_and_back():
    data = keras.saving.serialize_keras_object({"layer": layers.Dense(3, name="d"), "list": [1, "relu"]})
    back = keras.saving.deserialize_keras_object(data)
    assert back["layer"].units == 3
    assert (
        keras.saving.deserialize_keras_object(
            keras.saving.serialize_keras_object(keras.optimizers.Adam(0.5))
        ).get_config()["learning_rate"]
        == 0.5
    )


def test_a_registered_layer_without_the_base_configuration_comes_back(tmp_path):
    @keras.saving.register_keras_serializable(package="Habits")
    class Times(layers.Layer):
        def __init__(self, factor, **kwargs):
            super().__init__(**kwargs)
            self.factor = factor

        def call(self, x):
            return x * self.factor

        def get_config(self):
            return {"factor": self.factor}

    x = keras.Input((3,))
    made = keras.Model(x, Times(2.0)(layers.Dense(2)(x)))
    made.save(tmp_path / "model.minitrain")
    twin = keras.models.load_model(tmp_path / "model.minitrain")
    np.testing.assert_array_equal(twin.predict(X, verbose=0), made.predict(X, verbose=0))


def test_shapes_are_computed_without_data():
    assert layers.Dense(5).compute_output_shape((None, 3)) == (None, 5)
    assert layers.Concatenate().compute_output_shape([(None, 3), (None, 2)]) == (None, 5)
    assert keras.ops.shape(keras.Input((3,))) == (None, 3)
    np.testing.assert_array_equal(
        layers.Embedding(4, 2, mask_zero=True).compute_mask(np.array([[0, 1]])), [[False, True]]
    )


def test_seed_generators_stand_for_seeds():
    seeds = keras.random.SeedGenerator(1), keras.random.SeedGenerator(1)
    one, two = ([keras.random.normal((3,), seed=each).numpy() for _ in range(2)] for each in seeds)
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one[0], one[1])
    assert keras.random.randint((5,), 0, 3).numpy().max() < 3


def test_no_epochs_train_nothing():
    assert model().fit(X, Y, epochs=0, verbose=0).history == {}


def test_a_model_that_is_born_frozen_stays_so():
    x = keras.Input((3,))
    assert keras.Model(x, layers.Dense(1)(x), trainable=False).trainable_weights == []


class OwnSteps(keras.Model):
    """Steps of one's own that say what they were given."""

    def __init__(self):
        super().__init__()
        self.given = []
        self.dense = keras.layers.Dense(2)

    def call(self, x):
        return self.dense(x)

    def train_step(self, data):
        self.given.append(data)
        return {"loss": 0.0}

    def predict_step(self, data):
        return self(data) * 0.0 + 7.0


def test_a_step_of_ones_own_gets_inputs_alone_where_there_is_nothing_else():
    model = OwnSteps()
    model.compile("sgd")
    model.fit(np.ones((3, 2), "float32"), verbose=0)
    model.fit([np.ones((3, 2), "float32")] * 2, verbose=0)
    model.fit(np.ones((3, 2), "float32"), np.ones(3), verbose=0)
    assert [isinstance(each, tuple) and len(each) for each in model.given] == [False, 1, 2]
    assert (model.predict(np.ones((3, 2), "float32")) == 7).all()


def test_a_model_without_anything_to_train_warns_and_goes_on():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.trainable = False
    model.compile("sgd", "mse")
    before = model.get_weights()
    with pytest.warns(UserWarning, match="trainable weights"):
        history = model.fit(np.ones((4, 2)), np.ones(4), verbose=0).history
    assert np.isfinite(history["loss"]).all()
    np.testing.assert_array_equal(before[0], model.get_weights()[0])


def test_callbacks_see_groups_of_steps_per_execution_in_every_loop():
    seen = []
    hooks = {
        f"on_{loop}_batch_{when}": lambda batch, logs, what=f"{loop} {when}": seen.append((what, batch))
        for loop in ("train", "test", "predict")
        for when in ("begin", "end")
    }
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", steps_per_execution=3)
    x, y, look = np.ones((10, 2)), np.ones(10), keras.callbacks.LambdaCallback(**hooks)
    model.fit(x, y, batch_size=2, verbose=0, callbacks=[look])
    model.evaluate(x, y, batch_size=2, callbacks=[look])
    assert model.predict(x, batch_size=2, callbacks=[look]).shape == (10, 1)
    groups = [("begin", 0), ("end", 2), ("begin", 3), ("end", 5)]  # Keras counts whole groups, though the data end at 4
    assert seen == [(f"{loop} {when}", batch) for loop in ("train", "test", "predict") for when, batch in groups]


def test_metrics_in_layers_are_reported_but_not_those_of_models_in_models():
    class Watched(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.mean = keras.metrics.Mean(name="mean_input")

        def call(self, x):
            self.mean.update_state(x)
            return x

    inner = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    inner.compile("sgd", "mse", metrics=["mae"])
    model = keras.Sequential([keras.Input((2,)), Watched(), inner])
    model.compile("sgd", "mse")
    results = model.evaluate(np.full((4, 2), 3.0), np.ones(4), return_dict=True)
    assert set(results) == {"loss", "mean_input"}
    assert results["mean_input"] == 3.0


def test_compile_settings_go_into_a_configuration_and_back():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_initializer="ones")])
    assert model.get_compile_config() == {}
    metric = keras.metrics.MeanAbsoluteError(name="e")
    model.compile(keras.optimizers.Adam(0.01), keras.losses.Huber(2.0), metrics=[metric])
    twin = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_initializer="ones")])
    twin.compile_from_config(model.get_compile_config())
    assert twin.optimizer.built
    assert float(twin.optimizer.learning_rate) == pytest.approx(0.01)
    x, y = np.ones((4, 2)), np.zeros(4)
    assert twin.evaluate(x, y, return_dict=True) == model.evaluate(x, y, return_dict=True)


def test_a_loss_among_the_metrics_keeps_its_name():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=[keras.losses.MeanAbsoluteError()])
    assert set(model.evaluate(np.ones((4, 2)), np.ones(4), return_dict=True)) == {"loss", "mean_absolute_error"}
    with pytest.raises(ValueError, match="list, tuple, or dict"):
        model.compile("sgd", "mse", metrics="mae")


def test_mistakes_in_models_are_value_errors():
    made = model()
    for wrong in ({}, {"name": "dense", "index": 0}):
        with pytest.raises(ValueError, match="layer name or a layer index"):
            made.get_layer(**wrong)
    with pytest.raises(ValueError, match="instances of `Layer`"):
        made.add(len)
    with pytest.raises(ValueError, match="no layers"):
        keras.Sequential()(X)


def nested_outputs():
    x = keras.Input((3,))
    a, b, c = (layers.Dense(1, name=name)(x) for name in "abc")
    return keras.Model(x, {"pair": (a, b), "below": {"key": c}, "single": (c,)})


def test_losses_metrics_and_targets_follow_outputs_that_lie_deeper():
    made = nested_outputs()
    losses = {"pair": ("mse", "mae"), "below": {"key": "mse"}, "single": ["mse"]}
    made.compile("sgd", losses, metrics={"pair": (["mse"], ["mae"]), "below": {"key": ["mae"]}})
    y = {"pair": (Y, Y), "below": {"key": Y}, "single": (Y,)}
    found = made.evaluate(X, y, verbose=0, return_dict=True)
    assert set(found) == {
        *("loss", "pair/a_loss", "pair/b_loss", "below/key_loss", "single/c_loss"),
        *("a_mse", "b_mae", "c_mae"),
    }
    assert found["pair/a_loss"] == pytest.approx(found["a_mse"], rel=1e-6)
    assert set(made.fit(X, y, verbose=0).history) == set(found)
    made.compile("sgd", losses | {"below": {"other": "mse"}})
    with pytest.raises(ValueError, match="'other'"):
        made.fit(X, y, verbose=0)


def test_outputs_targets_and_inputs_may_be_named_tuples():
    Pair = collections.namedtuple("Pair", ["one", "two"])
    x = keras.Input((3,))
    made = keras.Model(x, Pair(layers.Dense(1, name="p")(x), layers.Dense(1, name="q")(x)))
    made.compile("sgd", Pair("mse", "mae"), metrics=Pair(["mae"], ["mse"]))
    assert set(made.fit(X, Pair(Y, Y), verbose=0).history) == {"loss", "p_loss", "q_loss", "p_mae", "q_mse"}
    assert type(made.predict(X, verbose=0)) is Pair

    class Sum(layers.Layer):
        def call(self, pair):
            return pair.one + pair.two

    np.testing.assert_array_equal(Sum()(Pair(X, X)), 2 * X)


def test_the_loss_of_an_output_may_stand_in_a_list_of_one():
    x = keras.Input((3,))
    made = keras.Model(x, [layers.Dense(1, name="p")(x), layers.Dense(1, name="q")(x)])
    for loss in (["mse", ["mae"]], {"p": ["mse"], "q": "mae"}):
        made.compile("sgd", loss)
        assert set(made.fit(X, [Y, Y], verbose=0).history) == {"loss", "p_loss", "q_loss"}


@pytest.mark.parametrize(
    ("loss", "loss_weights", "total"),
    [
        (["mse", "mae"], None, 6.0),
        ({"p": ["mse", "mae"]}, None, 6.0),
        ([["mse", "mae"]], [[1.0, 3.0]], 10.0),
        (["mse", "mae"], [1.0, 3.0], 10.0),
        (["mse", "mae"], 3.0, 18.0),
        (["mse", None], None, 4.0),
    ],
)
def test_several_losses_of_one_output_are_summed(loss, loss_weights, total):
    x = keras.Input((3,))
    made = keras.Model(x, layers.Dense(1, kernel_initializer="zeros", name="p")(x))
    made.compile(keras.optimizers.SGD(0.0), loss, loss_weights=loss_weights)
    assert made.fit(X, np.full((16, 1), 2.0), verbose=0).history == {"loss": [total]}


def test_as_many_weights_as_losses_of_an_output_are_needed():
    made = model(loss=["mse", "mae"], loss_weights=[1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="2 losses and 3"):
        made.fit(X, Y, verbose=0)


def test_a_frozen_model_has_no_trainable_weights_whatever_is_unfrozen_below():
    base = keras.Sequential([keras.Input((3,)), layers.Dense(3, kernel_regularizer="l2"), layers.Dense(3)])
    outer = keras.Sequential([keras.Input((3,)), base, layers.Dense(1)])
    base.trainable = False
    base.layers[0].trainable = True
    assert (base.trainable_weights, len(base.non_trainable_weights), base.losses) == ([], 4, [])
    assert len(outer.trainable_weights) == 4
    base.trainable = True
    assert len(base.trainable_weights) == 4


def test_targets_under_a_name_of_no_output_are_refused():
    x = keras.Input((3,))
    made = keras.Model(x, [layers.Dense(1, name="p")(x), layers.Dense(1, name="q")(x)])
    made.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"`y` names the output 'r'; the model's outputs are 'p', 'q'"):
        made.fit(X, {"p": Y, "r": Y}, verbose=0)


def test_a_compute_loss_of_ones_own_may_compare_more_than_the_outputs():
    class Twice(keras.Model):
        def compute_loss(self, x, y, y_pred, sample_weight=None, **options):
            return super().compute_loss(x, y, [y_pred, y_pred], sample_weight, **options)

    x = keras.Input((3,))
    made = Twice(x, layers.Dense(1)(x))
    made.compile("sgd", ["mse", "mae"])
    assert set(made.fit(X, (Y, Y), verbose=0).history) == {"loss", "mse_loss", "mae_loss"}


def test_training_is_by_default_what_the_outer_layer_says_by_default():
    seen = []

    class Inner(layers.Layer):
        def call(self, x, training=False):
            seen.append(training)
            return x

    class Outer(layers.Layer):
        def __init__(self):
            super().__init__()
            self.inner = Inner()

        def call(self, x, training=True):
            return self.inner(x)

    outer = Outer()
    outer(X)
    outer(X, training=False)
    assert seen[-2:] == [True, False]


def test_an_open_axis_may_be_cropped_and_indexed_far_down():
    x = keras.Input((None, 3))
    assert layers.Cropping1D((2, 3))(x).shape == (None, None, 3)
    made = keras.Model(x, x[:, 10] + layers.Cropping1D(5)(x)[:, 0])
    data = np.arange(72.0, dtype="float32").reshape(2, 12, 3)
    np.testing.assert_array_equal(made.predict(data, verbose=0), data[:, 10] + data[:, 5])
    with pytest.raises(ValueError, match="Cropping1D"):
        layers.Cropping1D((2, 3))(keras.Input((4, 3)))


def test_an_optional_input_may_be_none():
    class Plus(layers.Layer):
        def call(self, a, b=None):
            return a if b is None else a + b

    a, b = keras.Input((3,)), keras.Input((3,), optional=True)
    made = keras.Model([a, b], Plus()(a, b))
    with keras.utils.custom_object_scope({"Plus": Plus}):
        twin = keras.Model.from_config(made.get_config())
    for each in (made, twin, keras.models.clone_model(made)):
        np.testing.assert_array_equal(each([X, None]), X)
        np.testing.assert_array_equal(each([X, X]), 2 * X)


class Either(layers.Layer):
    def call(self, x, extra=None):
        return x if extra is None else x + extra

    def compute_output_shape(self, x_shape):
        return x_shape


@pytest.mark.parametrize("is_listed", [False, True])
@pytest.mark.parametrize("extra", [None, X])
def test_data_of_an_optional_input_may_be_none(extra, is_listed):
    a, b = keras.Input((3,), name="a"), keras.Input((3,), name="b", optional=True)
    made = keras.Model([a, b] if is_listed else {"a": a, "b": b}, layers.Dense(1)(Either()(a, b)))
    made.compile("sgd", "mse")
    x = [X, extra] if is_listed else {"a": X, "b": extra}
    assert len(made.fit(x, Y, verbose=0, epochs=2, batch_size=4, validation_split=0.5).history["val_loss"]) == 2
    made.fit(((x, Y) for _ in range(3)), verbose=0)
    made.train_on_batch(x, Y)
    expected = (X if extra is None else X + extra) @ made.get_weights()[0] + made.get_weights()[1]
    for given in (
        made.predict(x, verbose=0),
        made.predict(x, batch_size=4, verbose=0),
        made(x),
        made.predict_on_batch(x),
    ):
        np.testing.assert_allclose(given, expected, rtol=1e-5, atol=1e-6)
    wrong = [None, X] if is_listed else {"a": None, "b": X}
    for use in (made, made.predict, lambda each: made.fit(each, Y)):
        with pytest.raises(ValueError, match="'a' is not optional"):
            use(wrong)


def test_inputs_of_another_structure_than_the_models_are_told():
    a, b = keras.Input((3,), name="a"), keras.Input((3,), name="b")
    made = keras.Model({"a": a, "b": b}, layers.Subtract()([a, b]))
    with pytest.warns(UserWarning, match="'c' is left out"):
        assert made({"a": X, "b": X, "c": X}).shape == (16, 3)
    with pytest.warns(UserWarning, match="received a list"):
        np.testing.assert_allclose(made([X, 2 * X]), -X)
    turned = keras.Model({"b": b, "a": a}, layers.Subtract()([a, b]))
    with pytest.raises(ValueError, match="Give each under its name"):
        turned([X, X])
    assert set(keras.models.clone_model(made, input_tensors={"a": a, "b": b}).input) == {"a", "b"}
    for wrong in ((a, b), {"a": a}):
        with pytest.raises(ValueError, match="same structure"):
            keras.models.clone_model(made, input_tensors=wrong)


def test_clones_are_drawn_by_a_function_of_ones_own():
    x = keras.Input((3,))
    made = keras.Model(x, layers.Dense(2)(x))
    twin = keras.models.clone_model(
        made,
        clone_function=lambda layer: layer,
        call_function=lambda layer, *args, **options: layer(*args, **options) + 1.0,
    )
    np.testing.assert_array_equal(twin(X), made(X) + 1.0)


def test_layers_of_ones_own_are_cloned_without_being_registered():
    class Doubled(layers.Layer):
        def call(self, x):
            return 2.0 * x

    x = keras.Input((3,))
    inner = keras.Sequential([keras.Input((3,)), Doubled()])
    for made in (inner, keras.Model(x, inner(Doubled()(x)))):
        twin = keras.models.clone_model(made)
        np.testing.assert_array_equal(twin(X), made(X))


def test_a_model_has_no_metrics_before_compile():
    made = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    assert made.metrics == made.metrics_names == []
    made.compile("sgd", "mse")
    assert [each.name for each in made.metrics] == made.metrics_names == ["loss"]


def test_the_backend_knows_dtypes():
    backend = keras.backend
    names = [backend.standardize_dtype(each) for each in ("float16", np.dtype("int8"), bool, None, X.dtype, "string")]
    assert names == ["float16", "int8", "bool", "float32", "float32", "string"]
    assert backend.is_float_dtype("float64")
    assert backend.is_int_dtype(np.uint8)
    assert not backend.is_int_dtype("bool")
    assert backend.is_keras_tensor(keras.Input((2,)))
    pairs = {("bool", "uint8"): "uint8", ("int8", "uint8"): "int16", (int, "bool"): "int32", (float, int): "float32"}
    for pair, expected in pairs.items():
        assert backend.result_type(*pair) == expected
    with pytest.raises(ValueError, match="at least one"):
        backend.result_type()
    assert backend.backend() == "minitrain"
    assert backend.image_data_format() == "channels_last"


def test_a_dataset_by_number_is_told_of_the_beginning_and_end_of_every_epoch():
    told = []

    class Rows(keras.utils.PyDataset):
        def __len__(self):
            return 2

        def __getitem__(self, place):
            told.append("batch")
            return X[place::2], Y[place::2]

        def on_epoch_begin(self):
            told.append("begin")

        def on_epoch_end(self):
            told.append("end")

    model().fit(Rows(), epochs=2, verbose=0)
    assert told == ["begin", "batch", "batch", "end"] * 2


def test_a_dataset_by_number_may_say_how_many_batches_it_has_or_that_it_has_no_end():
    class Rows(keras.utils.PyDataset):
        count = 3
        asked = 0

        @property
        def num_batches(self):
            return self.count

        def __getitem__(self, place):
            self.asked = max(self.asked, place + 1)
            return X, Y

    rows = Rows()
    steps = model().fit(rows, epochs=2, verbose=0).params["steps"]
    assert (steps, rows.asked, len(list(rows))) == (3, 3, 3)
    rows.count, rows.asked = None, 0
    with pytest.raises(ValueError, match="steps_per_epoch"):
        model().fit(rows, verbose=0)
    assert model().fit(rows, epochs=2, steps_per_epoch=4, verbose=0).epoch == [0, 1]
    assert rows.asked == 8  # the second epoch goes on where the first ended
    with pytest.raises(NotImplementedError, match="num_batches"):
        model().fit(keras.utils.PyDataset(), verbose=0)


def test_a_metric_keeps_the_metrics_in_its_lists_and_dicts():
    class Several(keras.metrics.Metric):
        def __init__(self):
            super().__init__()
            self.listed = [keras.metrics.Mean()]
            self.named = {"sum": keras.metrics.Sum()}

        def update_state(self, x):
            self.listed[0].update_state(x)
            self.named["sum"].update_state(x)

        def result(self):
            return self.listed[0].result() + self.named["sum"].result()

    metric = Several()
    metric.update_state([1.0, 3.0])
    assert float(metric.result()) == 6
    assert len(metric.variables) == 3
    metric.reset_state()
    assert float(metric.result()) == 0


def test_symbolic_tensors_have_no_truth_and_change_their_shape():
    x = keras.KerasTensor((2, 1, 6))
    with pytest.raises(TypeError, match="cannot be used as a boolean"):
        bool(x)
    assert x.reshape((3, -1)).shape == (3, 4)
    assert x.squeeze(1).shape == x.squeeze().shape == (2, 6)


def test_a_compute_loss_of_ones_own_need_not_take_training():
    class Own(keras.Sequential):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
            return 2.0 * super().compute_loss(x, y, y_pred, sample_weight)

    own, usual = model(Own), model()
    own.set_weights(usual.get_weights())
    assert own.evaluate(X, Y, verbose=0) == pytest.approx(2 * usual.evaluate(X, Y, verbose=0), rel=1e-6)
    assert list(own.fit(X, Y, verbose=0).history) == ["loss"]


def test_the_batch_size_of_an_input_is_none_that_data_must_have():
    x = keras.Input((3,), batch_size=2)
    made = keras.Model(x, layers.Dense(1)(x))
    assert made.output_shape == (2, 1)
    assert made.predict(X, verbose=0).shape == (16, 1)
    with pytest.raises(ValueError, match="expects data of shape"):
        made(np.ones((2, 4)))


def test_a_sequential_takes_its_one_input_in_a_list_and_by_name():
    made = keras.Sequential([keras.Input((3,), name="rows"), layers.Dense(1)])
    made.compile("sgd", "mse")
    for x in ([X], (X,), {"rows": X}):
        assert list(made.fit(x, [Y], verbose=0).history) == ["loss"]
        np.testing.assert_allclose(made.predict(x, verbose=0), made(X), rtol=1e-6)
    with pytest.raises(ValueError, match="1 inputs"):
        made.predict([X, X], verbose=0)


def test_columns_of_text_go_from_a_dataset_through_a_lookup():
    columns = {"age": RNG.integers(20, 80, 16), "thal": RNG.choice(["fixed", "normal"], 16)}
    data = keras.data.Dataset.from_tensor_slices((columns, RNG.integers(0, 2, 16))).batch(4)
    age, thal = keras.Input((1,), name="age"), keras.Input((1,), name="thal", dtype="string")
    lookup = layers.StringLookup(output_mode="multi_hot")
    lookup.adapt(data.map(lambda x, y: x["thal"]).map(lambda x: keras.expand_dims(x, -1)))
    assert set(lookup.get_vocabulary()) == {"[UNK]", "fixed", "normal"}
    made = keras.Model([age, thal], layers.Dense(1)(layers.concatenate([age, lookup(thal)])))
    made.compile("sgd", "mse")
    assert len(made.fit(data, epochs=2, verbose=0).epoch) == 2
    assert made.predict({"age": np.array([60]), "thal": np.array(["fixed"])}, verbose=0).shape == (1, 1)


def test_the_summary_shows_what_a_subclassed_model_in_a_graph_gives():
    class Head(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(7)

        def call(self, inputs):
            return self.dense(inputs)

    x = keras.Input((3,))
    lines = []
    keras.Model(x, Head()(layers.Dense(4)(x))).summary(print_fn=lines.append)
    assert "(None, 7)" in next(line for line in "\n".join(lines).split("\n") if "(Head)" in line)


def test_names_that_scripts_ask_the_configuration_and_the_utilities_for():
    assert keras.config.backend() == keras.backend.backend() == "minitrain"
    assert keras.config.image_data_format() == "channels_last"
    keras.config.disable_traceback_filtering()
    assert not keras.config.is_traceback_filtering_enabled()
    assert keras.version() == keras.__version__
    assert keras.config.is_interactive_logging_enabled()
    keras.config.disable_interactive_logging()
    assert not keras.utils.is_interactive_logging_enabled()
    keras.config.enable_interactive_logging()
    for name in ("serialize_keras_object", "deserialize_keras_object", "get_registered_name", "get_registered_object"):
        assert getattr(keras.utils, name) is getattr(keras.saving, name)
    with pytest.raises(AttributeError, match="no attribute"):
        keras.utils.nothing  # noqa: B018
    assert keras.initializers.IdentityInitializer is keras.initializers.Identity


def test_all_state_is_a_tree_of_the_parts_of_paths_and_may_be_put_back():
    def made():
        x = keras.Input((3,))
        new = keras.Model(x, layers.Dense(1, name="d")(layers.BatchNormalization(name="bn")(x)))
        new.compile(keras.optimizers.SGD(0.1, momentum=0.9, name="sgd"), "mse", metrics=["mae"])
        new.fit(X, Y, verbose=0)
        return new

    one, two = made(), made()
    tree = one.get_state_tree(value_format="numpy_array")
    assert set(tree["trainable_variables"]) == {"bn", "d"}
    np.testing.assert_array_equal(tree["trainable_variables"]["d"]["kernel"], one.layers[-1].kernel)
    assert set(tree["non_trainable_variables"]["bn"]) == {"moving_mean", "moving_variance"}
    assert {"iteration", "learning_rate", "d_kernel_momentum"} <= set(tree["optimizer_variables"]["sgd"])
    assert set(tree["metrics_variables"]["mean_absolute_error"]) == {"total", "count"}
    assert isinstance(one.get_state_tree()["trainable_variables"]["d"]["bias"], keras.Tensor)
    two.set_state_tree(tree)
    for each in (one, two):
        each.fit(X, Y, verbose=0, shuffle=False)
    np.testing.assert_array_equal(one.predict(X, verbose=0), two.predict(X, verbose=0))

    before = two.get_weights()
    tree["trainable_variables"]["d"]["kernel"] = np.zeros((1, 1))
    for wrong in (tree, {"weights": {}}, {"trainable_variables": {"e": {"kernel": np.zeros((3, 1))}}}):
        with pytest.raises(ValueError, match=r"shape mismatch|'weights'|'e/kernel'"):
            two.set_state_tree(wrong)
    assert all(map(np.array_equal, before, two.get_weights()))
    with pytest.raises(ValueError, match="value_format"):
        one.get_state_tree("list")
    layer = layers.Layer(name="own")
    layer.add_weight((), name="w"), layer.add_weight((), name="w")
    with pytest.raises(ValueError, match="found twice in the model: 'own/w'"):
        keras.Sequential([layer]).get_state_tree()


def test_a_stateless_loss_is_of_the_values_that_are_given():
    x = keras.Input((3,))
    made = keras.Model(x, layers.Dense(1, kernel_regularizer="l2", use_bias=False)(x))
    made.compile("sgd", "mse")
    kernel = keras.constant(np.ones((3, 1), "float32"))
    with keras.GradientTape() as tape:
        tape.watch(kernel)
        loss, (trainable, others, _) = made.stateless_compute_loss([kernel], [], [], x=X, y=Y, y_pred=X @ kernel)
    np.testing.assert_allclose(loss, np.mean((X @ np.ones((3, 1)) - Y) ** 2) + 0.01 * 3, rtol=1e-5)
    assert tape.gradient(loss, kernel).shape == (3, 1)
    assert (trainable, others) == ([kernel], [])
    with pytest.raises(ValueError, match="a value for each of the 1"):
        made.stateless_compute_loss([], [], [], x=X, y=Y, y_pred=X @ kernel)


def test_the_path_of_a_weight_goes_through_the_layers_that_made_it():
    class Outer(layers.Layer):
        def __init__(self, **options):
            super().__init__(**options)
            self.a, self.b = layers.Dense(1, name="a", use_bias=False), layers.Dense(1, name="b", use_bias=False)

        def build(self, input_shape):
            self.scale = self.add_weight((), name="scale")
            self.a.build(input_shape)

        def call(self, x, training=False):
            self.training = training
            return self.b(self.a(x))

    def paths(made):
        return [each.path for each in made.weights]

    expected = ["outer/scale", "outer/a/kernel", "outer/b/kernel"]
    outer = Outer(name="outer")
    outer(X, training=True)
    assert outer.training
    assert paths(outer) == expected
    x = keras.Input((3,))
    drawn = keras.Model(x, Outer(name="outer")(x), name="drawn")
    assert paths(drawn) == paths(keras.Model(x, drawn(x))) == expected
    inner = keras.Sequential([keras.Input((3,)), Outer(name="outer"), layers.Dense(1, name="last")], name="inner")
    assert paths(inner) == [f"inner/{each}" for each in (*expected, "last/kernel", "last/bias")]
    late = keras.Sequential([keras.Sequential([layers.Dense(1, name="d")], name="inner")], name="late")
    late.compile(keras.optimizers.SGD(momentum=0.9), "mse")
    late.fit(X, Y, verbose=0)
    assert paths(late) == ["late/inner/d/kernel", "late/inner/d/bias"]
    assert late.optimizer.variables[2].name == "late_inner_d_kernel_momentum"


def test_classes_that_forgot_their_super_init_say_so():
    def forgetful(base, **methods):
        return type("Forgetful", (base,), {"__init__": lambda self: None, **methods})()

    measuring = {"update_state": lambda *args, **kwargs: None, "result": lambda self: 0.0}
    for use in (
        lambda: forgetful(keras.Model)(X),
        lambda: forgetful(keras.Model).compile("sgd", "mse"),
        lambda: forgetful(layers.Layer)(X),
        lambda: forgetful(layers.Layer).add_weight((2,)),
        lambda: model(metrics=[forgetful(keras.metrics.Metric, **measuring)]).fit(X, Y, verbose=0),
        lambda: model(loss=forgetful(keras.losses.Loss, call=lambda self, a, b: a - b)).fit(X, Y, verbose=0),
        lambda: model(optimizer=forgetful(keras.optimizers.SGD)).fit(X, Y, verbose=0),
    ):
        with pytest.raises(RuntimeError, match=r"Forgetful .*super\(\).__init__\(\)"):
            use()
    assert not hasattr(layers.Dense(1), "units_")


def test_errors_of_properties_are_told_as_they_are():
    class Own(layers.Layer):
        inner = None

        @property
        def broken(self):
            return self.inner.part

    with pytest.raises(AttributeError, match="'NoneType' object has no attribute 'part'"):
        Own().broken  # noqa: B018
    with pytest.raises(RuntimeError, match="symbolic tensor"):
        layers.Dense(2).output  # noqa: B018
    with pytest.raises(AttributeError, match="nothing"):
        layers.Dense(2).nothing  # noqa: B018


def test_mistakes_with_layers_and_variables_are_named():
    class Late(layers.Layer):
        def call(self, x):
            return x @ self.add_weight((3, 1))

    dense, late = layers.Dense(1), Late()
    dense.build((None, 3))
    late(X)
    v = keras.Variable(1.0)
    for use, said in (
        (lambda: late(X), "in `build`"),
        (lambda: layers.Dense(1, activaton="relu"), "Did you mean 'activation'"),
        (lambda: dense.set_weights([np.ones((2, 2)), np.ones(1)]), f"'{dense.name}'"),
        (lambda: keras.optimizers.SGD().apply_gradients([(v, keras.ops.ones(()))]), "gradient, variable"),
        (lambda: model()("hello"), "'hello'"),
        (lambda: keras.Model(X, X), "ndarray"),
        (lambda: layers.Add()([keras.Input((3,)), keras.Input((4,))]), r"\(None, 3\), \(None, 4\)"),
    ):
        with pytest.raises(ValueError, match=said):
            use()


def test_the_backend_has_the_operations_of_older_tutorials():
    backend = keras.backend
    t, p = np.array([[0.0, 1.0], [1.0, 0.0]], "float32"), np.array([[0.2, 0.8], [0.6, 0.4]], "float32")
    made = model(loss=lambda a, b: backend.sqrt(backend.mean(backend.square(b - a))))
    assert np.isfinite(made.fit(X, Y, verbose=0).history["loss"]).all()
    np.testing.assert_allclose(backend.dot(np.ones((2, 3)), np.ones((3, 4))), 3 * np.ones((2, 4)))
    np.testing.assert_allclose(
        backend.binary_crossentropy(t, p), keras.losses.binary_crossentropy(t[..., None], p[..., None]), rtol=1e-5
    )
    logits = keras.ops.log(p / (1.0 - p))
    np.testing.assert_allclose(
        backend.binary_crossentropy(t, logits, from_logits=True), backend.binary_crossentropy(t, p), rtol=1e-5
    )
    for logits, given in ((False, p), (True, np.log(p))):
        found = backend.categorical_crossentropy(t, given, logits)
        np.testing.assert_allclose(found, -np.log([0.8, 0.6]), rtol=1e-5)
        np.testing.assert_allclose(
            backend.sparse_categorical_crossentropy(t.argmax(-1), given, logits), found, rtol=1e-6
        )
    np.testing.assert_allclose(backend.relu([-1.0, 3.0], 0.1, 2.0), [-0.1, 2.0])
    np.testing.assert_allclose(backend.l2_normalize([3.0, 4.0]), [0.6, 0.8], rtol=1e-6)
    np.testing.assert_allclose(backend.switch([True, False], t, p), [t[0], p[1]])
    assert backend.repeat(np.ones((2, 3)), 4).shape == (2, 4, 3)
    assert backend.int_shape(keras.Input((3,))) == (None, 3)
    assert backend.argmax(p).dtype == "int64"
    v = backend.variable([1.0, 2.0])
    backend.set_value(v, [3, 4])
    backend.update_add(v, [1.0, 1.0])
    backend.moving_average_update(v, 0.0, 0.5)
    np.testing.assert_array_equal(backend.get_value(v), [2.0, 2.5])
    np.testing.assert_allclose(backend.constant([1.0], shape=(2, 1)), np.ones((2, 1)))
    np.testing.assert_allclose(backend.hard_sigmoid([1.0, -2.0, 0.5]), [0.7, 0.1, 0.6], rtol=1e-6)
    np.testing.assert_allclose(backend.clip(x=[-2.0, 2.0], min_value=-1, max_value=1), [-1.0, 1.0])
    assert backend.in_top_k(p, [1, 1], 1).numpy().tolist() == [True, False]
    assert backend.bias_add(np.ones((1, 2, 3)), np.arange(2.0), data_format="channels_first").shape == (1, 2, 3)
    assert float(backend.relu(1.0, 0.1, threshold=1.0)) == 0.0
    for name in backend.__all__:
        assert callable(getattr(backend, name))
    with pytest.raises(AttributeError, match=r"minitrain\.ops"):
        backend.conv2d  # noqa: B018


def test_shapes_of_symbolic_tensors_go_into_reshape():
    y = keras.Input((4,))
    made = keras.ops.reshape(y, (keras.ops.shape(y)[0], 2, 2))
    assert made.shape == (None, 2, 2)
    assert keras.Model(y, made)(np.ones((3, 4))).shape == (3, 2, 2)
    assert keras.ops.reshape(y, keras.ops.shape(y)).shape == (None, 4)
    x = keras.Input((3,), batch_size=2)
    np.testing.assert_array_equal(keras.Model(x, x + keras.ops.cast(keras.ops.size(x), "float32"))(X[:2]), X[:2] + 6)


def test_layer_normalization_without_the_mean():
    x = np.arange(6.0, dtype="float32").reshape(2, 3)
    found = keras.ops.layer_normalization(x, rms_scaling=True)
    np.testing.assert_allclose(found, x / np.sqrt(2.0 / 3.0 + 1e-3), rtol=1e-3)


def test_evaluate_orders_the_results_of_several_outputs_as_keras_does():
    class Pair(keras.Model):
        def __init__(self):
            super().__init__()
            self.first, self.second = layers.Dense(1), layers.Dense(3, activation="softmax")

        def call(self, x):
            return self.first(x), self.second(x)

    def drawn():
        x = keras.Input((3,))
        return keras.Model(x, [layers.Dense(1, name="p")(x), layers.Dense(3, activation="softmax", name="q")(x)])

    losses, metrics = ["mean_squared_error", "categorical_crossentropy"], [["mean_absolute_error"], ["accuracy"]]
    ends = ["mean_squared_error_loss", "categorical_crossentropy_loss"]
    orders = {Pair: ["loss", "mean_absolute_error", "accuracy", *ends]}
    orders[drawn] = ["loss", "p_loss", "q_loss", "p_mean_absolute_error", "q_accuracy"]
    targets = [Y, np.eye(3, dtype="float32")[np.arange(16) % 3]]
    for make, names in orders.items():
        made = make()
        made.compile("sgd", losses, metrics=metrics)
        found = made.evaluate(X, targets, verbose=0)
        by_name = made.evaluate(X, targets, verbose=0, return_dict=True)
        assert found == [by_name[name] for name in names]
        assert made.metrics_names == names


def test_the_summary_of_a_subclassed_model_shows_what_its_layers_give_and_counts_the_optimizer():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.first, self.second = layers.Dense(5), layers.Dense(1)

        def call(self, x):
            return self.second(self.first(x))

    made, lines = Own(), []
    made.compile("adam", "mse")
    made.fit(X, Y, verbose=0)
    made.summary(print_fn=lines.append)
    text = "\n".join(lines)
    assert "(None, 5)" in text
    assert "(None, 1)" in text
    weights = made.count_params()
    assert f"Total params: {weights + 2 * weights + 2}" in text
    assert f"Trainable params: {weights}" in text


def test_a_seed_generator_goes_to_a_configuration_and_back():
    made = keras.random.SeedGenerator(3)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(made))
    np.testing.assert_array_equal(keras.random.normal((3,), seed=made), keras.random.normal((3,), seed=again))


def test_constraints_and_regularizers_of_variables_are_functions():
    v = keras.Variable([1.0])
    for name in ("constraint", "regularizer"):
        with pytest.raises(ValueError, match=name):
            setattr(v, name, "l2")
        setattr(v, name, abs)
        setattr(v, name, None)


def test_tokens_become_rows_with_a_one_each():
    layer = layers.TextVectorization(output_mode="one_hot", vocabulary=["a", "b"], split=None)
    np.testing.assert_array_equal(layer(["a", "b"]), [[0, 1, 0], [0, 0, 1]])
