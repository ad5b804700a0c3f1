"""Activations, initializers, regularizers and constraints: names, known values, seeds, bad input."""

import numpy as np
import pytest

import minitrain as mt
from minitrain import activations, constraints, initializers, regularizers

X = np.array([-7.0, -2.0, -0.7, -0.2, 0.3, 0.9, 2.0, 7.0])
OPTIONS = {"threshold": {"threshold": 0.5, "default_value": 0.1}}


@pytest.mark.parametrize("f", activations.REGISTRY.members, ids=lambda f: f.__name__)
def test_every_activation_by_name_with_its_gradient(f):
    assert activations.get(f.__name__) is f
    assert activations.serialize(f) == f.__name__
    options = OPTIONS.get(f.__name__, {})
    mt.testing.check_gradients(lambda x: f(x, **options), X, rtol=1e-4, atol=1e-6)
    assert f(X.astype("float32"), **options).dtype == "float32"
    assert np.isfinite(f(np.array([-1e4, 1e4] * 2), **options).numpy()).all() or f.__name__ == "exponential"


def test_activations_take_their_arguments():
    np.testing.assert_allclose(
        activations.relu(X, negative_slope=0.1, max_value=1.0, threshold=0.5)[[0, -1]], [-0.75, 1]
    )
    np.testing.assert_allclose(activations.elu([-1.0], alpha=2.0), [2 * np.expm1(-1)], rtol=1e-6)
    np.testing.assert_allclose(mt.reduce_sum(activations.sparsemax(X[None])), 1.0)
    np.testing.assert_allclose(activations.sparsemax([[0.0, 0.1, 5.0]]), [[0, 0, 1]], atol=1e-6)
    np.testing.assert_allclose(activations.sparsemax([[1.0, 0.8, 0.1, -0.5]]), [[0.6, 0.4, 0, 0]], atol=1e-6)
    assert activations.swish is activations.silu
    assert activations.get(None) is activations.linear
    assert activations.get(abs) is abs
    with pytest.raises(ValueError, match="Unknown activation: 'rellu'"):
        activations.get("rellu")


@pytest.mark.parametrize("cls", initializers.REGISTRY.members)
def test_every_initializer_by_name_shape_and_dtype(cls):
    made = initializers.get(cls.__name__)
    assert type(made) is cls
    assert made((4, 4)).dtype == "float32"
    value = made((4, 6), dtype="float64")
    assert (value.shape, value.dtype) == ((4, 6), "float64")
    again = initializers.get({"class_name": cls.__name__, "config": made.get_config()})
    assert again.get_config() == made.get_config()


RANDOM = [c for c in initializers.REGISTRY.members if issubclass(c, initializers.RandomInitializer)]


@pytest.mark.parametrize("cls", RANDOM)
def test_seeds_repeat_and_unseeded_numbers_are_never_shared(cls):
    np.testing.assert_array_equal(cls(seed=3)((4, 5)), cls(seed=3)((4, 5)))
    seeded, free = cls(seed=3), cls()
    np.testing.assert_array_equal(seeded((4, 5)), seeded((4, 5)))
    assert not np.array_equal(free((4, 5)).numpy(), free((4, 5)).numpy())
    mt.random.set_seed(1)
    first = cls()((4, 5)).numpy()
    mt.random.set_seed(1)
    np.testing.assert_array_equal(first, cls()((4, 5)))


@pytest.mark.parametrize(
    ("name", "variance"),
    [
        ("glorot_uniform", 2 / 500),
        ("glorot_normal", 2 / 500),
        ("he_uniform", 2 / 300),
        ("he_normal", 2 / 300),
        ("lecun_uniform", 1 / 300),
        ("lecun_normal", 1 / 300),
        ("random_normal", 0.05**2),
        ("random_uniform", 0.1**2 / 12),
    ],
)
def test_variances_are_as_published(name, variance):
    mt.random.set_seed(0)
    drawn = initializers.get(name)((300, 200)).numpy()
    assert drawn.mean() == pytest.approx(0, abs=0.001)
    assert drawn.var() == pytest.approx(variance, rel=0.03)


def test_orthogonal_is_orthogonal_and_constants_are_constant():
    q = initializers.Orthogonal(gain=2.0)((6, 4), dtype="float64").numpy()
    np.testing.assert_allclose(q.T @ q, 4 * np.eye(4), atol=1e-12)
    np.testing.assert_array_equal(initializers.get(3)((2, 2)), np.full((2, 2), 3))
    np.testing.assert_array_equal(initializers.Identity(2.0)((2, 3)), 2 * np.eye(2, 3))
    with pytest.raises(ValueError, match="two axes"):
        initializers.Identity()((3,))
    with pytest.raises(ValueError, match="`mode` must be one of"):
        initializers.VarianceScaling(mode="fan")
    with pytest.raises(ValueError, match="Did you mean 'glorot_uniform'"):
        initializers.get("glorot_unifrom")


def test_initializers_take_axes_plain_shapes_and_seed_generators():
    drawn = initializers.GlorotUniform(seed=1, input_axes=(0,), output_axes=(1, 2))((30, 40, 50)).numpy()
    assert drawn.std() == pytest.approx((2 / (30 + 2000)) ** 0.5, rel=0.02)
    assert initializers.Zeros()(3).shape == (3,)
    stream = mt.random.SeedGenerator(1)
    drawing = initializers.RandomNormal(seed=stream)
    assert not np.array_equal(drawing((4,)).numpy(), drawing((4,)).numpy())
    assert mt.layers.Dropout(0.5, seed=stream)(np.ones((2, 3)), training=True).shape == (2, 3)
    with pytest.raises(ValueError, match="Unrecognized keyword arguments: sead"):
        mt.random.SeedGenerator(sead=1)
    anew = mt.random.SeedGenerator.from_config(stream.get_config())
    np.testing.assert_array_equal(anew.next(), mt.random.SeedGenerator(1).next())
    with pytest.raises(ValueError, match="`seed` must be an integer"):
        initializers.RandomNormal(seed="abc")


@pytest.mark.parametrize("module", [activations, initializers, regularizers, constraints, mt.layers])
def test_deserialize_knows_custom_objects(module):
    class Mine(initializers.Initializer):
        def __call__(self, shape, dtype=None):
            return mt.ones(shape)

    made = module.deserialize({"class_name": "Mine", "config": {}}, custom_objects={"Mine": Mine})
    assert type(made) is Mine
    with pytest.raises(ValueError, match="Unknown"):
        module.deserialize({"class_name": "Mine", "config": {}})


def test_a_layer_may_be_an_activation():
    dense = mt.layers.Dense(2, activation=mt.layers.LeakyReLU(0.1), kernel_initializer="ones")
    np.testing.assert_allclose(dense(np.array([[-1.0, 0.0]])), [[-0.1, -0.1]], rtol=1e-6)
    assert mt.layers.Dense.from_config(dense.get_config()).activation.negative_slope == 0.1


def test_regularizers():
    w = np.array([[1.0, -2.0], [3.0, 0.0]])
    assert float(regularizers.L1(0.1)(w)) == pytest.approx(0.6)
    assert float(regularizers.L2(0.1)(w)) == pytest.approx(1.4)
    assert float(regularizers.L1L2(0.1, 0.1)(w)) == pytest.approx(2.0)
    assert float(regularizers.OrthogonalRegularizer(1.0)(np.eye(3))) == pytest.approx(0, abs=1e-6)
    for name in ("l1", "l2", "L1L2", "l1_l2", "orthogonal_regularizer"):
        made = regularizers.get(name)
        assert regularizers.get(regularizers.serialize(made)).get_config() == made.get_config()
        if name != "l1_l2":
            mt.testing.check_gradients(made, np.array([[1.0, -2.0], [3.0, 0.5]]), order=1)
    assert regularizers.get(None) is None
    with pytest.raises(ValueError, match="finite number of 0 or more"):
        regularizers.L2(-1.0)


def test_constraints():
    w = np.array([[3.0, 0.1], [4.0, -0.2]])
    np.testing.assert_allclose(np.linalg.norm(constraints.MaxNorm(2.0)(w).numpy(), axis=0)[0], 2.0, rtol=1e-6)
    np.testing.assert_allclose(constraints.MaxNorm(2.0)(w)[:, 1], w[:, 1], rtol=1e-6)
    np.testing.assert_array_equal(constraints.NonNeg()(w), np.maximum(w, 0))
    np.testing.assert_allclose(np.linalg.norm(constraints.UnitNorm()(w).numpy(), axis=0), 1.0, rtol=1e-6)
    limited = constraints.MinMaxNorm(1.0, 2.0)(w).numpy()
    np.testing.assert_allclose(np.linalg.norm(limited, axis=0), [2.0, 1.0], rtol=1e-5)
    for name in ("MaxNorm", "max_norm", "non_neg", "NonNeg", "unit_norm", "min_max_norm"):
        made = constraints.get(name)
        assert constraints.get(constraints.serialize(made)).get_config() == made.get_config()


def test_utilities():
    np.testing.assert_array_equal(mt.utils.to_categorical([[0], [2]]), [[1, 0, 0], [0, 0, 1]])
    np.testing.assert_array_equal(mt.utils.to_categorical([0, 1], 4).shape, (2, 4))
    np.testing.assert_allclose(mt.utils.normalize([[3.0, 4.0], [0.0, 0.0]]), [[0.6, 0.8], [0, 0]])
    for made in (mt.utils.to_categorical(mt.constant([0, 2])), mt.utils.normalize(mt.constant([[3.0, 4.0]]))):
        assert isinstance(made, mt.Tensor)  # of Tensors come Tensors, of the dtype of Keras's
        assert made.dtype == mt.float32
    with pytest.raises(ValueError, match=r"Class 5 is not in \[0, 3\)"):
        mt.utils.to_categorical([5], 3)
    with pytest.raises(TypeError, match="integers"):
        mt.utils.to_categorical([0.5])


def test_trees():
    tree = mt.keras.tree
    nested = {"b": [1, 2], "a": (3,)}
    assert tree.flatten(nested) == [3, 1, 2]
    assert tree.flatten_with_path(nested) == [(("a", 0), 3), (("b", 0), 1), (("b", 1), 2)]
    assert tree.map_structure(lambda x, y: x + y, [1, (2,)], [3, (4,)]) == [4, (6,)]
    assert tree.lists_to_tuples(nested) == {"b": (1, 2), "a": (3,)}
    assert tree.map_shape_structure(len, {"a": (1, None), "b": [(3,)]}) == {"a": 2, "b": [1]}
    assert tree.map_structure_up_to([0, 0], lambda x: x, [[1, 2], 3]) == [[1, 2], 3]
    assert tree.traverse(lambda x: tree.MAP_TO_NONE if x == 2 else None, nested) == {"b": [1, None], "a": (3,)}
    assert tree.pack_sequence_as(nested, [5, 6, 7]) == {"b": [6, 7], "a": (5,)}
    with pytest.raises(ValueError, match="do not match"):
        tree.assert_same_structure([1, 2], (1, 2))
    with pytest.raises(TypeError, match="types differ"):
        tree.assert_same_structure({"a": [1]}, {"a": (1,)})
    for one, other in (([1], [1, 2]), ([1], 1), ({"a": 1}, {"b": 1}), ({"a": 1}, [1])):
        with pytest.raises(ValueError, match="do not match") as caught:
            tree.assert_same_structure(one, other)
        assert not isinstance(caught.value, TypeError)
    assert mt.nest.map_structure(max, [1, (5,)], (3, [4]), check_types=False) == [3, (5,)]
    with pytest.raises(ValueError, match="at least one structure"):
        tree.map_structure(abs)


def test_settings():
    assert (mt.config.floatx(), mt.config.epsilon()) == ("float32", 1e-7)
    mt.config.set_floatx("float64")
    try:
        assert initializers.Zeros()((2,)).dtype == "float64"
    finally:
        mt.config.set_floatx("float32")
    with pytest.raises(ValueError, match="Expected 'float16'"):
        mt.config.set_floatx("int32")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [[0, 0, 1], [0, 1, 2], [1, 2, 3]]),
        ({"padding": "post"}, [[1, 0, 0], [1, 2, 0], [1, 2, 3]]),
        ({"maxlen": 2}, [[0, 1], [1, 2], [2, 3]]),
        ({"maxlen": 2, "truncating": "post", "value": 9}, [[9, 1], [1, 2], [1, 2]]),
    ],
)
def test_sequences_are_padded_and_cut_on_the_side_that_was_asked_for(options, expected):
    made = mt.utils.pad_sequences([[1], [1, 2], [1, 2, 3]], **options)
    assert made.dtype == "int32"
    np.testing.assert_array_equal(made, expected)


def test_sequences_may_hold_rows_and_words():
    assert mt.utils.pad_sequences([[[1, 1]], [[2, 1], [2, 2]]], maxlen=3).shape == (2, 3, 2)
    words = mt.utils.pad_sequences([["a"], ["b", "c"]], dtype=object, value="-")
    assert words.tolist() == [["-", "a"], ["b", "c"]]
    for wrong in ({"sequences": [1, 2]}, {"sequences": [[1]], "padding": "left"}, {"sequences": [["a"]], "value": "-"}):
        with pytest.raises(ValueError, match="`"):
            mt.utils.pad_sequences(**wrong)


@pytest.mark.parametrize("dataset", [np.arange(10), mt.data.Dataset.range(10)])
def test_a_dataset_is_split_into_two(dataset):
    left, right = mt.utils.split_dataset(dataset, left_size=0.8)
    assert [[int(each) for each in part] for part in (left, right)] == [[*range(8)], [8, 9]]
    left, right = mt.utils.split_dataset(dataset, left_size=3, right_size=2, shuffle=True, seed=1)
    assert (len(left), len(right)) == (3, 2)
    wrong = ((-1, ValueError), (2.0, ValueError), (20, ValueError), (0.99, ValueError), ("x", TypeError))
    for size, error in (*wrong, (None, ValueError)):
        with pytest.raises(error, match="size"):
            mt.utils.split_dataset(dataset, left_size=size)


def test_keras_utils_has_what_scripts_ask_it_for():
    made = mt.utils.deserialize_keras_object(mt.utils.serialize_keras_object(mt.layers.Dense(3, name="d")))
    assert (made.units, made.name) == (3, "d")
    assert mt.utils.get_registered_name(mt.layers.Dense) == "Dense"
    assert mt.utils.get_registered_object("Nobody") is None
    assert mt.utils.standardize_dtype(mt.float32) == mt.backend.standardize_dtype("float32") == "float32"
    mt.utils.clear_session()
    assert mt.layers.Dense(1).name == "dense"


def test_windows_of_a_series_begin_at_every_so_manieth_row():
    data, targets = np.arange(40.0).reshape(20, 2), np.arange(20)
    options = {"sequence_length": 4, "sequence_stride": 3, "sampling_rate": 2, "start_index": 2, "end_index": 18}
    starts = [2, 5, 8, 11]
    windows = [data[start : start + 8 : 2] for start in starts]
    x, y = next(iter(mt.utils.timeseries_dataset_from_array(data, targets, **options)))
    np.testing.assert_array_equal(x, windows)
    np.testing.assert_array_equal(y, starts)
    single = mt.utils.timeseries_dataset_from_array(data, None, batch_size=None, **options)
    np.testing.assert_array_equal(list(single), windows)
    mixed = mt.utils.timeseries_dataset_from_array(data, targets, shuffle=True, seed=1, batch_size=3, **options)
    assert len(mixed) == 2
    assert sorted(int(each) for _, y in mixed for each in y) == starts
    # Where there are fewer targets than windows, as in forecasts, the last windows have none.
    assert len(mt.utils.timeseries_dataset_from_array([1, 2, 3, 4], [5, 6], 2, batch_size=None)) == 2
    for wrong in ({"start_index": -1}, {"end_index": 21}, {"sampling_rate": 0}, {"sequence_stride": 0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            mt.utils.timeseries_dataset_from_array(data, None, 3, **wrong)
    with pytest.raises(ValueError, match="format"):
        mt.utils.timeseries_dataset_from_array(data, None, 3, format="csv")
    with pytest.raises(ValueError, match="takes 19 rows"):
        mt.utils.timeseries_dataset_from_array(data, None, 19, end_index=10)


def test_the_inputs_of_a_symbolic_tensor_are_found():
    a, b = mt.Input((2,)), mt.Input((2,))
    assert [each is expected for each, expected in zip(mt.utils.get_source_inputs((a + b) * a), (a, b))] == [True, True]
    with pytest.raises(ImportError, match="summary"):
        mt.utils.plot_model(mt.Model(a, a * 2.0))


def test_a_seed_generator_goes_through_a_configuration():
    for made in (
        initializers.RandomNormal(seed=mt.random.SeedGenerator(3)),
        mt.keras.layers.Dropout(0.5, seed=mt.random.SeedGenerator(3)),
    ):
        again = type(made).from_config(made.get_config())
        assert again.seed.initial_seed == 3
        assert again.get_config() == made.get_config()
    draw = initializers.RandomNormal(seed=mt.random.SeedGenerator(3))
    again = initializers.RandomNormal.from_config(draw.get_config())
    np.testing.assert_array_equal(draw((4,)), again((4,)))


def test_values_initialize_weights():
    for values in (mt.constant([[1.0, 2.0]]), np.float32([[1, 2]])):
        assert initializers.get(values)((1, 2)).numpy().tolist() == [[1, 2]]
        layer = mt.keras.layers.Dense(2, kernel_initializer=values)
        layer.build((None, 1))
        assert layer.kernel.numpy().tolist() == [[1, 2]]
        total = mt.keras.metrics.Mean().add_weight((1, 2), initializer=values, name="total")
        assert total.numpy().tolist() == [[1, 2]]


def test_the_base_of_constraints_leaves_weights_alone():
    assert constraints.Constraint()([1.0, -2.0]).numpy().tolist() == [1, -2]


def test_a_dtype_hint_is_followed_where_the_value_can_have_it():
    for value, hint, found in (
        (np.array([1]), "float32", "float32"),
        ([np.int64(1)], "float32", "float32"),
        (range(3), "float32", "float32"),
        ([1.5], "int32", "float32"),
        ([1.5], "float64", "float64"),
        (1.5, "bool", "float32"),
        ([1, 2], "bool", "int32"),
    ):
        assert mt.convert_to_tensor(value, dtype_hint=hint).dtype == found


def test_parts_of_a_determinants_logarithm_have_names():
    found = mt.linalg.slogdet(np.diag([2.0, -3.0]))
    np.testing.assert_allclose([found.sign, found.log_abs_determinant], [-1.0, np.log(6.0)])
