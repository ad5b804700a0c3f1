"""Models and weights in files: they come back as they were, are written whole or not at all, and refuse whatever is
damaged or hostile with one error of minitrain's, soon and in little memory."""

import contextlib
import copy
import io
import json
import os
import pickle
import random
import struct
import time
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

import minitrain as mt
from minitrain import Input, Model, layers, saving
from minitrain.errors import DTypeError, FileFormatError, InvalidArgumentError, MinitrainError, ShapeError
from minitrain.layers.base import REGISTRY
from minitrain.models import load_model

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 6)).astype("float32")
Y = RNG.normal(size=(40, 1)).astype("float32")
STEPS = RNG.normal(size=(4, 5, 6)).astype("float32")
IMAGE = RNG.normal(size=(2, 4, 4, 6)).astype("float32")
SPACE = RNG.normal(size=(2, 3, 3, 3, 2)).astype("float32")
IDS = RNG.integers(0, 5, (4, 3))

# The arguments and an input of each layer that takes one input.
SINGLE = {
    "Dense": ({"units": 3, "activation": "gelu", "kernel_regularizer": "l2", "bias_constraint": "non_neg"}, X),
    "Embedding": ({"input_dim": 5, "output_dim": 3, "mask_zero": True}, IDS),
    "Activation": ({"activation": "tanh"}, X),
    "Identity": ({}, X),
    "Masking": ({"mask_value": 1.0}, STEPS),
    "InputLayer": ({"shape": (6,)}, X),
    "ReLU": ({"max_value": 1.0}, X),
    "LeakyReLU": ({}, X),
    "PReLU": ({"alpha_initializer": "ones"}, X),
    "ELU": ({}, X),
    "Softmax": ({}, X),
    "Dropout": ({"rate": 0.5, "seed": 1}, X),
    "SpatialDropout1D": ({"rate": 0.5}, STEPS),
    "SpatialDropout2D": ({"rate": 0.5}, IMAGE),
    "SpatialDropout3D": ({"rate": 0.5, "data_format": "channels_first"}, SPACE),
    "GaussianNoise": ({"stddev": 0.5}, X),
    "GaussianDropout": ({"rate": 0.5}, X),
    "AlphaDropout": ({"rate": 0.5}, X),
    "ActivityRegularization": ({"l1": 0.1}, X),
    "BatchNormalization": ({"momentum": 0.9}, X),
    "LayerNormalization": ({"axis": [-1]}, STEPS),
    "GroupNormalization": ({"groups": 2}, IMAGE),
    "RMSNormalization": ({}, X),
    "UnitNormalization": ({}, X),
    "Flatten": ({}, STEPS),
    "Reshape": ({"target_shape": (3, 2)}, X),
    "Permute": ({"dims": (2, 1)}, STEPS),
    "RepeatVector": ({"n": 3}, X),
    "Cropping1D": ({"cropping": (1, 2)}, STEPS),
    "Cropping2D": ({"cropping": ((1, 0), (0, 1))}, IMAGE),
    "Cropping3D": ({"cropping": 1}, SPACE),
    "ZeroPadding1D": ({"padding": 2}, STEPS),
    "ZeroPadding2D": ({"padding": (1, 2)}, IMAGE),
    "ZeroPadding3D": ({"padding": 1}, SPACE),
    "UpSampling3D": ({"size": 2}, SPACE),
    "EinsumDense": ({"equation": "abc,cd->abd", "output_shape": (None, 2), "bias_axes": "d"}, STEPS),
    "TimeDistributed": ({"layer": layers.Dense(2)}, STEPS),
    "SpectralNormalization": ({"layer": layers.Dense(2)}, X),
    "UpSampling1D": ({"size": 2}, STEPS),
    "UpSampling2D": ({"size": (2, 1)}, IMAGE),
    "Rescaling": ({"scale": 2.0, "offset": 1.0}, X),
    "Normalization": ({"mean": [0.5] * 6, "variance": [2.0] * 6}, X),
    "Discretization": ({"bin_boundaries": [-0.5, 0.5]}, X),
    "CategoryEncoding": ({"num_tokens": 5}, IDS),
    "Hashing": ({"num_bins": 5}, IDS),
    "StringLookup": ({"vocabulary": ["a", "b"]}, np.array([["a", "z"], ["b", "a"]])),
    "TextVectorization": ({"vocabulary": ["a", "b"], "output_mode": "count"}, np.array(["A z!", "b a a"])),
    "IntegerLookup": ({"vocabulary": [7, 9]}, np.array([[7, 1], [9, 7]])),
}
MERGING = {"Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate", "Dot"}


def small(**options):
    mt.random.set_seed(1)
    model = mt.Sequential([Input((6,)), layers.Dense(4, activation="relu"), layers.Dense(1)])
    model.compile(**({"optimizer": "adam", "loss": "mse", "metrics": ["mae"]} | options))
    return model


def drawn():
    """Two inputs, two outputs, operations between the layers."""
    wide, deep = Input((2,), name="wide"), Input((6,), name="deep")
    h = layers.Dense(4, activation="tanh")(deep) * 2.0
    h = mt.ops.concatenate([wide, 1.0 - h[:, 1:]], axis=-1)
    return Model([wide, deep], [layers.Dense(1, name="main")(h), layers.Dense(3, name="aux")(mt.nn.relu(h))])


@saving.register_serializable(package="tests")
class Registered(Model):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.hidden = layers.Dense(units, activation="relu")
        self.heads = [layers.Dense(1), layers.Dense(1)]

    def call(self, x):
        h = self.hidden(x)
        return self.heads[0](h) - self.heads[1](h)


class Doubled(layers.Layer):
    def call(self, x):
        return 2.0 * x


def same(one, other):
    one, other = (each if isinstance(each, list) else [each] for each in (one, other))
    assert len(one) == len(other)
    for mine, its in zip(one, other, strict=True):
        np.testing.assert_array_equal(mine, its)


def there_and_back(model, path, **options):
    model.save(path)
    return load_model(path, **options)


# ------------------------------------------------------------------------------------------------------- whole models


def test_a_sequential_comes_back(tmp_path):
    model = small()
    twin = there_and_back(model, tmp_path / "model.minitrain")
    assert type(twin) is mt.Sequential
    assert twin.get_config() == model.get_config()
    same(twin.get_weights(), model.get_weights())
    same(twin.predict(X), model.predict(X))


def test_a_drawing_with_two_inputs_and_outputs_comes_back(tmp_path):
    model = drawn()
    twin = there_and_back(model, tmp_path / "model.minitrain")
    same(twin.predict([X[:, :2], X]), model.predict([X[:, :2], X]))
    assert (twin.input_names, twin.output_names) == (["wide", "deep"], ["main", "aux"])


def test_a_registered_model_of_ones_own_comes_back(tmp_path):
    model = Registered(3)
    model(X)
    twin = there_and_back(model, tmp_path / "model.minitrain")
    assert type(twin) is Registered
    same(twin.predict(X), model.predict(X))


def test_models_in_models_come_back(tmp_path):
    inner = mt.Sequential([Input((6,)), layers.Dense(4), layers.BatchNormalization()])
    inner.trainable = False
    x = Input((6,))
    model = Model(x, layers.Dense(1)(inner(x)))
    twin = there_and_back(model, tmp_path / "model.minitrain")
    same(twin.predict(X), model.predict(X))
    assert len(twin.trainable_weights) == 2


def test_custom_objects_name_classes_and_functions(tmp_path):
    def halved(x):
        return x / 2.0

    model = mt.Sequential([Input((6,)), Doubled(), layers.Dense(2, activation=halved)])
    model.save(tmp_path / "model.minitrain")
    with pytest.raises(InvalidArgumentError, match=r"Doubled.*register_serializable.*custom_objects"):
        load_model(tmp_path / "model.minitrain")
    own = {"Doubled": Doubled, "halved": halved}
    same(load_model(tmp_path / "model.minitrain", custom_objects=own).predict(X), model.predict(X))
    with saving.custom_object_scope(own):
        same(load_model(tmp_path / "model.minitrain").predict(X), model.predict(X))


def test_layers_left_in_a_configuration_are_written_and_may_be_read_by_from_config(tmp_path):
    @saving.register_keras_serializable("tests")
    class Around(layers.Layer):
        def __init__(self, inner, after=None, **kwargs):
            super().__init__(**kwargs)
            self.inner, self.after = inner, after

        def call(self, inputs):
            return self.after(self.inner(inputs))

        def get_config(self):
            return super().get_config() | {"inner": self.inner, "after": self.after}

        @classmethod
        def from_config(cls, config):
            inner = saving.deserialize_keras_object(config.pop("inner"))
            return cls(inner, after=mt.activations.get(config.pop("after")), **config)

    model = mt.Sequential([Input((4,)), Around(layers.Dense(3, name="within"), mt.activations.tanh)])
    model.save(tmp_path / "model.minitrain")
    again = load_model(tmp_path / "model.minitrain")
    assert again.layers[0].inner.name == "within"
    np.testing.assert_array_equal(again.predict(np.ones((2, 4))), model.predict(np.ones((2, 4))))


def test_every_layer_has_a_sample():
    assert {each.__name__ for each in REGISTRY.members} == set(SINGLE) | MERGING | {"Lambda", "HashedCrossing"}


@pytest.mark.parametrize("name", SINGLE)
def test_every_layer_comes_back_in_a_sequential(name, tmp_path):
    options, x = SINGLE[name]
    layer = getattr(layers, name)(**options)
    start = (
        [] if name == "InputLayer" else [Input(x.shape[1:], dtype="string" if x.dtype.kind == "U" else x.dtype.name)]
    )
    model = mt.Sequential([*start, layer, layers.Identity()])
    expected = model.predict(x)
    twin = there_and_back(model, tmp_path / "model.minitrain")
    same(twin.predict(x), expected)
    assert twin.get_config() == model.get_config()


@pytest.mark.parametrize("name", sorted(MERGING))
def test_every_merging_layer_comes_back(name, tmp_path):
    one, other = Input((6,)), Input((6,))
    layer = getattr(layers, name)(**({"axes": 1} if name == "Dot" else {}))
    model = Model([one, other], layer([one, other]))
    twin = there_and_back(model, tmp_path / "model.minitrain")
    same(twin.predict([X, X + 1]), model.predict([X, X + 1]))


def test_a_lambda_is_refused_with_advice(tmp_path):
    with pytest.raises(InvalidArgumentError, match="Write a Layer instead"):
        mt.Sequential([layers.Lambda(mt.tanh)]).save(tmp_path / "model.minitrain")
    assert os.listdir(tmp_path) == []


def test_a_configuration_that_is_no_data_is_refused(tmp_path):
    class Odd(Doubled):
        def get_config(self):
            return {"odd": object()}

    with pytest.raises(DTypeError, match="get_config"):
        mt.Sequential([Odd()]).save(tmp_path / "model.minitrain")


@pytest.mark.parametrize(
    "options",
    [
        {"optimizer": mt.optimizers.SGD(0.05, momentum=0.9, nesterov=True)},
        {"optimizer": mt.optimizers.Adam(mt.optimizers.schedules.ExponentialDecay(0.05, 3, 0.5), clipnorm=0.5)},
        {"optimizer": mt.optimizers.AdamW(0.01, use_ema=True), "loss": mt.losses.Huber(0.5)},
        {"optimizer": "rmsprop", "loss": "mae", "weighted_metrics": [mt.metrics.RootMeanSquaredError()]},
        {"optimizer": mt.optimizers.SGD(0.01, global_clipnorm=1.0, weight_decay=0.01), "loss_weights": [0.5]},
    ],
    ids=range(5),
)
def test_training_goes_on_after_loading_as_without_saving(options, tmp_path):
    model = small(**options)
    model.fit(X, Y, epochs=2, batch_size=16, verbose=0)
    twin = there_and_back(model, tmp_path / "model.minitrain")
    results = []
    for each in (model, twin):
        mt.random.set_seed(2)
        results.append(each.fit(X, Y, epochs=2, batch_size=16, verbose=0).history)
    assert results[0] == results[1]
    same(twin.get_weights(), model.get_weights())
    same(twin.optimizer.get_weights(), model.optimizer.get_weights())


def test_noise_goes_on_after_loading_as_without_saving(tmp_path):
    model = mt.Sequential([Input((6,)), layers.Dropout(0.5, seed=3), layers.GaussianNoise(1.0), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0, shuffle=False)
    twin = there_and_back(model, tmp_path / "model.minitrain")
    for each in (model, twin):
        each.fit(X, Y, verbose=0, shuffle=False)
    same(twin.get_weights(), model.get_weights())


def test_compile_settings_of_several_outputs_come_back(tmp_path):
    model = drawn()
    model.compile(
        mt.optimizers.SGD(0.01),
        {"main": "mse", "aux": mt.losses.SparseCategoricalCrossentropy(from_logits=True)},
        loss_weights={"main": 2.0, "aux": 0.5},
        metrics={"main": ["mae"], "aux": ["accuracy"]},
    )
    data = [X[:, :2], X], [Y, RNG.integers(0, 3, 40)]
    model.fit(*data, verbose=0)
    twin = there_and_back(model, tmp_path / "model.minitrain")
    assert twin.evaluate(*data, return_dict=True) == model.evaluate(*data, return_dict=True)
    assert twin.metrics_names[3:] == ["aux_accuracy", "main_mae"]


def test_losses_and_metrics_of_ones_own_need_custom_objects(tmp_path):
    def off(y_true, y_pred):
        return mt.reduce_mean(abs(y_true - y_pred), axis=-1)

    model = small(loss=off, metrics=[off])
    model.save(tmp_path / "model.minitrain")
    with pytest.raises(InvalidArgumentError, match=r"off.*custom_objects"):
        load_model(tmp_path / "model.minitrain")
    twin = load_model(tmp_path / "model.minitrain", custom_objects={"off": off})
    assert twin.evaluate(X, Y, verbose=0) == model.evaluate(X, Y, verbose=0)


def test_a_model_may_come_back_without_its_compile_settings(tmp_path):
    model = small()
    model.fit(X, Y, verbose=0)
    assert not there_and_back(model, tmp_path / "model.minitrain", compile=False).compiled
    model.save(tmp_path / "model.minitrain", include_optimizer=False)
    twin = load_model(tmp_path / "model.minitrain")
    assert twin.compiled
    assert int(twin.optimizer.iterations) == 0


@pytest.mark.parametrize("made", [small, drawn], ids=["sequential", "drawn"])
def test_pickle_deepcopy_and_joblib_keep_a_model(made, tmp_path):
    joblib = pytest.importorskip("joblib")
    model = made()
    joblib.dump(model, tmp_path / "model.joblib")
    x = X if made is small else [X[:, :2], X]
    expected = model.predict(x)
    copies = copy.deepcopy(model), pickle.loads(pickle.dumps(model)), joblib.load(tmp_path / "model.joblib")
    model.set_weights([each + 1 for each in model.get_weights()])
    for each in copies:
        same(each.predict(x), expected)


# ------------------------------------------------------------------------------------------------------------- weights


@pytest.mark.parametrize("name", ["weights.safetensors", "model.weights.h5"])
@pytest.mark.parametrize("made", [small, drawn, lambda: built(Registered(3))], ids=["sequential", "drawn", "own"])
def test_weights_come_back(name, made, tmp_path):
    if name.endswith(".h5"):
        pytest.importorskip("h5py")
    model, twin = made(), made()
    model.set_weights([RNG.normal(size=each.shape) for each in model.get_weights()])
    model.save_weights(tmp_path / name)
    twin.load_weights(tmp_path / name)
    same(twin.get_weights(), model.get_weights())


def built(model):
    model(X)
    return model


def test_weights_are_read_from_a_model_file_and_by_others(tmp_path):
    from safetensors.numpy import load_file

    model, twin = small(), small()
    model.fit(X, Y, verbose=0)
    model.save(tmp_path / "model.minitrain")
    twin.load_weights(tmp_path / "model.minitrain")
    same(twin.get_weights(), model.get_weights())
    model.save_weights(tmp_path / "weights.safetensors")
    held = load_file(tmp_path / "weights.safetensors")
    same([held[key] for key in sorted(held)], model.get_weights())


def test_hdf5_has_the_layout_of_keras(tmp_path):
    h5py = pytest.importorskip("h5py")
    model = mt.Sequential([Input((6,)), layers.Dense(4), layers.BatchNormalization(), layers.Dense(1)])
    model.save_weights(tmp_path / "model.weights.h5")
    with h5py.File(tmp_path / "model.weights.h5") as file:
        found = {}
        file.visititems(lambda name, each: found.update({name: each.shape}) if hasattr(each, "shape") else None)
    assert found == {
        "layers/dense/vars/0": (6, 4),
        "layers/dense/vars/1": (4,),
        **{f"layers/batch_normalization/vars/{place}": (4,) for place in range(4)},
        "layers/dense_1/vars/0": (4, 1),
        "layers/dense_1/vars/1": (1,),
    }


@pytest.mark.parametrize("name", ["weights.safetensors", "model.weights.h5"])
def test_weights_of_other_shapes_are_refused_before_any_changes(name, tmp_path):
    if name.endswith(".h5"):
        pytest.importorskip("h5py")
    wider = mt.Sequential([Input((6,)), layers.Dense(4), layers.Dense(2)])
    wider.save_weights(tmp_path / name)
    model = small()
    before = model.get_weights()
    with pytest.raises(ShapeError, match=r"\(4, 1\).*\(4, 2\)"):
        model.load_weights(tmp_path / name)
    same(model.get_weights(), before)
    deeper = mt.Sequential([Input((6,)), layers.Dense(4), layers.Dense(1), layers.Dense(1)])
    with pytest.raises(ShapeError, match="weights"):
        deeper.load_weights(tmp_path / name)
    model.load_weights(tmp_path / name, skip_mismatch=True)
    same(model.get_weights()[:2], wider.get_weights()[:2])
    same(model.get_weights()[2:], before[2:])


def test_weights_of_a_model_that_is_not_built_are_refused(tmp_path):
    model = mt.Sequential([layers.Dense(1)])
    with pytest.raises(InvalidArgumentError, match="not built"):
        model.save_weights(tmp_path / "weights.safetensors")
    small().save_weights(tmp_path / "weights.safetensors")
    with pytest.raises(InvalidArgumentError, match="not built"):
        model.load_weights(tmp_path / "weights.safetensors")


@pytest.mark.parametrize("make", ["group", "dataset", "text", "external", "link"])
def test_hostile_hdf5_is_refused(make, tmp_path):
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "model.weights.h5"
    model = mt.Sequential([Input((6,)), layers.Dense(4, use_bias=False)])
    model.save_weights(tmp_path / "other.weights.h5")
    (tmp_path / "secret").write_bytes(b"x" * 96)
    with h5py.File(path, "w") as file:
        if make == "group":
            file.create_group("layers/dense/vars/0")
        elif make == "dataset":
            file["layers/dense/vars"] = np.zeros(1)
        elif make == "text":
            file["layers/dense/vars/0"] = np.full((6, 4), b"text")
        elif make == "external":  # the bytes of another file, read as weights
            secret = [(str(tmp_path / "secret"), 0, 96)]
            file.create_group("layers/dense/vars").create_dataset("0", (6, 4), "float32", external=secret)
        else:
            file["layers/dense/vars/0"] = h5py.ExternalLink("other.weights.h5", "layers/dense/vars/0")
    before = model.get_weights()
    with pytest.raises(MinitrainError):
        model.load_weights(path)
    same(model.get_weights(), before)


@pytest.mark.parametrize("name", ["weights.safetensors", "model.weights.h5"])
def test_damaged_files_of_weights_are_refused(name, tmp_path):
    if name.endswith(".h5"):
        pytest.importorskip("h5py")
    path = tmp_path / name
    model = small()
    model.save_weights(path)
    for data in damaged(path.read_bytes(), 60):
        path.write_bytes(data)
        with contextlib.suppress(MinitrainError):
            model.load_weights(path)


# ------------------------------------------------------------------------------------------------- whole or not at all


@pytest.mark.parametrize("name", ["model.minitrain", "weights.safetensors", "model.weights.h5"])
def test_a_write_that_fails_in_the_middle_leaves_the_old_file(name, tmp_path, monkeypatch):
    if name.endswith(".h5"):
        pytest.importorskip("h5py")
    model = small()
    write = model.save if name == "model.minitrain" else model.save_weights
    write(tmp_path / name)
    old = (tmp_path / name).read_bytes()

    def failing(descriptor):
        raise OSError("the disk is full")

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(OSError, match="the disk is full"):
        write(tmp_path / name)
    assert (tmp_path / name).read_bytes() == old
    assert os.listdir(tmp_path) == [name]


def test_a_file_is_replaced_only_as_asked(tmp_path):
    path = tmp_path / "new" / "model.minitrain"
    small().save(path)
    for write in (small().save, small().save_weights):
        with pytest.raises(InvalidArgumentError, match="exists already"):
            write(path, overwrite=False)
    small().save(path)
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="POSIX")
def test_only_files_are_replaced_and_links_stay_links(tmp_path):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")  # as a device would be
    for name in ("folder", "pipe"):
        for write in (small().save, small().save_weights):
            with pytest.raises(InvalidArgumentError, match=rf"{name}' is no file"):
                write(tmp_path / name)
    (tmp_path / "latest").symlink_to("model.minitrain")
    small().save(tmp_path / "latest")
    assert (tmp_path / "latest").is_symlink()
    load_model(tmp_path / "model.minitrain")


# ------------------------------------------------------------------------------------------------ files from elsewhere


def entries_of(path):
    with zipfile.ZipFile(path) as archive:
        return {each: archive.read(each) for each in archive.namelist()}


def packed(entries, **options):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", **options) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return held.getvalue()


def damaged(data, flips):
    """The file cut off at many places, then with bytes changed at random."""
    for end in sorted({0, 1, 3, 4, 8, 30, *range(50, len(data), len(data) // 40), len(data) - 22, len(data) - 1}):
        yield data[:end]
    rng = random.Random(0)
    for _ in range(flips):
        changed = bytearray(data)
        for _ in range(rng.choice([1, 1, 1, 4, 40])):
            changed[rng.randrange(len(data))] ^= rng.randrange(1, 256)
        yield bytes(changed)


def causes(error):
    """An error, what caused it, and so on."""
    found = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


def load_safely(path, data):
    """The model that the bytes make, or the one error; soon and in little memory either way."""
    Path(path).write_bytes(data)
    start = time.perf_counter()
    try:
        return load_model(path)
    except MinitrainError as error:
        if any(isinstance(each, MemoryError) for each in causes(error)):
            raise AssertionError("It asked for more memory than there is.") from error
        return None
    finally:
        assert time.perf_counter() - start < 1.0


def traced(path, data):
    tracemalloc.start()
    try:
        found = load_safely(path, data)
        assert tracemalloc.get_traced_memory()[1] < 1 << 28
    finally:
        tracemalloc.stop()
    return found


@pytest.fixture
def saved(tmp_path):
    model = drawn()
    model.compile("adam", {"main": "mse", "aux": "mse"}, metrics={"main": ["mae"]})
    model.fit([X[:, :2], X], [Y, X[:, :3]], verbose=0)
    model.save(tmp_path / "model.minitrain")
    return model, tmp_path / "model.minitrain"


@pytest.fixture
def plain(tmp_path):
    """A Sequential's file, and its entries."""
    model = small()
    model.train_on_batch(X, Y)
    model.save(tmp_path / "model.minitrain")
    return tmp_path / "model.minitrain", entries_of(tmp_path / "model.minitrain")


def test_a_damaged_model_file_is_refused_or_loads_as_it_was(saved):
    model, path = saved
    refused = 0
    for data in damaged(path.read_bytes(), 300):
        twin = load_safely(path, data)
        refused += twin is None
        if twin is not None:
            same(twin.predict([X[:, :2], X]), model.predict([X[:, :2], X]))
    assert refused > 200


def test_damage_within_the_entries_is_refused_or_harmless(saved):
    _, path = saved
    entries = entries_of(path)
    rng = random.Random(1)
    for _ in range(300):
        name = rng.choice(sorted(entries))
        changed = bytearray(entries[name])
        changed[rng.randrange(min(len(changed), 4000))] ^= rng.randrange(1, 256)
        load_safely(path, packed(entries | {name: bytes(changed)}))


ODD = (
    None,
    True,
    -1,
    0,
    10**7,
    10**12,
    10**40,
    1e308,
    "",
    "x",
    [],
    {},
    [[]],
    [None],
    {"class_name": "Dense"},
    {"a": 1},
)
ODD += ({"class_name": ["Dense"], "config": 3}, [10**6, 10**6], [[[10**7]]], "\0", {"tensor": [9, 9]}, {"dict": []})


def places(value, path=()):
    """The paths of all values in a JSON text."""
    yield path
    for key, each in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(each, (*path, key))


def replaced(value, path, new):
    if not path:
        return new
    made = copy.copy(value)
    made[path[0]] = replaced(value[path[0]], path[1:], new)
    return made


@pytest.mark.parametrize("text", ["model", "compile"])
def test_wrong_types_anywhere_are_refused_or_harmless(saved, text):
    _, path = saved
    entries = entries_of(path)
    value = json.loads(entries[f"{text}.json"])
    rng = random.Random(2)
    tried = [(place, odd) for place in places(value) for odd in ODD]
    for place, odd in rng.sample(tried, 500):
        changed = json.dumps(replaced(value, place, odd)).encode()
        try:
            load_safely(path, packed(entries | {f"{text}.json": changed}))
        except Exception as error:
            raise AssertionError(f"{place} = {odd!r} gives {error!r}") from error


@pytest.mark.parametrize("name", ["model", "compile"])
@pytest.mark.parametrize("depth", [100, 300, 900, 980, 10_000, 1_000_000])
@pytest.mark.parametrize("brackets", ["[]", '{"a":}'], ids=["lists", "dicts"])
def test_deep_nesting_is_refused(plain, name, depth, brackets):
    path, entries = plain
    value = json.loads(entries[f"{name}.json"])
    key = "config" if name == "model" else "loss"
    nested = brackets[:-1] * depth + "0" + brackets[-1] * depth
    text = json.dumps(value | {key: "HERE"}).replace('"HERE"', nested)
    assert traced(path, packed(entries | {f"{name}.json": text.encode()})) is None


@pytest.mark.parametrize("text", [b"", b"null", b"[]", b"{}", b"\xff\xfe", b"NaN", b"1" * 5000, b'{"format": 1}', b'"'])
@pytest.mark.parametrize("name", ["model.json", "compile.json", "weights.safetensors", "optimizer.safetensors"])
def test_entries_that_are_something_else_are_refused(plain, name, text):
    path, entries = plain
    assert traced(path, packed(entries | {name: text})) is None


@pytest.mark.parametrize("name", ["model.json", "weights.safetensors", "optimizer.safetensors"])
def test_entries_that_are_missing_are_refused(plain, name):
    path, entries = plain
    assert load_safely(path, packed({key: each for key, each in entries.items() if key != name})) is None


def sequential(*configs, shape=(None, 6)):
    """The text of a Sequential of these layers."""
    listed = [{"class_name": "InputLayer", "config": {"batch_shape": shape, "dtype": "float32", "name": "i"}}]
    listed += [{"class_name": name, "config": config} for name, config in configs]
    return {"format": 1, "class_name": "Sequential", "config": {"name": "s", "layers": listed}}


def calling(function, *args):
    """The text of a functional model that calls a function."""
    return {
        "format": 1,
        "class_name": "Model",
        "config": {
            "name": "m",
            "layers": [],
            "inputs": {"input": {"batch_shape": [None, 6], "dtype": "float32", "name": "i"}},
            "calls": [{"function": function, "args": args, "kwargs": {"dict": {}}}],
            "outputs": {"tensor": [0, 0]},
        },
    }


FIRST = {"tensor": [-1, 0]}
GREEDY = {
    "units": sequential(("Dense", {"units": 10**12})),
    "units_of_a_modest_size": sequential(("Dense", {"units": 9_999_999})),
    "embedding": sequential(("Embedding", {"input_dim": 9_999_999, "output_dim": 9_999_999})),
    "batch_shape": sequential(("Dense", {"units": 1}), shape=(None, 10**12)),
    "batch": sequential(("Dense", {"units": 1}), shape=(10**12, 6)),
    "two_axes": sequential(("Flatten", {}), shape=(None, 9_999, 99_999)),
    "three_axes": sequential(("Flatten", {}), shape=(None, 9_999_999, 9_999_999, 9_999_999)),
    "many_axes": sequential(("Flatten", {}), shape=(None, *[2] * 40)),
    "repeats": sequential(("RepeatVector", {"n": 9_999_999})),
    "repeats_twice": sequential(("RepeatVector", {"n": 9_999}), ("UpSampling1D", {"size": 9_999})),
    "padding": sequential(("ZeroPadding1D", {"padding": 9_999_999}), shape=(None, 6, 6)),
    "padding_twice": sequential(("ZeroPadding2D", {"padding": 99_999}), shape=(None, 6, 6, 6)),
    "upsampling": sequential(("UpSampling2D", {"size": [9_999, 9_999]}), shape=(None, 6, 6, 6)),
    "tokens": sequential(("CategoryEncoding", {"num_tokens": 9_999_999, "output_mode": "one_hot"})),
    "ones": calling("ones", [9_999_999, 99_999]),
    "zeros": calling("zeros", [9_999, 99_999]),
    "range": calling("range", 9_999_999),
    "float_range": calling("range", 0.0, 1.0, 1e-9),
    "repeat": calling("repeat", FIRST, 9_999_999),
    "tile": calling("tile", FIRST, [9_999, 9_999]),
    "eye": calling("eye", 99_999),
    "one_hot": calling("one_hot", FIRST, 9_999_999),
    "broadcast": calling("ops.matmul", {"array": [[0.0]] * 40_000, "dtype": "float64"}, {"array": [[0.0] * 40_000]}),
    "power": calling("pow", {"array": 10**6, "dtype": "object"}, 10**6),
    "pad": calling("ops.pad", FIRST, [[9_999, 9_999], [9_999, 9_999]]),
}


@pytest.fixture
def little_memory():
    """So little that a test which asks for too much ends, and not the machine that it runs on."""
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (3 << 30), limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, limits)


@pytest.mark.parametrize("case", GREEDY)
def test_sizes_beyond_those_of_the_weights_take_no_memory(plain, case, little_memory):
    path, entries = plain
    assert traced(path, packed(entries | {"model.json": json.dumps(GREEDY[case]).encode()})) is None


def tensors(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def one(dtype="F32", shape=(1,), offsets=(0, 4)):
    return {"00000 w": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}


LYING = {
    "long_header": struct.pack("<Q", 10**15) + b"{}",
    "no_header": b"\0" * 8,
    "offsets_beyond": tensors(one(shape=(10**9,), offsets=(0, 4 * 10**9)), b"\0" * 4),
    "offsets_back": tensors(one(offsets=(4, 0)), b"\0" * 4),
    "negative": tensors(one(shape=(-1,)), b"\0" * 4),
    "shape_and_offsets": tensors(one(shape=(10**6, 10**6)), b"\0" * 4),
    "overflowing": tensors(one(shape=(2**62, 4), offsets=(0, 0))),
    "empty_and_huge": tensors(one(shape=(0, 2**62), offsets=(0, 0))),
    "many_axes": tensors(one(shape=[1] * 1000), b"\0" * 4),
    "bfloat16": tensors(one("BF16", offsets=(0, 2)), b"\0" * 2),
    "float8": tensors(one("F8_E4M3", offsets=(0, 1)), b"\0"),
    "complex": tensors(one("C64", offsets=(0, 8)), b"\0" * 8),
    "unknown_dtype": tensors(one("TEXT"), b"\0" * 4),
    "deep": tensors(b"[" * 100_000 + b"]" * 100_000),
    "text": tensors({"00000 w": "text"}),
}


@pytest.mark.parametrize("case", LYING)
@pytest.mark.parametrize("name", ["weights", "optimizer"])
def test_arrays_that_lie_about_themselves_are_refused(plain, case, name):
    path, entries = plain
    assert traced(path, packed(entries | {f"{name}.safetensors": LYING[case]})) is None


def test_complex_numbers_are_no_weights(tmp_path):
    from safetensors.numpy import save

    path = tmp_path / "weights.safetensors"
    model = mt.Sequential([Input((1,)), layers.Dense(1, use_bias=False)])
    path.write_bytes(save({"00000 w": np.array([[1j]], "complex64")}))
    with pytest.raises(MinitrainError):
        model.load_weights(path)


@pytest.mark.parametrize("claim", [0, 1, 10**6, 2**31, 2**32 - 2])
@pytest.mark.parametrize("field", [20, 24, 42], ids=["compressed", "size", "place"])
def test_entries_with_lying_sizes_are_refused_or_harmless(plain, claim, field):
    path, entries = plain
    data = bytearray(packed(entries))
    at = data.rfind(b"PK\1\2", 0, data.rfind(b"weights.safetensors"))  # the central directory's line of the weights
    data[at + field : at + field + 4] = struct.pack("<I", claim)
    traced(path, bytes(data))


def test_a_zip_bomb_is_refused(plain):
    path, entries = plain
    bomb = b" " * (1 << 26) + entries["model.json"]
    assert traced(path, packed(entries | {"model.json": bomb}, compression=zipfile.ZIP_DEFLATED)) is None


def test_an_entry_that_stands_twice_is_refused(plain):
    path, entries = plain
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("model.json", entries["model.json"])
    with pytest.raises(FileFormatError, match="twice"):
        load_model(path)


def test_models_of_keras_are_refused_with_advice_and_their_weights_read(tmp_path):
    pytest.importorskip("h5py")
    texts = {"config.json": b'{"module": "keras", "class_name": "Sequential"}', "metadata.json": b"{}"}
    model, twin, path = small(), small(), tmp_path / "model.keras"
    model.fit(X, Y, verbose=0)
    model.save_weights(tmp_path / "model.weights.h5")
    path.write_bytes(packed(texts | {"model.weights.h5": (tmp_path / "model.weights.h5").read_bytes()}))
    with pytest.raises(FileFormatError, match=r"written by Keras.*load_weights"):
        load_model(path)
    twin.load_weights(path)
    same(twin.get_weights(), model.get_weights())
    for damaged in (b"\x89HDF\r\n\x1a\n", b"", b"text"):
        path.write_bytes(packed(texts | {"model.weights.h5": damaged}))
        with pytest.raises(FileFormatError, match="cannot be read"):
            twin.load_weights(path)
    same(twin.get_weights(), model.get_weights())


def test_hdf5_files_of_whole_models_are_refused_with_advice(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "model.h5", "w") as file:
        file.create_group("model_weights/dense")
    for load in (load_model, small().load_weights):
        with pytest.raises(FileFormatError, match=r"written by Keras.*save_weights"):
            load(tmp_path / "model.h5")
    small().save_weights(tmp_path / "model.weights.h5")
    with pytest.raises(FileFormatError, match=r"weights alone.*load_weights"):
        load_model(tmp_path / "model.weights.h5")


def test_a_file_that_is_not_there_is_named(tmp_path):
    for load in (load_model, small().load_weights):
        for kind in (FileNotFoundError, ValueError):
            with pytest.raises(kind, match=r"nothing\.minitrain"):
                load(tmp_path / "nothing.minitrain")


def test_classes_are_found_by_name_and_never_imported(plain):
    path, entries = plain
    for name in ("os.system", "builtins>eval", "subprocess.Popen", "Lambda", "object", "Callback"):
        text = sequential((name, {"function": "os.system"}))
        assert load_safely(path, packed(entries | {"model.json": json.dumps(text).encode()})) is None
    with pytest.raises(InvalidArgumentError, match=r"Callback.*custom_objects"):
        load_model(path)


def test_a_model_of_another_shape_than_its_weights_is_refused(plain):
    path, entries = plain
    text = entries["model.json"].replace(b'"units": 4', b'"units": 3')
    with pytest.raises(ShapeError):
        path.write_bytes(packed(entries | {"model.json": text})) and load_model(path)


def test_a_float64_model_comes_back_in_float64(tmp_path):
    x = Input((6,), dtype="float64")
    model = Model(x, layers.Dense(2, dtype="float64")(x), dtype="float64")
    twin = there_and_back(model, tmp_path / "model.minitrain")
    data = np.asarray(X, "float64") / 3
    assert twin.predict(data, verbose=0).dtype == np.float64
    np.testing.assert_array_equal(twin.predict(data, verbose=0), model.predict(data, verbose=0))


@saving.register_serializable(package="tests")
class OwnCompile(Model):
    """A model with a `compile` of its own."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = layers.Dense(1)

    def call(self, x):
        return self.dense(x)

    def compile(self, optimizer, own_loss):
        super().compile(optimizer, own_loss)
        self.own_loss = own_loss

    def get_compile_config(self):
        return {"rate": float(self.optimizer.learning_rate), "own_loss": self.own_loss}

    def compile_from_config(self, config):
        self.compile(mt.optimizers.Adam(config["rate"]), config["own_loss"])


def test_a_compile_of_ones_own_is_saved_by_ones_own_configuration(tmp_path):
    model = OwnCompile()
    model.compile(mt.optimizers.Adam(0.25), "mse")
    model.fit(np.ones((4, 2)), np.ones(4), verbose=0)
    twin = there_and_back(model, tmp_path / "own.minitrain")
    assert twin.own_loss == "mse"
    assert float(twin.optimizer.learning_rate) == 0.25
    assert int(twin.optimizer.iterations) == 1


@saving.register_serializable(package="tests")
class ForgetfulCompile(OwnCompile):
    """One whose configuration is left to Model."""

    get_compile_config = Model.get_compile_config
    compile_from_config = Model.compile_from_config


def test_a_compile_of_ones_own_without_a_configuration_is_left_to_the_user(tmp_path):
    model = ForgetfulCompile()
    model.compile("sgd", "mse")
    model(np.ones((4, 2)))
    with pytest.warns(UserWarning, match="compile_from_config"):
        assert not there_and_back(model, tmp_path / "own.minitrain").compiled


@saving.register_serializable(package="tests")
class Halved(layers.Layer):
    """A layer that writes its weight in a way of its own."""

    def build(self, input_shape):
        self.gain = self.add_weight((input_shape[-1],), "ones", name="gain")

    def call(self, x):
        return x * self.gain

    def save_own_variables(self, store):
        super().save_own_variables(store)
        store["half"] = self.gain.numpy() / 2

    def load_own_variables(self, store):
        self.gain.assign(store["half"])


def test_layers_write_and_read_their_variables_in_their_own_way(tmp_path):
    model = mt.Sequential([Input((3,)), layers.Dense(3), Halved(), Halved()])
    model.layers[2].gain.assign([2.0, 4.0, 6.0])
    twin = there_and_back(model, tmp_path / "own.minitrain")
    np.testing.assert_array_equal(twin.layers[1].gain, [0.5] * 3)
    np.testing.assert_array_equal(twin.layers[2].gain, [1.0, 2.0, 3.0])
    np.testing.assert_array_equal(twin.layers[0].kernel, model.layers[0].kernel)


@pytest.mark.parametrize(
    "value",
    [
        [1, 2.5, "a", None, True, {"x": [1, 2]}],
        {"a": [slice(1, None, 2), ...]},
        b"\x00\xff",
        layers.Dense(3, name="d"),
        Halved(name="h"),
    ],
)
def test_values_go_to_json_and_back(value):
    back = saving.deserialize_keras_object(json.loads(json.dumps(saving.serialize_keras_object(value))))
    assert type(back) is type(value)
    if isinstance(value, layers.Layer):
        assert back.get_config() == value.get_config()
    else:
        assert back == value


def test_arrays_go_to_json_and_back():
    for value in (np.array([[1.5, 2.0]]), mt.constant([1, 2])):
        back = saving.deserialize_keras_object(json.loads(json.dumps(saving.serialize_keras_object(value))))
        assert type(back) is type(value)
        assert back.dtype == value.dtype
        np.testing.assert_array_equal(back, value)


def test_serialized_objects_have_the_form_of_keras_and_strangers_are_refused():
    made = saving.serialize_keras_object(Halved())
    assert (made["class_name"], made["registered_name"]) == ("Halved", "tests>Halved")
    for stranger in (object(), Halved, {1, 2}):
        with pytest.raises(TypeError, match="Cannot serialize"):
            saving.serialize_keras_object(stranger)
    with pytest.raises(TypeError, match="Could not locate"):
        saving.deserialize_keras_object({"class_name": "Nobody", "config": {}})


@pytest.mark.parametrize(
    "cls",
    [
        *(mt.keras.metrics.Poisson, mt.keras.losses.Poisson, mt.keras.metrics.MeanSquaredError),
        *(mt.keras.initializers.Identity, layers.Identity, mt.keras.optimizers.SGD),
    ],
)
@pytest.mark.parametrize("library", ["minitrain", "keras"])
def test_a_name_of_several_families_is_read_as_the_one_that_was_written(cls, library):
    written = saving.serialize_keras_object(cls())
    written["module"] = written["module"].replace("minitrain", library)
    assert type(saving.deserialize_keras_object(json.loads(json.dumps(written)))) is cls


def test_a_scope_may_have_no_custom_objects():
    with saving.custom_object_scope(None):
        assert (
            type(saving.deserialize_keras_object(saving.serialize_keras_object(layers.Identity()))) is layers.Identity
        )


def test_objects_that_a_configuration_holds_go_to_json_too():
    class Around(layers.Layer):
        def __init__(self, inner, rows):
            super().__init__()
            self.inner, self.rows = inner, rows

        def get_config(self):
            return {"inner": self.inner, "rows": self.rows}

        @classmethod
        def from_config(cls, config):
            return cls(**{name: saving.deserialize_keras_object(each) for name, each in config.items()})

    text = json.dumps(saving.serialize_keras_object(Around(layers.Dense(3), np.arange(3))))
    back = saving.deserialize_keras_object(json.loads(text), {"Around": Around})
    assert back.inner.units == 3
    np.testing.assert_array_equal(back.rows, [0, 1, 2])
    function = {"module": "builtins", "class_name": "function", "config": "relu", "registered_name": "function"}
    assert saving.deserialize_keras_object(function) is mt.activations.relu  # as Keras writes one
    halved = saving.register_keras_serializable("tests", "halved")(lambda x: x / 2)
    named = function | {"config": "<lambda>", "registered_name": "tests>halved"}
    assert saving.deserialize_keras_object(named) is halved


def test_layers_that_were_arguments_come_back_where_get_config_is_left_to_us(tmp_path):
    class Around(layers.Layer):
        def __init__(self, first, others=(), start="zeros", **kwargs):
            super().__init__(**kwargs)
            self.first, self.others = first, list(others)
            self.start = mt.initializers.get(start)

        def call(self, x):
            for each in (self.first, *self.others):
                x = each(x)
            return x

    class Net(mt.Model):
        def __init__(self, around, **kwargs):
            super().__init__(**kwargs)
            self.around = around

        def call(self, x):
            return self.around(x)

    def around():
        return Around(layers.Dense(3), [layers.Dense(2), Around(layers.Dense(1), start="ones")])

    x = np.ones((2, 4), "float32")
    for number, model in enumerate((mt.Sequential([mt.Input((4,)), around()]), Net(around()))):
        before = model(x)
        path = tmp_path / f"{number}.minitrain"
        model.save(path)
        again = load_model(path, custom_objects={"Around": Around, "Net": Net})
        np.testing.assert_array_equal(again(x), before)


def test_who_may_read_a_file_stays_and_what_is_write_protected_too(tmp_path):
    model = mt.Sequential([Input((6,)), layers.Dense(1)])
    path = tmp_path / "model.minitrain"
    model.save(path)
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask()
    path.chmod(0o600)
    model.save(path)
    assert path.stat().st_mode & 0o777 == 0o600
    model.save_weights(tmp_path / f"{'a' * 230}.weights.h5")
    assert len(list(tmp_path.iterdir())) == 2
    if os.geteuid():  # root may write to everything
        path.chmod(0o400)
        with pytest.raises(PermissionError):
            model.save(path)


def umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize("path", ["", b"model", None, io.BytesIO(), 3])
def test_what_is_no_path_is_named(path):
    model = mt.Sequential([Input((6,)), layers.Dense(1)])
    for use in (model.save, load_model):
        with pytest.raises(InvalidArgumentError, match="path of a file"):
            use(path)
    for read in (load_model, model.load_weights):
        with pytest.raises(FileNotFoundError):
            read("a" * 5000)


def test_a_full_disk_leaves_the_old_weights(tmp_path, monkeypatch):
    model = mt.Sequential([Input((6,)), layers.Dense(1)])
    path = tmp_path / "model.weights.h5"
    model.save_weights(path)
    before = path.read_bytes()

    def full(self, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        model.save_weights(path)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_hdf5_pieces_larger_than_what_they_hold_take_no_memory(tmp_path):
    h5py = pytest.importorskip("h5py")
    model = mt.Sequential([Input((6,)), layers.Dense(1)])
    path = tmp_path / "model.weights.h5"
    model.save_weights(path)
    with h5py.File(path, "r+") as file:
        held = file["layers/dense/vars"]
        values = held["0"][()]
        del held["0"]
        held.create_dataset("0", data=values, chunks=(8000, 8000), maxshape=(None, None), compression="gzip")
    with pytest.raises(FileFormatError, match="pieces"):
        model.load_weights(path)


BACKUP_MISTAKES = {
    "another format": lambda state: state.update(format=7),
    "no streams": lambda state: state.pop("streams"),
    "no callbacks": lambda state: state.update(callbacks=-1),
    "no sums": lambda state: state.update(sums=[]),
    "a batch beyond all": lambda state: state.update(batch=10**30),
    "a text for an epoch": lambda state: state.update(epoch="one"),
    "no main stream": lambda state: state["streams"].update(main=None),
    "no list": lambda state: state.clear(),
}


@pytest.mark.parametrize("name", BACKUP_MISTAKES)
def test_a_backup_that_cannot_be_restored_changes_nothing(tmp_path, name):
    def kill(epoch, logs):
        if epoch == 1:
            raise KeyboardInterrupt

    def backup():
        return mt.callbacks.BackupAndRestore(tmp_path)

    def made(optimizer="adam"):
        model = mt.Sequential([Input((6,)), layers.Dense(2), layers.Dropout(0.5), layers.Dense(1)])
        model.compile(optimizer, "mse")
        return model

    with pytest.raises(KeyboardInterrupt):
        made().fit(X, Y, epochs=3, verbose=0, callbacks=[backup(), mt.callbacks.LambdaCallback(on_epoch_end=kill)])
    path = next(tmp_path.iterdir())
    with zipfile.ZipFile(path) as archive:
        entries = {each: archive.read(each) for each in archive.namelist()}
    state = json.loads(entries["state.json"])
    BACKUP_MISTAKES[name](state)
    with zipfile.ZipFile(path, "w") as archive:
        for each, data in (entries | {"state.json": json.dumps(state)}).items():
            archive.writestr(each, data)
    for model in (made(), made("sgd")):
        before = model.get_weights()
        with pytest.raises(FileFormatError if model.optimizer.name.startswith("adam") else MinitrainError):
            model.fit(X, Y, epochs=3, verbose=0, callbacks=[backup()])
        for mine, its in zip(model.get_weights(), before):
            np.testing.assert_array_equal(mine, its)
        assert not model.optimizer.built
        assert int(model.optimizer.iterations) == 0
