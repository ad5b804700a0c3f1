"""The contract of a layer, checked over the registry, then each family's known values."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import minitrain as mt
from minitrain import layers
from minitrain.layers.base import REGISTRY
from minitrain.layers.regularization import RandomLayer

RNG = np.random.default_rng(0)
X = RNG.normal(size=(4, 6))
STEPS = RNG.normal(size=(4, 5, 6))
IMAGE = RNG.normal(size=(2, 4, 4, 6))
SPACE = RNG.normal(size=(2, 3, 3, 3, 2))
PAIR = [RNG.normal(size=(4, 6)), RNG.normal(size=(4, 6)) + 3.0]
IDS = RNG.integers(0, 5, (4, 3))

# The arguments and an input for each layer: a floating one has a gradient.
SAMPLES = {
    "Dense": ((3,), {"activation": "tanh"}, X),
    "EinsumDense": (("abc,cd->abd", (None, 3)), {"bias_axes": "d", "activation": "tanh"}, STEPS),
    "TimeDistributed": ((layers.Dense(3, kernel_initializer="ones"),), {}, STEPS),
    "SpectralNormalization": ((layers.Dense(3, kernel_initializer="ones"),), {}, X),
    "Embedding": ((5, 3), {}, IDS),
    "Activation": (("tanh",), {}, X),
    "Identity": ((), {}, X),
    "Lambda": ((mt.tanh,), {}, X),
    "Masking": ((), {}, STEPS),
    "InputLayer": ((), {"shape": (6,)}, X),
    "ReLU": ((), {}, X),
    "LeakyReLU": ((), {}, X),
    "PReLU": ((), {"alpha_initializer": "ones"}, X),
    "ELU": ((), {}, X),
    "Softmax": ((), {}, X),
    "Dropout": ((0.5,), {"seed": 1}, X),
    "SpatialDropout1D": ((0.5,), {"seed": 1}, STEPS),
    "SpatialDropout2D": ((0.5,), {"seed": 1}, IMAGE),
    "SpatialDropout3D": ((0.5,), {"seed": 1}, SPACE),
    "GaussianNoise": ((0.5,), {"seed": 1}, X),
    "GaussianDropout": ((0.5,), {"seed": 1}, X),
    "AlphaDropout": ((0.5,), {"seed": 1}, X),
    "ActivityRegularization": ((), {"l1": 0.1, "l2": 0.2}, X),
    "BatchNormalization": ((), {}, X),
    "LayerNormalization": ((), {}, X),
    "GroupNormalization": ((2,), {}, IMAGE),
    "RMSNormalization": ((), {}, X),
    "UnitNormalization": ((), {}, X),
    "Flatten": ((), {}, STEPS),
    "Reshape": (((3, 2),), {}, X),
    "Permute": (((2, 1),), {}, STEPS),
    "RepeatVector": ((3,), {}, X),
    "Cropping1D": ((), {}, STEPS),
    "Cropping2D": ((1,), {}, IMAGE),
    "Cropping3D": ((1,), {}, SPACE),
    "ZeroPadding1D": ((2,), {}, STEPS),
    "ZeroPadding2D": (((1, 2),), {}, IMAGE),
    "ZeroPadding3D": ((1,), {}, SPACE),
    "UpSampling1D": ((2,), {}, STEPS),
    "UpSampling2D": ((), {"interpolation": "bicubic"}, IMAGE),
    "UpSampling3D": ((), {}, SPACE),
    "Add": ((), {}, PAIR),
    "Subtract": ((), {}, PAIR),
    "Multiply": ((), {}, PAIR),
    "Average": ((), {}, PAIR),
    "Maximum": ((), {}, PAIR),
    "Minimum": ((), {}, PAIR),
    "Concatenate": ((), {}, PAIR),
    "Dot": ((1,), {}, PAIR),
    "Rescaling": ((2.0, 1.0), {}, X),
    "Normalization": ((), {"mean": [0.5] * 6, "variance": [2.0] * 6}, X),
    "Discretization": (([-0.5, 0.5],), {}, X),
    "CategoryEncoding": ((5,), {}, IDS),
    "Hashing": ((5,), {}, IDS),
    "HashedCrossing": ((5,), {}, [IDS[:, 0], IDS[:, 1]]),
    "StringLookup": ((), {"vocabulary": ["a", "b"]}, np.array([["a", "z"], ["b", "a"]])),
    "TextVectorization": ((), {"vocabulary": ["a", "b"]}, np.array(["A z!", "b a a"])),
    "IntegerLookup": ((), {"vocabulary": [7, 9]}, np.array([[7, 1], [9, 7]])),
}
CLASSES = REGISTRY.members
RANDOM = {c for c in CLASSES if issubclass(c, RandomLayer)}
DISCRETE = {
    "Embedding",
    "Discretization",
    "CategoryEncoding",
    "Hashing",
    "HashedCrossing",
    "StringLookup",
    "IntegerLookup",
    "TextVectorization",
}


def make(cls, **further):
    args, options, _ = SAMPLES[cls.__name__]
    return cls(*args, **(options | further))


def inputs(cls, dtype="float64"):
    x = SAMPLES[cls.__name__][2]
    if isinstance(x, list):
        return [mt.constant(each.astype(dtype) if each.dtype.kind == "f" else each) for each in x]
    return mt.constant(x.astype(dtype)) if x.dtype.kind == "f" else x


def floats(x):
    return [
        each for each in (x if isinstance(x, list) else [x]) if isinstance(each, mt.Tensor) and each.dtype.is_floating
    ]


def test_every_layer_has_a_sample():
    assert {c.__name__ for c in CLASSES} == set(SAMPLES)


@pytest.mark.parametrize("cls", [c for c in CLASSES if c is not layers.Lambda])
def test_configuration_and_weights_go_there_and_back(cls):
    layer, x = make(cls), inputs(cls)
    y = layer(x)
    again = layers.deserialize(layers.serialize(layer))
    assert type(again) is cls
    assert again.get_config() == layer.get_config()
    again(x)
    again.set_weights([w + 1.0 if w.dtype.kind == "f" else w for w in layer.get_weights()])
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(again(x), y)
    assert [w.path.split("/")[1] for w in again.weights] == [w.path.split("/")[1] for w in layer.weights]


@pytest.mark.parametrize("cls", [c for c in CLASSES if c is not layers.Lambda])
def test_layers_pickle_and_deepcopy(cls):
    layer, x = make(cls), inputs(cls)
    y = layer(x)
    for again in (pickle.loads(pickle.dumps(layer)), copy.deepcopy(layer)):
        np.testing.assert_array_equal(again(x), y)
        assert all(a is not b for a, b in zip(again.weights, layer.weights, strict=True))


WRAPPERS = {"TimeDistributed", "SpectralNormalization"}  # whose weights are another layer's


@pytest.mark.parametrize("cls", [c for c in CLASSES if c.__name__ not in DISCRETE | WRAPPERS])
@pytest.mark.parametrize("training", [False, True])
def test_gradients_through_inputs_and_weights_are_right(cls, training):
    layer = make(cls, dtype="float64")
    layer(inputs(cls))
    arrays = SAMPLES[cls.__name__][2]
    arrays = arrays if isinstance(arrays, list) else [arrays]
    trainable = layer.trainable_weights
    seeded = getattr(layer, "generator", None)
    state = None if seeded is None else seeded.state

    def f(*values):
        if state is not None:
            seeded.state = state  # the same noise each time
        xs, weights = list(values[: len(arrays)]), values[len(arrays) :]
        for name, value in zip(names, weights, strict=True):
            layer.__dict__[name] = value
        try:
            return layer(xs if len(xs) > 1 else xs[0], training=training)
        finally:
            for name, variable in zip(names, trainable, strict=True):
                layer.__dict__[name] = variable

    names = [next(k for k, v in vars(layer).items() if v is variable) for variable in trainable]
    weights = [v.numpy() for v in trainable]
    mt.testing.check_gradients(f, *arrays, *weights, order=1, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("cls", CLASSES)
def test_float32_stays_float32_and_float64_inputs_are_cast(cls):
    y = make(cls)(inputs(cls))
    if isinstance(y, mt.Tensor) and y.dtype.is_floating and cls.__name__ not in WRAPPERS:
        assert y.dtype == "float32"
        assert make(cls, dtype="float64")(inputs(cls, "float32")).dtype == "float64"


@pytest.mark.parametrize("cls", [c for c in CLASSES if c in RANDOM])
def test_random_layers_own_a_seeded_stream_and_rest_in_inference(cls):
    x = inputs(cls, "float32")
    layer = make(cls)
    np.testing.assert_array_equal(layer(x, training=False), x)
    np.testing.assert_array_equal(layer(x), x)
    first, second = layer(x, training=True).numpy(), layer(x, training=True).numpy()
    assert not np.array_equal(first, second)
    again = make(cls)
    mt.random.normal([3])
    np.testing.assert_array_equal(again(x, training=True), first)
    many = np.concatenate([x] * 16)  # few channels that are dropped or kept would often be alike
    one, other = (cls(*SAMPLES[cls.__name__][0]) for _ in range(2))
    assert not np.array_equal(one(many, training=True).numpy(), other(many, training=True).numpy())


@pytest.mark.parametrize("cls", [c for c in CLASSES if c.__name__ not in DISCRETE])
def test_gradients_reach_the_inputs(cls):
    layer, x = make(cls), inputs(cls, "float32")
    with mt.GradientTape() as tape:
        tape.watch(floats(x))
        y = layer(x)
    gradients = tape.gradient(y, floats(x) + layer.trainable_weights)
    assert all(g is not None for g in gradients)


@pytest.mark.parametrize("cls", CLASSES)
def test_wrong_weights_are_refused_before_anything_changes(cls):
    layer = make(cls)
    layer(inputs(cls))
    before = layer.get_weights()
    with pytest.raises(ValueError, match=f"{layer.name}.*received {len(before) + 1}"):
        layer.set_weights([*before, np.zeros(1)])
    if before:
        with pytest.raises(ValueError, match=layer.weights[-1].name):
            layer.set_weights([*before[:-1], np.zeros((9, 9))])
        for one, other in zip(before, layer.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)
    assert layer.count_params() == sum(w.size for w in before)


# ------------------------------------------------------------------------------------------------------- the base class


def test_users_write_layers_in_ten_lines():
    class Linear(layers.Layer):
        def __init__(self, units, **kwargs):
            super().__init__(**kwargs)
            self.units = units

        def build(self, input_shape):
            self.w = self.add_weight(shape=(input_shape[-1], self.units), initializer="ones")
            self.b = self.add_weight(shape=(self.units,), initializer="zeros", name="b")

        def call(self, x):
            return x @ self.w + self.b

    layer = Linear(2, name="mine")
    np.testing.assert_array_equal(layer(np.ones((3, 4))), np.full((3, 2), 4))
    assert [w.path for w in layer.weights] == ["mine/variable", "mine/b"]
    assert Linear.from_config(layer.get_config()).units == 2


def test_sublayers_and_variables_are_found_wherever_they_stand():
    class Block(layers.Layer):
        def __init__(self):
            super().__init__()
            self.first = layers.Dense(2)
            self.many = [layers.Dense(3), {"deep": (layers.Dense(4),)}]
            self.table = {"v": mt.Variable(1.0), "frozen": mt.Variable(2.0, trainable=False)}

        def call(self, x):
            return self.many[1]["deep"][0](self.many[0](self.first(x))) * self.table["v"]

    block = Block()
    block(X)
    assert [tuple(w.shape) for w in block.weights] == [(), (), (6, 2), (2,), (2, 3), (3,), (3, 4), (4,)]
    assert len(block.trainable_weights) == 7
    block.many.append(layers.Dense(1))
    block.many[-1](X)
    assert len(block.weights) == 10
    block.trainable = False
    assert block.trainable_weights == []
    assert block.first.trainable is False
    with mt.GradientTape() as tape:
        block(X)
    assert tape.watched_variables() == ()
    block.trainable = True
    assert len(block.trainable_weights) == 9


def test_a_layer_frozen_before_it_is_built_can_be_thawed():
    layer = layers.Dense(2, trainable=False)
    layer(X)
    assert layer.trainable_weights == []
    layer.trainable = True
    assert len(layer.trainable_weights) == 2


def test_losses_come_from_the_last_call_and_from_regularizers():
    class Penalised(layers.Layer):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(2, kernel_regularizer="l2", activity_regularizer="l1", kernel_initializer="ones")

        def call(self, x):
            self.add_loss(mt.reduce_sum(x))
            return self.dense(x)

    layer = Penalised()
    for _ in range(2):
        layer(np.ones((4, 3)))
    assert [float(loss) for loss in layer.losses] == pytest.approx([12.0, 0.01 * 24 / 4, 0.01 * 6])
    layer.dense.trainable = False
    assert len(layer.losses) == 2


def test_training_is_passed_down():
    class Outer(layers.Layer):
        def __init__(self):
            super().__init__()
            self.drop = layers.Dropout(0.5, seed=0)

        def call(self, x):
            return self.drop(x)

    layer, ones = Outer(), np.ones((4, 50), "float32")
    assert (layer(ones, training=True).numpy() == 0).any()
    np.testing.assert_array_equal(layer(ones, training=False), ones)
    np.testing.assert_array_equal(layer(ones), ones)


def test_names_are_unique_and_stable():
    one, other = layers.Dense(1), layers.Dense(1)
    assert one.name != other.name
    assert one.name.startswith("dense")
    assert layers.Dense(1, name="mine").name == "mine"


def test_weights_without_a_name_are_numbered():
    mt.utils.clear_session()
    layer = layers.Layer(name="own")
    for name in (None, "scale", None):
        layer.add_weight((2,), name=name)
    assert [each.name for each in layer.weights] == ["variable", "scale", "variable_1"]
    assert layer.weights[2].path == "own/variable_1"


def test_mistakes_are_explained():
    class Forgot(layers.Layer):
        def __init__(self):
            self.units = 3

        def call(self, x):
            return x

    with pytest.raises(RuntimeError, match=r"call `super\(\).__init__\(\)` first"):
        Forgot()(X)
    dense = layers.Dense(2, name="hidden")
    dense(X)
    with pytest.raises(ValueError, match=r"layer 'hidden' \(Dense\).*expected \(..., 6\).*received shape \(4, 5\)"):
        dense(np.ones((4, 5)))
    with pytest.raises(ValueError, match=r"batch axis, as x\[None\] of one row, received shape \(6,\)"):
        dense(np.ones(6))
    with pytest.raises(ValueError, match=r"at least 2 axes, such as x\[:, None\] of a single feature"):
        layers.Dense(2)(np.ones(3))
    with pytest.raises(ValueError, match=r"expected one input .*received shape \(\(10, 3\), \(10,\)\)"):
        layers.Dense(2)((np.ones((10, 3)), np.ones(10)))
    for name in ("Conv2D", "MaxPooling2D", "LSTM", "MultiHeadAttention"):
        with pytest.raises(AttributeError, match=f"'{name}': convolution.* are not here yet"):
            getattr(layers, name)
    with pytest.raises(AttributeError, match=r"'Dence'\. Did you mean 'Dense'"):
        _ = layers.Dence
    with pytest.raises(ValueError, match="positive integer, received 0"):
        layers.Dense(0)
    with pytest.raises(ValueError, match="Unrecognized keyword arguments passed to Dense: 'unit'"):
        layers.Dense(2, unit=3)
    with pytest.raises(ValueError, match="not built"):
        layers.Dense(2).count_params()
    with pytest.raises(ValueError, match=r"\[0\] = 9 is not in \[0, 5\)|= 9 is not in"):
        layers.Embedding(5, 2)([9])
    with pytest.raises(ValueError, match=r"'.*' \(Add\).*list of at least 1"):
        layers.Add()(X)
    with pytest.raises(ValueError, match=r"\(4, 6\).*\(4, 5\)"):
        layers.Add()([X, np.ones((4, 5))])
    with pytest.raises(ValueError, match="`rate` of Dropout"):
        layers.Dropout(1.5)
    with pytest.raises(ValueError, match="target shape"):
        layers.Reshape((4, 2))(X)
    with pytest.raises(ValueError, match="multiple of `groups`"):
        layers.GroupNormalization(4)(X)
    with pytest.raises(ValueError, match="Unknown layer: 'Dens'"):
        layers.deserialize({"class_name": "Dens", "config": {}})


class Sum(layers.Layer):
    """a @ w + b, for which `build` takes both shapes."""

    def build(self, a_shape, b_shape):
        self.w = self.add_weight(shape=(a_shape[-1], b_shape[-1]), initializer="ones")

    def call(self, a, b):
        return a @ self.w + b


def test_build_takes_the_shape_of_each_input_by_name_and_is_repeated_from_its_configuration():
    layer, again = Sum(), Sum()
    np.testing.assert_array_equal(layer(np.ones((2, 3)), b=np.ones((2, 4))), np.full((2, 4), 4))
    assert layer.get_build_config() == {"shapes_dict": {"a_shape": (2, 3), "b_shape": (2, 4)}}
    again.build_from_config(layer.get_build_config())
    assert again.built
    assert [tuple(w.shape) for w in again.weights] == [(3, 4)]
    dense = layers.Dense(2)
    assert dense.get_build_config() is None
    dense.build_from_config({"input_shape": (None, 3)})
    assert dense.get_build_config() == {"input_shape": (None, 3)}


@pytest.mark.parametrize(
    ("spec", "shape", "expected"),
    [
        ({"ndim": 2}, (2, 3, 4), "expected ndim=2"),
        ({"min_ndim": 3}, (2, 3), "expected min_ndim=3"),
        ({"max_ndim": 1}, (2, 3), "expected max_ndim=1"),
        ({"axes": {-1: 4}}, (2, 3), "expected size 4 on axis -1"),
        ({"shape": (None, 4)}, (2, 3), "expected size 4 on axis 1"),
        ({"dtype": "int32"}, (2, 3), "expected dtype=int32"),
        ({"axes": {-1: 3}, "ndim": 2}, (2, 3), None),
        ({"shape": (None, 3), "allow_last_axis_squeeze": True}, (2, 3, 1), None),
    ],
)
def test_inputs_are_checked_against_the_input_spec(spec, shape, expected):
    class Passing(layers.Layer):
        def call(self, x):
            return x

    layer = Passing()
    layer.input_spec = layers.InputSpec(**spec)
    for x in (np.ones(shape), mt.keras.Input(shape[1:])):
        if expected is None:
            assert tuple(layer(x).shape)[1:] == shape[1:]
        else:
            with pytest.raises(ValueError, match=rf"Input 0 of layer '{layer.name}'.*{expected}, received shape"):
                layer(x)
    with pytest.raises(ValueError, match="names axis 3 of at most 2"):
        layers.InputSpec(ndim=2, axes={3: 1})
    layer.input_spec = [layers.InputSpec(ndim=2)] * 2
    with pytest.raises(ValueError, match=r"expects 2 input\(s\), received 1"):
        layer(np.ones((2, 3)))


def test_a_stateless_call_uses_other_values_and_leaves_the_variables_alone():
    layer = layers.BatchNormalization(momentum=0.5)
    layer.build((None, 2))
    x = np.array([[1.0, 2.0], [3.0, 4.0]], "float32")
    gamma, beta = mt.constant([2.0, 2.0]), mt.constant([1.0, 1.0])
    with mt.GradientTape() as tape:
        tape.watch([gamma, beta])
        y, after = layer.stateless_call([gamma, beta], layer.non_trainable_variables, x, training=True)
    np.testing.assert_allclose(y, [[-0.999, -0.999], [2.999, 2.999]], rtol=1e-4)
    np.testing.assert_allclose(after, [[1.0, 1.5], [1.0, 1.0]])
    assert [g.numpy().tolist() for g in tape.gradient(y, [gamma, beta])][1] == [2.0, 2.0]
    np.testing.assert_array_equal(layer.get_weights(), [[1, 1], [0, 0], [0, 0], [1, 1]])
    with pytest.raises(ValueError, match="a value for each of the 2"):
        layer.stateless_call([], [], x)
    with pytest.raises(ValueError, match="not built"):
        layers.Dense(2).stateless_call([], [], x)


def test_a_policy_stands_for_a_dtype_and_mixed_ones_are_refused():
    policy = mt.keras.DTypePolicy("float64")
    layer = layers.Dense(2, dtype=policy)
    assert (layer.dtype, layer.dtype_policy, layer(X).dtype) == ("float64", policy, "float64")
    assert layers.Dense(2, dtype=mt.dtype_policies.serialize(policy)).dtype == "float64"
    mt.config.set_dtype_policy("float64")
    try:
        assert layers.Dense(2).dtype == mt.mixed_precision.global_policy().name == "float64"
    finally:
        mt.config.set_dtype_policy(None)
    with pytest.raises(ValueError, match=r"'mixed_float16' is not supported.*Use 'float32'"):
        layers.Dense(2, dtype="mixed_float16")
    with pytest.raises(ValueError, match="no DTypePolicy 'foo'"):
        mt.keras.DTypePolicy("foo")
    assert layers.Identity(autocast=False)(mt.constant(X)).dtype == "float64"


def test_own_variables_are_stored_by_number():
    layer, again, store = layers.Dense(2), layers.Dense(2), {}
    layer(X)
    layer.save_own_variables(store)
    with pytest.raises(ValueError, match=r"expected 0 variables.*received 2\. It is not built yet"):
        again.load_own_variables(store)
    again.build((None, 6))
    again.load_own_variables(store)
    np.testing.assert_array_equal(again(X), layer(X))


def test_a_declared_output_is_taken_for_the_drawing():
    class Rows(layers.Layer):
        def compute_output_spec(self, x):
            return mt.KerasTensor((x.shape[0], 9), "int32")

    class Wide(layers.Layer):
        def compute_output_shape(self, input_shape):
            return (*input_shape[:-1], 7)

    y = Rows()(mt.keras.Input((3,)))
    assert (y.shape, y.dtype) == ((None, 9), "int32")
    assert Wide().compute_output_spec(mt.KerasTensor((5, 3))).shape == (5, 7)
    assert layers.Dense(4).compute_output_spec(mt.KerasTensor((2, 3))).shape == (2, 4)


def test_masks_reach_their_inputs_and_end_where_they_are_not_supported():
    class Both(layers.Layer):
        def call(self, a, b, a_mask=None, b_mask=None):
            return a[:, 0] * float(a_mask is not None) + 2 * float(b_mask is not None)

    class Making(layers.Layer):
        def call(self, x):
            return x

        def compute_mask(self, inputs, previous_mask=None):
            return np.array([True, False])

    masked = layers.Masking()(STEPS)
    ones = mt.ones_like(masked)
    ones._keras_mask = masked._keras_mask
    with pytest.warns(UserWarning, match="does not support masking"):
        assert Both()(ones, masked).numpy().max() == 3.0
    with pytest.warns(UserWarning, match="'flat'.*does not support masking"):
        assert not hasattr(layers.Flatten(name="flat")(masked), "_keras_mask")
    assert Making()(np.ones((2, 2)))._keras_mask.numpy().tolist() == [True, False]


def test_a_mask_that_is_given_goes_on_to_the_output():
    class Seeing(layers.Layer):
        supports_masking = True

        def call(self, x, mask=None):
            self.seen = mask
            return x[0] + x[1] if isinstance(x, tuple) else x * 2.0

    class Joining(layers.Layer):
        def call(self, a, b, a_mask=None, b_mask=None):
            self.seen = a_mask, b_mask
            return a + b

    def masked_by(out):
        return None if getattr(out, "_keras_mask", None) is None else out._keras_mask.numpy().tolist()

    x, mask = np.ones((1, 3), "float32"), [[True, False, True]]
    layer = Seeing()
    assert masked_by(layer(x, mask=np.array(mask))) == mask
    assert masked_by(layers.Softmax()(x, mask=np.array(mask))) == mask
    assert masked_by(layer(layers.Masking(1.0)(np.ones((1, 3, 2))), mask=np.array(mask))) == mask  # in its place
    assert masked_by(layer(x, np.array(mask))) is None  # by place it is an input like others, as in Keras
    with_mask = layer(x, mask=np.array(mask))
    assert masked_by(layer((with_mask, mt.constant(x)))) == mask
    assert type(layer.seen) is tuple
    assert layer.seen[0].numpy().tolist() == mask
    assert layer.seen[1] is None
    joining = Joining()
    joining(mt.constant(x), with_mask)
    assert joining.seen[0] is None
    assert joining.seen[1].numpy().tolist() == mask
    drawn = mt.keras.Input((3,))
    assert masked_by(mt.keras.Model(drawn, Seeing()(drawn))(x, mask=np.array(mask))) == mask


def test_the_default_of_training_is_the_signatures():
    seen = []

    class Seeing(layers.Layer):
        def call(self, x, training=True):
            seen.append(training)
            return x

    layer = Seeing()
    layer(X)
    layer(X, training=False)
    assert seen == [True, False]


def test_metrics_within_layers_are_found():
    class Measured(layers.Layer):
        def __init__(self):
            super().__init__()
            self.mean = mt.metrics.Mean(name="size")
            self.inner = [layers.Dense(1)]

        def call(self, x):
            self.mean.update_state(x)
            return self.inner[0](x)

    class Outer(layers.Layer):
        def __init__(self):
            super().__init__()
            self.measured = Measured()

        def call(self, x):
            return self.measured(x)

    layer = Outer()
    layer(np.ones((2, 3)))
    assert [each.name for each in layer.metrics] == ["size"]
    assert (len(layer.metrics_variables), len(layer.weights)) == (2, 2)
    assert float(layer.metrics[0].result()) == 1.0


@pytest.mark.parametrize(
    ("wrong", "error"),
    [({"name": "a/b"}, ValueError), ({"name": 3}, ValueError), ({"trainable": "yes"}, ValueError)],
)
def test_wrong_arguments_of_any_layer_are_refused(wrong, error):
    with pytest.raises(error):
        layers.Dense(1, **wrong)


# ----------------------------------------------------------------------------------------------------- families' values


def test_fused_dense_equals_its_parts():
    mt.utils.set_random_seed(0)  # sums of two numbers of one size and two signs have fewer digits
    for activation in (None, "relu", "tanh", "sigmoid", "softmax", "gelu"):
        dense = layers.Dense(3, activation=activation, dtype="float64")
        y = dense(STEPS)
        expected = mt.activations.get(activation)(STEPS @ dense.kernel.numpy() + dense.bias.numpy())
        np.testing.assert_allclose(y, expected, rtol=1e-12)
    assert layers.Dense(3, use_bias=False)(X).shape == (4, 3)
    assert len(layers.Dense(3, use_bias=False, kernel_constraint="non_neg").weights) == 0


def test_masks_pass_through_layers_as_in_keras():
    x = STEPS.copy()
    x[0, 3:] = 0
    masked = layers.Masking()(x)
    assert masked._keras_mask.numpy()[0].tolist() == [True, True, True, False, False]
    assert layers.Dense(2)(masked)._keras_mask is not None
    assert layers.Dropout(0.5)(layers.Dense(2)(masked), training=True)._keras_mask is not None
    assert layers.Embedding(5, 2, mask_zero=True)(np.array([[1, 0]]))._keras_mask.numpy().tolist() == [[True, False]]
    both = layers.Add()([masked, layers.Masking()(STEPS)])
    assert both._keras_mask.numpy()[0].all()
    loss = mt.losses.MeanSquaredError()(np.zeros((4, 5, 6)), masked)
    kept = (x != 0).any(-1)
    np.testing.assert_allclose(loss, (x[kept] ** 2).mean(), rtol=1e-5)


def test_batch_normalization_moves_its_statistics_as_keras_does():
    layer = layers.BatchNormalization(momentum=0.9, dtype="float64")
    layer(X, training=True)
    np.testing.assert_allclose(layer.moving_mean, 0.1 * X.mean(0))
    np.testing.assert_allclose(layer.moving_variance, 0.9 + 0.1 * X.var(0))
    y = layer(X, training=False).numpy()
    mean, variance = layer.moving_mean.numpy(), layer.moving_variance.numpy()
    np.testing.assert_allclose(y, (X - mean) / np.sqrt(variance + 1e-3), rtol=1e-9)
    layer.trainable = False
    layer(X, training=True)
    np.testing.assert_array_equal(layer.moving_mean, mean)
    assert [w.name for w in layer.weights] == ["gamma", "beta", "moving_mean", "moving_variance"]


@pytest.mark.parametrize(
    ("options", "outputs", "after"),
    [
        (
            {},
            [[3, 5], [5.9586, 9.7643], [8.7677, 13.9238]],
            [[1.496, 2.992], [2.0403, 5.4637], [1.4288, 2.3377], [0.1589, 0.3179], [1.0446, 1.1412]],
        ),
        (
            {"renorm_momentum": 0.5, "renorm_clipping": {"rmin": 0.5, "rmax": 1.5, "dmax": 0.3}},
            [[0.6333, 0.1256], [0.7009, 0.1256], [0.7009, 0.1256]],
            [[1.496, 2.992], [2.0403, 5.4637], [1.4288, 2.3377], [5.6667, 11.3333], [2.7755, 6.2184]],
        ),
    ],
)
def test_batch_renormalization_is_kerass(options, outputs, after):
    layer = layers.BatchNormalization(renorm=True, momentum=0.9, **options)
    x = np.array([[1.0, 2.0], [3.0, 5.0], [4.0, 9.0]], "float32")
    found = [layer(x * k, training=True)[1] for k in (1, 2, 3)]
    np.testing.assert_allclose(found, outputs, rtol=1e-3)
    np.testing.assert_allclose(layer.get_weights()[2:], after, atol=1e-4)
    names = ["moving_mean", "moving_variance", "moving_stddev", "renorm_mean", "renorm_stddev"]
    assert [w.name for w in layer.weights][2:] == names
    for wrong in ({"foo": 1}, {"rmin": 2.0, "rmax": 1.0}, {"dmax": -1.0}):
        with pytest.raises(ValueError, match="`renorm_clipping`"):
            layers.BatchNormalization(renorm=True, renorm_clipping=wrong)


@pytest.mark.parametrize(
    ("interpolation", "row"),
    [
        ("nearest", [0, 0, 0, 1, 1, 1, 2, 2, 2]),
        ("bilinear", [0, 0, 0.3333, 0.6667, 1, 1.3333, 1.6667, 2, 2]),
        ("bicubic", [-0.3699, -0.2647, -0.0236, 0.3428, 0.7353, 1.1278, 1.4942, 1.7353, 1.8405]),
        ("lanczos3", [-0.6467, -0.5264, -0.3496, -0.0302, 0.4736, 0.9773, 1.2968, 1.4736, 1.5939]),
        ("lanczos5", [-0.6943, -0.6621, -0.5443, -0.2251, 0.3379, 0.9008, 1.22, 1.3379, 1.3701]),
    ],
)
def test_upsampling_interpolates_as_keras_does(interpolation, row):
    x = np.arange(12.0).reshape(2, 2, 3, 1)
    y = layers.UpSampling2D((2, 3), interpolation=interpolation)(x)
    np.testing.assert_allclose(y[0, 0, :, 0], row, atol=6e-4)
    first = layers.UpSampling2D((2, 3), "channels_first", interpolation)(x.transpose(0, 3, 1, 2))
    np.testing.assert_allclose(first[:, 0], y[..., 0], atol=1e-5)


@pytest.mark.parametrize(
    ("equation", "output_shape", "bias_axes", "shape", "kernel", "bias"),
    [
        ("ab,bc->ac", 4, None, (2, 3), (3, 4), None),
        ("abc,cd->abd", (None, 5), "d", (2, 3, 4), (4, 5), (5,)),
        ("abc,cde->abde", (None, 2, 3), "de", (2, 3, 4), (4, 2, 3), (2, 3)),
        ("...x,xy->...y", 3, "y", (2, 3, 4), (4, 3), (3,)),
        ("ab...,bc->ac...", 4, "c", (2, 3, 5), (3, 4), (4, 1)),
    ],
)
def test_einsum_dense_takes_its_shapes_from_the_equation(equation, output_shape, bias_axes, shape, kernel, bias):
    layer = layers.EinsumDense(equation, output_shape, bias_axes=bias_axes, dtype="float64")
    x = RNG.normal(size=shape)
    y = layer(x)
    assert [tuple(w.shape) for w in layer.weights] == [kernel] + [bias] * (bias is not None)
    np.testing.assert_allclose(y, np.einsum(equation, x, layer.kernel.numpy()), rtol=1e-12)


@pytest.mark.parametrize(
    ("equation", "bias_axes"), [("a,b,c", None), ("ab,cd->ac", None), ("ab,bc->ad", None), ("ab,bc->ac", "z")]
)
def test_einsum_dense_refuses_equations_that_say_too_little(equation, bias_axes):
    with pytest.raises(ValueError, match=r"equation|`bias_axes`|Axis"):
        layers.EinsumDense(equation, 4, bias_axes=bias_axes)(np.ones((2, 3)))


def test_wrappers_hold_a_layer():
    class Twice(layers.Wrapper):
        def call(self, x):
            return 2.0 * self.layer(x)

    twice = Twice(layers.Dense(2, kernel_initializer="ones"))
    np.testing.assert_array_equal(twice(np.ones((1, 3))), [[6, 6]])
    assert Twice.from_config(twice.get_config()).layer.units == 2
    with pytest.raises(ValueError, match="needs a layer to wrap"):
        layers.Wrapper(2)
    masked = layers.Masking()(STEPS)
    steps = layers.TimeDistributed(layers.Dense(2))
    y = steps(masked)
    np.testing.assert_allclose(y[:, 1], steps.layer(masked[:, 1]), rtol=1e-5)
    assert y._keras_mask is masked._keras_mask
    assert steps.compute_output_shape((None, None, 6)) == (None, None, 2)
    with pytest.raises(ValueError, match="at least 3 axes"):
        layers.TimeDistributed(layers.Dense(2))(X)


def test_spectral_normalization_divides_by_the_largest_singular_value():
    kernel = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    start = mt.initializers.Constant(kernel)
    layer = layers.SpectralNormalization(layers.Dense(2, kernel_initializer=start), power_iterations=3)
    x = np.ones((1, 3))
    np.testing.assert_allclose(layer(x), [[9, 12]])
    y = layer(x, training=True)
    np.testing.assert_allclose(layer.layer.kernel, kernel / np.linalg.norm(kernel, 2), rtol=1e-4)
    np.testing.assert_allclose(y, layer(x), rtol=1e-6)
    with pytest.raises(ValueError, match="neither `kernel` nor `embeddings`"):
        layers.SpectralNormalization(layers.ReLU())(x)


def test_lambda_says_its_output_shape():
    assert layers.Lambda(lambda x: x, output_shape=(7,)).compute_output_shape((None, 3)) == (None, 7)
    assert layers.Lambda(lambda x: x[:, :1]).compute_output_shape((None, 3)) == (None, 1)
    with pytest.raises(TypeError, match="needs a function"):
        layers.Lambda(3)


def test_reshape_takes_open_axes():
    assert layers.Reshape((3, -1))(mt.keras.Input((None,))).shape == (None, 3, None)
    with pytest.raises(ValueError, match="-1 once"):
        layers.Reshape((-1, -1))


def test_normalization_learns_from_arrays_tables_and_batches():
    import pandas as pd

    table = X * 100 + 1e4
    for data in (table, pd.DataFrame(table), iter([table[:1], table[1:]])):
        layer = layers.Normalization(dtype="float64")
        layer.adapt(data)
        y = layer(table).numpy()
        np.testing.assert_allclose(y.mean(0), 0, atol=1e-9)
        np.testing.assert_allclose(y.std(0), 1, rtol=1e-9)
    back = layers.Normalization(mean=table.mean(0), variance=table.var(0), invert=True, dtype="float64")
    np.testing.assert_allclose(back(y), table)
    whole = layers.Normalization(axis=None, dtype="float64")
    whole.adapt(table)
    np.testing.assert_allclose(whole(table).numpy().std(), 1)


def test_discretization_and_category_encoding():
    layer = layers.Discretization(num_bins=4)
    layer.adapt(np.arange(100.0))
    assert layer.bin_boundaries == [24, 49, 74]  # Keras's
    found = layers.Discretization([0.0, 1.0])([-1.0, 0.0, 0.5, 1.0])
    assert (found.numpy().tolist(), found.dtype) == ([0, 1, 1, 2], "int32")
    many = layers.Discretization(num_bins=4)
    many.adapt(np.random.RandomState(0).randn(300, 2).astype("float32"))
    np.testing.assert_allclose(many.bin_boundaries, [-0.7047, -0.073925, 0.62523], rtol=1e-4)
    ids = np.array([[0, 2, 2]])
    assert layers.CategoryEncoding(4, "multi_hot")(ids).numpy().tolist() == [[1, 0, 1, 0]]
    assert layers.CategoryEncoding(4, "count")(ids).numpy().tolist() == [[1, 0, 2, 0]]
    assert layers.CategoryEncoding(3, "one_hot")([1, 0]).numpy().tolist() == [[0, 1, 0], [1, 0, 0]]
    with pytest.raises(ValueError, match=r"\[0, 2\), received 0 to 2"):
        layers.CategoryEncoding(2)(ids)


def test_lookups():
    layer = layers.StringLookup()
    layer.adapt(np.array([["a", "c", "d"], ["d", "z", "b"]]))
    assert layer.get_vocabulary() == ["[UNK]", "d", "z", "c", "b", "a"]
    assert layer(np.array(["d", "nothing", "a"])).numpy().tolist() == [1, 0, 5]
    back = layers.StringLookup(vocabulary=layer.get_vocabulary(), invert=True)
    assert back(np.array([1, 5])).tolist() == ["d", "a"]
    masked = layers.IntegerLookup(vocabulary=[7, 9], mask_token=0)
    assert masked(np.array([0, 7, 9, 4])).numpy().tolist() == [0, 2, 3, 1]
    rows = layers.IntegerLookup(vocabulary=[7, 9], output_mode="one_hot")(np.array([9]))
    assert (rows.numpy().tolist(), rows.dtype) == ([[0, 0, 1]], "int64")
    limited = layers.StringLookup(max_tokens=2)
    limited.adapt(["x", "x", "y"])
    assert limited.get_vocabulary() == ["[UNK]", "x"]
    with pytest.raises(ValueError, match="does not know 'q'"):
        layers.StringLookup(vocabulary=["a"], num_oov_indices=0)(np.array(["q"]))
    with pytest.raises(ValueError, match="twice"):
        layers.StringLookup(vocabulary=["a", "a"])
    with pytest.raises(ValueError, match="no vocabulary yet"):
        layers.StringLookup()(np.array(["q"]))


def test_tf_idf_weighs_counts_and_learns_its_weights():
    words = np.array([["a", "b", "b"], ["q", "q", "a"]])
    options = {"vocabulary": ["a", "b"], "idf_weights": [0.25, 0.75], "output_mode": "tf_idf"}
    layer = layers.StringLookup(**options)
    np.testing.assert_allclose(layer(words), [[0, 0.25, 1.5], [1, 0.25, 0]])
    wide = layers.StringLookup(max_tokens=5, pad_to_max_tokens=True, **options)
    np.testing.assert_allclose(wide(words), [[0, 0.25, 1.5, 0, 0], [1, 0.25, 0, 0, 0]])
    learning = layers.IntegerLookup(output_mode="tf_idf")
    learning.adapt(np.array([[1, 2], [2, 2], [3, 1]]))
    assert learning.get_vocabulary() == [-1, 2, 1, 3]
    np.testing.assert_allclose(learning(np.array([[3, 9]])), [[0.7675, 0, 0, 0.9163]], rtol=1e-4)


@pytest.mark.parametrize(
    "options",
    [
        {"vocabulary": ["a"], "output_mode": "tf_idf"},
        {"vocabulary": ["a"], "idf_weights": [1.0]},
        {"vocabulary": ["a"], "idf_weights": [1.0, 2.0], "output_mode": "tf_idf"},
        {"vocabulary": []},
        {"vocabulary": ["a", "b", "c"], "max_tokens": 3},
        {"vocabulary": ["a", "", "b"], "mask_token": ""},
        {"vocabulary": "/no/such/file.txt"},
        {"max_tokens": 1},
        {"sparse": True},
    ],
)
def test_lookups_refuse_what_cannot_be(options):
    with pytest.raises(ValueError, match=r"\w"):
        layers.StringLookup(**options)


def test_a_vocabulary_may_stand_in_a_file(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("a\nb\n")
    assert layers.StringLookup(vocabulary=str(path)).get_vocabulary() == ["[UNK]", "a", "b"]


TEXTS = ["", "a", "ab", "abcd", "abcdefg", "abcdefgh", "abcdefghijklmnop", "abcdefghijklmnopq", "x" * 32, "y" * 33]
TEXTS += ["hello world " * 5, "z" * 64, "q" * 65, "w" * 128, "0123456789" * 20, "é"]


def test_hashes_are_tensorflows():
    plain = [377723, 291400, 834328, 267500, 421967, 229479, 860307, 730393]
    plain += [750362, 904239, 3112, 375874, 570017, 938378, 401180, 47472]
    salted = [953272, 554259, 216089, 483067, 699324, 676107, 426999, 819977, 280614]
    assert layers.Hashing(1000003)(np.array(TEXTS)).numpy().tolist() == plain
    assert layers.Hashing(1000003, salt=[133, 137])(np.array(TEXTS[:9])).numpy().tolist() == salted
    assert layers.Hashing(1000003, salt=7)(np.array([1, 2, -3])).numpy().tolist() == [82113, 860948, 927003]
    assert layers.Hashing(7, mask_value=0)(np.array([1, 0, -3])).numpy().tolist() == [4, 0, 4]
    many = layers.StringLookup(vocabulary=["a", "b"], num_oov_indices=1000)
    assert many(np.array(["x", "y"])).numpy().tolist() == [970, 105]
    for pair, expected in (
        ((np.array(["a", "b", "cc"]), np.array(["x", "y", "z"])), [830744, 348959, 362789]),
        ((np.array([1, 2, 3]), np.array([4, 5, 6])), [772752, 919800, 547428]),
        ((np.array(["a", "b"]), np.array([4, 5]), np.array([7, 8])), [836140, 660127]),
    ):
        assert layers.HashedCrossing(1000003)(pair).numpy().tolist() == expected
    assert layers.Hashing(1000)(np.array([1.5, -7.0])).numpy().tolist() == [849, 62]  # of the integer parts
    with pytest.raises(ValueError, match="integers or strings"):
        layers.HashedCrossing(5)((np.array([1.5]), np.array([1])))
    assert layers.Hashing(3, output_mode="count")(np.array([["A", "A"]])).numpy().tolist() == [[0, 2, 0]]
    with pytest.raises(ValueError, match="`num_bins` of Hashing"):
        layers.Hashing(0)
    with pytest.raises(ValueError, match="one shape"):
        layers.HashedCrossing(5)((np.array([1]), np.array([[1], [2]])))


def test_normalization_shows_its_statistics_and_checks_those_given():
    layer = layers.Normalization()
    assert layer.mean is None
    layer.adapt(np.array([[0.0, 7.0, 4.0], [2.0, 9.0, 6.0]]))
    assert layer.mean.numpy().tolist() == [[1, 8, 5]]
    assert layer.variance.numpy().tolist() == [[1, 1, 1]]
    with pytest.raises(ValueError, match=r"shapes \(2,\) and \(2,\).*need \(3,\)"):
        layers.Normalization(mean=[3.0, 1.0], variance=[4.0, 1.0])(np.ones((1, 3)))
    with pytest.raises(ValueError, match="`axis` of layer"):
        layers.Normalization(axis=3).build((None, 2))


def test_merges_broadcast_and_dot_contracts():
    a, b = STEPS, RNG.normal(size=(4, 5, 6))
    assert layers.Add()([X, STEPS[:, 0]]).shape == (4, 6)
    np.testing.assert_allclose(layers.Dot(2, dtype="float64")([a, b]), a @ b.swapaxes(1, 2))
    np.testing.assert_allclose(layers.dot([X, X], 1, normalize=True), np.ones((4, 1)), rtol=1e-5)
    np.testing.assert_array_equal(layers.concatenate([X, X], axis=0).shape, (8, 6))


def test_alpha_dropout_keeps_mean_and_variance():
    x = mt.random.normal([20_000, 10], seed=3)
    y = layers.AlphaDropout(0.2, seed=1)(x, training=True).numpy()
    assert y.mean() == pytest.approx(0, abs=0.02)
    assert y.std() == pytest.approx(1, abs=0.02)


def test_the_input_may_come_by_keyword_and_must_come():
    layer = layers.Dense(3)
    np.testing.assert_array_equal(layer(inputs=X), layer(X))
    for each in (layer, layers.Dense(3), layers.Add()):
        with pytest.raises(ValueError, match="needs a value for `inputs`, an array or a Tensor; received None"):
            each(None)
        with pytest.raises(TypeError, match="received nothing"):
            each()

    class Optional(layers.Layer):
        def call(self, inputs=None):
            return 1.0 if inputs is None else inputs

    assert Optional()() == 1.0


def test_axes_and_data_formats_that_cannot_be_are_refused():
    with pytest.raises(TypeError, match="Invalid value for `axis` argument"):
        layers.UnitNormalization(axis={"axis": -1})
    for make in (layers.Flatten, layers.UpSampling2D, layers.ZeroPadding2D, layers.UpSampling3D):
        with pytest.raises(ValueError, match="`data_format` must be 'channels_last' or 'channels_first'"):
            make(data_format="channels_middle")
    for axis in (3, -4, [1, 3]):
        with pytest.raises(IndexError, match="`axis` must lie between -3 and 2"):
            layers.LayerNormalization(axis=axis)(np.ones((2, 3, 4)))
    with pytest.raises(ValueError, match="must be sorted"):
        layers.Discretization(bin_boundaries=[2.0, 1.0])


def test_what_has_no_mask_counts_as_a_whole_where_masked_inputs_are_joined():
    x, y = np.ones((2, 4, 3), "float32"), np.ones((2, 4, 3), "float32")
    mask = np.array([[True, True, False, False], [True, False, False, False]])
    steps = layers.Concatenate(axis=1).compute_mask([x, y], [mask, None])
    np.testing.assert_array_equal(steps, np.concatenate([mask, np.ones((2, 4), bool)], 1))
    features = layers.Concatenate()
    np.testing.assert_array_equal(features.compute_mask([x, y], [mask, ~mask]), np.ones((2, 4), bool))
    np.testing.assert_array_equal(features.compute_mask([x, y], [mask, mask & False]), mask)
    assert features.compute_mask([x, y], [None, None]) is None


def test_softmax_gives_masked_positions_nothing():
    x = np.float32([[1, 2, 3], [4, 5, 6]])
    masked = layers.Softmax()(x, mask=[[True, True, False], [False, False, False]]).numpy()
    np.testing.assert_allclose(masked, [[0.268941, 0.731059, 0], [0, 0, 0]], rtol=1e-5)
    np.testing.assert_array_equal(layers.Softmax()(x, mask=[True, False, True])[:, 1], [0, 0])
    np.testing.assert_array_equal(layers.Softmax()(x, mask=[[0.4], [0.6]])[0], [0, 0, 0])
    half = layers.Softmax(dtype="float16")(x, mask=[True, True, False])
    assert np.isfinite(half.numpy()).all()
    for shape in ((2, 2), (3, 2, 3), (2,)):
        with pytest.raises(ValueError, match="must broadcast"):
            layers.Softmax()(x, mask=np.ones(shape, bool))


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (layers.Multiply, [[0, 0], [1, 2], [9, 16], [3, 4]]),
        (layers.Maximum, [[0, 0], [-1, -2], [-3, -4], [-3, -4]]),
        (layers.Minimum, [[0, 0], [-1, -2], [-3, -4], [-3, -4]]),
        (layers.Add, [[0, 0], [-1, -2], [-6, -8], [-3, -4]]),
    ],
)
def test_masked_steps_do_not_count_where_inputs_are_merged(layer, expected):
    sign = 1 if layer is layers.Multiply else -1
    first = layers.Masking()(sign * np.float32([[[0, 0], [1, 2], [3, 4], [0, 0]]]))
    second = layers.Masking()(sign * np.float32([[[0, 0], [0, 0], [3, 4], [3, 4]]]))
    merged = layer()([first, second])
    assert merged[0].numpy().tolist() == expected
    assert merged._keras_mask.numpy().tolist() == [[False, True, True, True]]
    alone = layer()([first, mt.ones((1, 4, 2))])
    assert getattr(alone, "_keras_mask", None) is None


def test_merges_make_masks_of_lists_alone():
    x = [np.ones((2, 3)), np.ones((2, 3))]
    for layer in (layers.Add(), layers.Concatenate()):
        assert layer.compute_mask(x, None) is None
        for inputs, masks in ((x, x[0]), (x[0], [None, None]), (x, [None])):
            with pytest.raises(ValueError, match="list of as many masks"):
                layer.compute_mask(inputs, masks)
    assert layers.Add().compute_mask(x, [np.float32([1, 0]), np.float32([0, 0])]).numpy().tolist() == [True, False]


def test_batch_statistics_take_masks_that_broadcast_and_renorm_begins_where_it_is_told():
    layer = layers.BatchNormalization(momentum=0.0)
    out = layer(np.ones((1, 2, 3, 4), "float32"), training=True, mask=np.ones((1, 2, 1)))
    np.testing.assert_allclose(out, np.zeros((1, 2, 3, 4)), atol=1e-5)
    np.testing.assert_allclose(layer.moving_mean, np.ones(4), atol=1e-6)
    start = {"moving_mean_initializer": "ones", "moving_variance_initializer": mt.keras.initializers.Constant(4.0)}
    layer = layers.BatchNormalization(renorm=True, **start)
    layer.build((None, 2))
    assert layer.moving_stddev.numpy().tolist() == layer.renorm_stddev.numpy().tolist() == [2, 2]
    assert layer.renorm_mean.numpy().tolist() == [1, 1]


def test_an_activation_may_be_set_after_the_layer_was_made():
    x = np.array([[-1.0, 2.0]], "float32")
    for before in ("relu", "tanh", None, "gelu"):
        layer = layers.Dense(2, activation=before, kernel_initializer="identity")
        layer(x)
        for after, expected in ((None, x), ("relu", np.maximum(x, 0)), (mt.keras.activations.tanh, np.tanh(x))):
            layer.activation = after
            np.testing.assert_allclose(layer(x), expected, rtol=1e-6)
            assert layers.Dense.from_config(layer.get_config()).activation is layer.activation


def test_a_program_sees_an_activation_that_was_set():
    layer = layers.Dense(2, activation="relu", kernel_initializer="identity")
    step = mt.function(lambda x: layer(x))
    x = np.array([[-1.0, 2.0]], "float32")
    for _ in range(3):
        assert step(x).numpy().tolist() == [[0, 2]]
    layer.activation = None
    for _ in range(3):
        assert step(x).numpy().tolist() == [[-1, 2]]


def test_an_embedding_is_built_without_an_input():
    layer = layers.Embedding(3, 2)
    layer.build()
    kernel = layer.embeddings
    layer.build((None, 4))
    assert layer.embeddings is kernel
    assert layers.Embedding(1, 2, weights=np.ones((1, 2))).get_weights()[0].tolist() == [[1, 1]]
    assert not layer.supports_masking
    assert layers.Embedding(3, 2, mask_zero=True).supports_masking


def test_inputs_are_made_with_kerass_and_older_arguments():
    assert layers.Input((3,), 2, "int32", False, None).shape == (2, 3)
    assert layers.InputLayer(input_shape=(3,)).batch_shape == (None, 3)
    model = mt.keras.Sequential([layers.InputLayer(input_shape=(3,)), layers.Dense(1)])
    assert model.output_shape == (None, 1)


@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.Embedding(0, 2),
        lambda: layers.Embedding(3, 2.5),
        lambda: layers.Dropout(0.5, noise_shape=(2, 1.5)),
        lambda: layers.Dropout(0.5, noise_shape=(2, 0)),
        lambda: layers.AlphaDropout(0.5, noise_shape=(2, -1)),
        lambda: layers.Cropping1D("1"),
        lambda: layers.ZeroPadding1D((1,)),
        lambda: layers.RepeatVector(0),
        lambda: layers.Reshape((-2, 5)),
        lambda: layers.UpSampling1D(0),
        lambda: layers.GroupNormalization(0),
        lambda: layers.GroupNormalization(1.5),
        lambda: layers.GroupNormalization(2).build((None, None)),
        lambda: layers.Input((3,), sparse=True),
        lambda: layers.InputLayer((3,), ragged=True),
    ],
)
def test_arguments_that_no_input_could_fit_are_refused_at_once(make):
    with pytest.raises(ValueError, match="received"):
        make()


def test_a_noise_shape_is_a_tuple_with_none_for_the_inputs_own_sizes():
    assert layers.Dropout(0.5, noise_shape=[None, 1, 6]).noise_shape == (None, 1, 6)
    out = layers.Dropout(0.5, noise_shape=[None, 1, 6], seed=1)(STEPS, training=True).numpy()
    assert ((out == 0).all(1) | (out != 0).all(1)).all()


def test_a_list_of_arrays_is_a_list_of_batches_to_adapt():
    rng = np.random.default_rng(0)
    data = rng.normal(3.0, 2.0, (20, 4)).astype("float32")
    whole = layers.Normalization()
    whole.adapt(data)
    for batches in ([data], [data[:5], data[5:]], (data[:5], data[5:]), [(data[:5], 0), (data[5:], 1)], list(data)):
        parts = layers.Normalization()
        parts.adapt(batches)
        assert parts(data).shape == data.shape
        np.testing.assert_allclose(parts(data), whole(data), rtol=1e-5, atol=1e-5)
    for batches in ([data, data[:, :2]], iter([data, data[0, :2]]), np.ones((3, 4, 4))):
        layer = layers.Normalization()
        layer.build((None, 4))
        with pytest.raises(ValueError, match="incompatible shape"):
            layer.adapt(batches)


def test_adapt_may_stop_after_so_many_batches():
    def endless():
        while True:
            yield np.array(["b", "a", "b"])

    layer = layers.StringLookup()
    layer.adapt(endless(), steps=3)
    assert layer.get_vocabulary() == ["[UNK]", "b", "a"]
    bins = layers.Discretization(num_bins=2)
    bins.adapt((np.arange(5.0) for _ in iter(int, 1)), steps=2)
    assert len(bins.bin_boundaries) == 1


def test_the_elements_of_a_vector_are_documents():
    layer = layers.IntegerLookup(output_mode="tf_idf")
    layer.adapt(np.array([1, 1, 1, 2, 2, 3]))
    np.testing.assert_allclose(layer(np.array([1, 2, 4])), [1.1337324, 0.91629076, 1.0986123, 0], rtol=1e-6)


def test_einsum_dense_trains_with_dots_at_the_end():
    layer = layers.EinsumDense("ab...,bc->ac...", output_shape=(3,), bias_axes="c")
    x = np.random.default_rng(0).normal(size=(4, 2, 5))
    with mt.GradientTape() as tape:
        loss = mt.reduce_sum(layer(x) ** 2)
    kernel, bias = tape.gradient(loss, layer.trainable_variables)
    out = np.einsum("abx,bc->acx", x, layer.kernel.numpy())
    np.testing.assert_allclose(kernel, 2 * np.einsum("abx,acx->bc", x, out), rtol=1e-4)
    np.testing.assert_allclose(bias[:, 0], 2 * out.sum((0, 2)), rtol=1e-4, atol=1e-5)


def test_bins_have_a_shape_before_their_boundaries_are_learned():
    for mode, shape in (("int", (None, 2)), ("one_hot", (None, 2, 3)), ("multi_hot", (None, 3)), ("count", (None, 3))):
        layer = layers.Discretization(num_bins=3, output_mode=mode)
        assert layer.compute_output_shape((None, 2)) == shape
        assert layer(mt.keras.Input((2,))).shape == shape


def test_samples_of_several_axes_are_encoded_over_the_first_of_them():
    x = np.array([[[0, 1], [2, 3], [0, 1]], [[2, 3], [0, 1], [2, 3]]])  # (samples, 3, 2)
    counts = [[[2, 0, 1, 0], [0, 2, 0, 1]], [[1, 0, 2, 0], [0, 1, 0, 2]]]  # (samples, 2, tokens), Keras's
    for make in (
        lambda mode: layers.CategoryEncoding(4, output_mode=mode),
        lambda mode: layers.IntegerLookup(vocabulary=[1, 2, 3], output_mode=mode),
        lambda mode: layers.Discretization([0.5, 1.5, 2.5], output_mode=mode),
    ):
        assert make("count")(x).numpy().tolist() == counts
        assert make("multi_hot")(x).numpy().tolist() == np.minimum(counts, 1).tolist()


@pytest.mark.parametrize(
    ("axis", "mean", "whole"),
    [((1, 2), 0.5, [[0.5, 0.5]] * 3), ((1, 2), [1.0, 2.0], [[1.0, 2.0]] * 3), (1, [1.0, 2.0, 3.0], [[1], [2], [3]])],
)
def test_a_given_mean_is_spread_over_the_kept_axes_from_the_last(axis, mean, whole):
    x = np.arange(6.0, dtype="float32").reshape(1, 3, 2)
    layer = layers.Normalization(axis, mean=mean, variance=np.full(np.shape(mean), 4.0))
    np.testing.assert_allclose(layer(x), (x - np.array(whole)) / 2.0)
    with pytest.raises(ValueError, match=r"need \(3, 2\)"):
        layers.Normalization((1, 2), mean=[1.0, 2.0, 3.0], variance=[1.0, 1.0, 1.0])(x)


def test_layers_of_old_models_scale_by_the_deviation():
    with pytest.warns(UserWarning, match="RMSNormalization"):
        layer = layers.LayerNormalization(rms_scaling=True)
    np.testing.assert_allclose(layer([[1.0, 3.0]]), np.array([[1.0, 3.0]]) / np.sqrt(1.001), rtol=1e-6)
    assert [each.name for each in layer.weights] == ["gamma"]


def test_dropping_all_leaves_nothing():
    assert mt.keras.random.dropout(np.ones((2, 2)), rate=1.0).numpy().tolist() == [[0.0, 0.0], [0.0, 0.0]]
    with pytest.raises(ValueError, match="rate"):
        mt.keras.random.dropout(np.ones((2, 2)), rate=1.5)


def test_a_structure_of_shapes_is_one_of_outputs():
    class Twice(layers.Layer):
        def compute_output_shape(self, input_shape):
            return input_shape, [input_shape]

        def call(self, x):
            return x, [x]

    drawn = Twice()(mt.keras.Input((3,)))
    assert type(drawn) is tuple
    assert type(drawn[1]) is list
    assert drawn[1][0].shape == (None, 3)


def test_a_name_in_the_place_of_a_shape_is_explained():
    with pytest.raises(ValueError, match="keyword argument: name='scale'"):
        layers.Layer().add_weight("scale")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: layers.LayerNormalization(axis="a"), "axis"),
        (lambda: layers.StringLookup(output_mode="multi_hot", pad_to_max_tokens=True), "max_tokens"),
        (lambda: layers.IntegerLookup(vocabulary=[1], vocabulary_dtype="string"), "vocabulary_dtype"),
        (lambda: layers.InputLayer(batch_size=2, batch_shape=(1, 2)), "batch_size"),
        (lambda: mt.random.randint((2,), 0, 3, "float32"), "dtype"),
    ],
)
def test_arguments_that_contradict_each_other_are_named(make, said):
    with pytest.raises(ValueError, match=f"`{said}`"):
        make()


def test_no_rows_are_not_penalised():
    layer = layers.Dense(2, activity_regularizer="l2")
    layer(np.ones((0, 3)))
    assert float(layer.losses[0]) == 0.0


def test_texts_become_rows_of_numbers_as_in_keras(tmp_path):
    texts = ["The cat sat, on the mat!", "A dog: and a cat.", "Dogs'n cats  are\tfun"]

    def learned(**options):
        layer = layers.TextVectorization(**options)
        layer.adapt(texts)
        return layer

    layer = learned()
    assert layer.get_vocabulary()[:6] == ["", "[UNK]", "the", "cat", "a", "sat"]
    assert layer.vocabulary_size() == 14
    rows = [[2, 3, 5, 6, 2, 7], [4, 10, 13, 4, 3, 0], [9, 11, 12, 8, 0, 0]]
    for given in (texts, np.array(texts)[:, None]):
        assert layer(given).numpy().tolist() == rows
    assert layer("the dog zebra").numpy().tolist() == [2, 10, 1]
    for length in (3, 8):
        expected = [[*row, 0, 0][:length] for row in rows]
        assert learned(output_sequence_length=length)(texts).numpy().tolist() == expected
    counted = learned(output_mode="count")([*texts, "the zebra the cat"]).numpy()
    assert counted.shape == (4, 13)
    assert counted[3, :4].tolist() == [1, 2, 1, 0]
    weighed = learned(output_mode="tf_idf", max_tokens=20, pad_to_max_tokens=True)(texts).numpy()
    assert weighed.shape == (3, 20)
    np.testing.assert_allclose(weighed[0, 1:3], [1.83258, 0.69315], rtol=1e-5)
    assert learned(ngrams=2)(texts).numpy()[0].tolist() == [2, 3, 8, 10, 2, 11, 6, 19, 7, 9, 5]
    assert learned(split="character").get_vocabulary()[:5] == ["", "[UNK]", " ", "a", "t"]
    assert learned(standardize="lower").get_vocabulary()[4] == "sat,"
    assert learned(split=None)(texts).numpy().tolist() == [2, 4, 3]
    own = layers.TextVectorization(standardize=str.upper, split=lambda text: text.split("-"), vocabulary=["A", "B"])
    assert own(["a-b-c"]).numpy().tolist() == [[2, 3, 1]]

    model = mt.Sequential([mt.keras.Input((1,), dtype="string"), layer, layers.Embedding(14, 2)])
    assert model.output_shape == (None, None, 2)
    model.save(tmp_path / "m.minitrain")
    again = mt.keras.models.load_model(tmp_path / "m.minitrain")
    np.testing.assert_array_equal(again.predict(np.array(texts)), model.predict(np.array(texts)))


@pytest.mark.parametrize(
    "options",
    [
        {"output_mode": "some_hot"},
        {"standardize": "upper"},
        {"split": "lines"},
        {"ngrams": 0},
        {"ngrams": (1, "a")},
        {"output_mode": "count", "output_sequence_length": 3},
        {"ragged": True},
    ],
)
def test_text_vectorization_refuses_what_cannot_be(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        layers.TextVectorization(**options)
    with pytest.raises(ValueError, match="split=None"):
        layers.TextVectorization(vocabulary=["a"])(np.array([["a", "b"]]))
    with pytest.raises(ValueError, match="adapt"):
        layers.TextVectorization()(["a"])
