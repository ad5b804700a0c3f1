"""`data.Dataset`: TensorFlow's orders, lengths and structures, lazily, and the same in fit as the arrays themselves."""

import itertools
import pickle

import numpy as np
import pytest

import minitrain as tf
from minitrain import keras

Dataset = tf.data.Dataset
X = np.random.default_rng(0).normal(size=(16, 2)).astype("float32")
Y = X[:, :1] - X[:, 1:]


def listed(dataset):
    return [np.asarray(each).tolist() for each in dataset.as_numpy_iterator()]


@pytest.mark.parametrize(
    ("dataset", "elements"),
    [
        (Dataset.range(1, 7, 2), [1, 3, 5]),
        (Dataset.range(5).batch(2), [[0, 1], [2, 3], [4]]),
        (Dataset.range(5).batch(2, drop_remainder=True), [[0, 1], [2, 3]]),
        (Dataset.range(5).batch(2).unbatch(), [0, 1, 2, 3, 4]),
        (Dataset.range(2).repeat(2), [0, 1, 0, 1]),
        (Dataset.range(2).repeat(0), []),
        (Dataset.range(2).repeat().take(3), [0, 1, 0]),
        (Dataset.range(0).repeat(), []),
        (Dataset.range(3).skip(1), [1, 2]),
        (Dataset.range(3).skip(-1), []),
        (Dataset.range(3).take(-1), [0, 1, 2]),
        (Dataset.range(5).shard(2, 1), [1, 3]),
        (Dataset.range(2).concatenate(Dataset.range(1)), [0, 1, 0]),
        (Dataset.range(4).filter(lambda x: x % 2 == 0), [0, 2]),
        (Dataset.range(3).map(lambda x: 2 * x, num_parallel_calls=tf.data.AUTOTUNE), [0, 2, 4]),
        (Dataset.zip((Dataset.range(2), Dataset.range(5, 9))), [[0, 5], [1, 6]]),
        (Dataset.zip(Dataset.range(2), Dataset.range(2)).map(lambda a, b: a + b), [0, 2]),
        (Dataset.range(2).enumerate(5), [[5, 0], [6, 1]]),
        (Dataset.from_tensors([1, 2]), [[1, 2]]),
        (Dataset.range(3).cache().prefetch(2), [0, 1, 2]),
        (Dataset.from_generator(lambda n: range(n), "int32", args=(2,)), [0, 1]),
        (Dataset.range(3).apply(lambda each: each.take(1)), [0]),
        (Dataset.range(3).flat_map(lambda x: Dataset.from_tensors(x).repeat(2)), [0, 0, 1, 1, 2, 2]),
        (Dataset.range(3).interleave(lambda x: Dataset.range(x, x + 3), 2), [0, 1, 1, 2, 2, 3, 2, 3, 4]),
        (Dataset.range(3).interleave(lambda x: Dataset.range(x, x + 3), 2, 2), [0, 1, 1, 2, 2, 3, 2, 3, 4]),
        (Dataset.range(6).window(3, drop_remainder=True).flat_map(lambda part: part.batch(3)), [[0, 1, 2], [3, 4, 5]]),
        (Dataset.range(4).window(2, shift=1).flat_map(lambda part: part.batch(2)), [[0, 1], [1, 2], [2, 3], [3]]),
        (Dataset.range(7).window(2, 3, 2).flat_map(lambda part: part.batch(2)), [[0, 2], [3, 5], [6]]),
        (Dataset.range(7).window(1, 3).flat_map(lambda part: part), [0, 3, 6]),
        (Dataset.range(9).take_while(lambda x: x < 3), [0, 1, 2]),
        (Dataset.range(4).scan(np.int64(0), lambda state, x: (state + x, 2 * state)), [0, 0, 2, 6]),
        (Dataset.range(6).map(lambda x: x % 2).unique(), [0, 1]),
        (Dataset.range(5).batch(2).rebatch(3).with_options(None), [[0, 1, 2], [3, 4]]),
    ],
)
def test_elements_are_those_of_tensorflow_and_come_again(dataset, elements):
    assert listed(dataset) == elements
    assert listed(dataset) == elements
    if dataset.cardinality() >= 0:
        assert len(dataset) == len(elements)


def test_the_length_is_unknown_or_infinite_where_it_is():
    assert Dataset.range(3).filter(lambda x: True).cardinality() == tf.data.UNKNOWN_CARDINALITY
    assert Dataset.range(3).repeat().batch(2).cardinality() == tf.data.INFINITE_CARDINALITY
    with pytest.raises(TypeError, match="infinite"):
        len(Dataset.range(3).repeat())
    assert Dataset.range(0)  # a dataset is true, as in TensorFlow, whatever its length


def test_structures_are_kept_and_lists_are_arrays():
    ((x, y),) = Dataset.from_tensor_slices(([1.0], [1])).batch(1)
    assert (x.dtype, y.dtype) == (tf.float32, tf.int32)
    (element,) = Dataset.from_tensor_slices({"a": X[:1], "b": Y[:1]})
    assert set(element) == {"a", "b"}
    (pair,) = Dataset.range(1).map(lambda x: [x, x])
    assert isinstance(pair, tuple)


def test_shuffling_follows_the_seed():
    orders = [listed(Dataset.range(9).shuffle(9, seed=3)) for _ in range(2)]
    assert orders[0] == orders[1] != sorted(orders[0]) == list(range(9))
    again = Dataset.range(9).shuffle(9, seed=3)
    assert listed(again) != listed(again)
    for seed in (3, None):
        fixed = Dataset.range(9).shuffle(9, seed=seed, reshuffle_each_iteration=False)
        assert listed(fixed) == listed(fixed)
    for _ in range(2):
        tf.random.set_seed(4)
        orders.append(listed(Dataset.range(9).shuffle(9)))
    assert orders[2] == orders[3]
    first, second = np.array(listed(Dataset.range(9).shuffle(9, seed=1).repeat(2))).reshape(2, 9)
    assert set(first) == set(second)
    assert (first != second).any()


def test_a_small_buffer_lets_no_element_come_early_by_more_than_its_size():
    assert all(value <= place + 2 for place, value in enumerate(listed(Dataset.range(50).shuffle(3, seed=1))))


def test_a_generator_is_asked_when_it_is_needed():
    endless = Dataset.from_generator(itertools.count, output_types="float32")
    assert listed(endless.batch(2).take(1)) == [[0.0, 1.0]]


def test_a_generators_signature_gives_dtypes_and_structure():
    def rows():
        yield [1, [2, 3]]
        yield (4, np.array([5.5, 6.0]))

    signature = (tf.TensorSpec([], tf.int64), tf.TensorSpec([2], tf.float32))
    elements = list(Dataset.from_generator(rows, output_signature=signature))
    assert [tuple(part.dtype.name for part in each) for each in elements] == [("int64", "float32")] * 2
    np.testing.assert_array_equal(elements[1][1], [5.5, 6.0])
    by_name = Dataset.from_generator(lambda: [{"a": 1}], output_signature={"a": tf.TensorSpec(None, "float32")})
    assert by_name.get_single_element()["a"].dtype == tf.float32
    with pytest.raises(ValueError, match=r"shape \[3\]|shape \(3,\), received \(2,\)"):
        list(Dataset.from_generator(rows, output_signature=(signature[0], tf.TensorSpec([3], tf.float32))))
    with pytest.raises(ValueError, match="of 1 parts, received 2"):
        list(Dataset.from_generator(rows, output_types=("int32",)))


def test_windows_of_tuples_are_tuples_of_datasets():
    windows = Dataset.from_tensor_slices((X, Y)).window(4, shift=2, drop_remainder=True)
    found = list(windows.flat_map(lambda x, y: Dataset.zip((x.batch(4), y.batch(4)))))
    assert len(found) == 7
    for place, (x, y) in enumerate(found):
        np.testing.assert_array_equal(x, X[2 * place : 2 * place + 4])
        np.testing.assert_array_equal(y, Y[2 * place : 2 * place + 4])


def test_the_length_is_a_tensor_of_one_number():
    assert Dataset.range(3).cardinality().numpy() == tf.data.experimental.cardinality(Dataset.range(3)).numpy() == 3


def model():
    made = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_initializer="ones")])
    made.compile("sgd", "mse", metrics=["mae"])
    return made


def test_fit_evaluate_and_predict_take_datasets_as_arrays():
    dataset = Dataset.from_tensor_slices((X, Y)).batch(4)
    by_data, by_array = model(), model()
    one = by_data.fit(dataset, epochs=2, validation_data=dataset, verbose=0).history
    two = by_array.fit(X, Y, batch_size=4, epochs=2, validation_data=(X, Y), shuffle=False, verbose=0).history
    assert one.keys() == two.keys()
    for key in one:
        np.testing.assert_allclose(one[key], two[key], rtol=1e-6)
    np.testing.assert_allclose(by_data.evaluate(dataset), by_array.evaluate(X, Y), rtol=1e-6)
    np.testing.assert_allclose(by_data.predict(dataset), by_array.predict(X), rtol=1e-6)


def test_an_endless_dataset_needs_a_number_of_steps():
    endless = Dataset.from_tensor_slices((X, Y)).batch(4).repeat()
    with pytest.raises(ValueError, match="steps_per_epoch"):
        model().fit(endless, verbose=0)
    with pytest.raises(ValueError, match="steps"):
        model().evaluate(endless)
    assert len(model().fit(endless, steps_per_epoch=6, epochs=2, verbose=0).epoch) == 2


@pytest.mark.parametrize(
    "make",
    [
        lambda: Dataset.from_tensor_slices((X, Y[:2])),
        lambda: Dataset.from_tensor_slices(3),
        lambda: Dataset.range(3).batch(0),
        lambda: list(Dataset.from_generator(lambda: iter([[1], [1, 2]])).batch(2)),
        lambda: Dataset.range(3).shard(2, 2),
        lambda: Dataset.range(3).window(0),
        lambda: list(Dataset.range(3).flat_map(lambda x: x)),
        lambda: Dataset.range(3).get_single_element(),
    ],
)
def test_what_makes_no_dataset_is_refused(make):
    with pytest.raises(ValueError, match="received"):
        make()


def test_element_spec_leaves_the_size_of_a_batch_open():
    spec = tf.TensorSpec
    pairs = Dataset.from_tensor_slices((X, {"y": Y[:, 0]}))
    assert pairs.element_spec == (spec([2], tf.float32), {"y": spec([], tf.float32)})
    batches = pairs.shuffle(16).batch(5).repeat()
    assert batches.element_spec == (spec([None, 2], tf.float32), {"y": spec([None], tf.float32)})
    assert pairs.batch(5, drop_remainder=True).element_spec[0] == spec([5, 2], tf.float32)
    made = batches.map(lambda x, y: (x * 2, tf.reduce_sum(y["y"])))
    assert made.element_spec == (spec([None, 2], tf.float32), spec([], tf.float32))
    assert Dataset.zip((pairs, Dataset.range(16))).element_spec[1] == spec([], tf.int64)
    assert Dataset.from_tensor_slices(np.array(["a", "b"])).element_spec is None
    with pytest.raises(ValueError, match="without elements"):
        _ = Dataset.range(3).filter(lambda x: x > 9).element_spec


def rows_of(sizes):
    return Dataset.from_generator(
        lambda: iter([(np.arange(n), n) for n in sizes]),
        output_signature=(tf.TensorSpec([None], tf.int64), tf.TensorSpec([], tf.int64)),
    )


def test_padded_batch_fills_up_to_the_longest_or_to_a_shape():
    x, n = next(iter(rows_of([1, 3, 2]).padded_batch(3)))
    np.testing.assert_array_equal(x, [[0, 0, 0], [0, 1, 2], [0, 1, 0]])
    np.testing.assert_array_equal(n, [1, 3, 2])
    x, _ = next(iter(rows_of([1, 2]).padded_batch(2, padded_shapes=([4], []), padding_values=(-1, 0))))
    np.testing.assert_array_equal(x, [[0, -1, -1, -1], [0, 1, -1, -1]])
    assert len(list(rows_of([1, 2, 3]).padded_batch(2, drop_remainder=True))) == 1
    with pytest.raises(ValueError, match="longer than"):
        list(rows_of([3]).padded_batch(1, padded_shapes=([2], [])))


def test_datasets_are_mixed_at_random_or_as_told():
    zeros, ones = (Dataset.from_tensors(each).repeat() for each in (0, 1))
    mixed = Dataset.sample_from_datasets([zeros, ones], weights=[0.9, 0.1], seed=3)
    first = listed(mixed.take(500))
    assert 0.05 < np.mean(first) < 0.15
    assert listed(mixed.take(500)) == first
    assert sorted(listed(Dataset.sample_from_datasets([Dataset.range(3), Dataset.range(5)]))) == [
        0,
        0,
        1,
        1,
        2,
        2,
        3,
        4,
    ]
    short = Dataset.sample_from_datasets([Dataset.range(1), Dataset.range(9)], [1, 0], stop_on_empty_dataset=True)
    assert listed(short) == [0]
    turns = Dataset.range(2).repeat(9)
    assert listed(Dataset.choose_from_datasets([Dataset.range(2), Dataset.range(5, 9)], turns)) == [0, 5, 1, 6]
    with pytest.raises(ValueError, match="weights"):
        Dataset.sample_from_datasets([zeros, ones], weights=[1.0])


def test_elements_are_grouped_by_their_keys_and_lengths():
    assert listed(Dataset.counter(2, 3).take(3)) == [2, 5, 8]
    assert Dataset.counter(dtype="float32").element_spec.dtype == tf.float32
    sums = Dataset.range(10).group_by_window(
        lambda x: x % 3, lambda key, window: window.batch(3).map(lambda each: (key, tf.reduce_sum(each))), window_size=3
    )
    # The windows of 1 and 2 are full before the second of 0 begins; it stands at the end.
    assert [tuple(map(int, each)) for each in sums] == [(0, 9), (1, 12), (2, 15), (0, 9)]
    rows = [[1], [2, 2], [3, 3, 3], [4], [5, 5, 5, 5], [6, 6]]
    ragged = Dataset.from_generator(lambda: (np.array(each) for each in rows))
    made = ragged.bucket_by_sequence_length(len, [2, 4], [2, 2, 2])
    assert [each.numpy().tolist() for each in made] == [
        [[2, 2, 0], [3, 3, 3]],
        [[1], [4]],
        [[6, 6]],
        [[5, 5, 5, 5]],
    ]
    kept = ragged.bucket_by_sequence_length(len, [2, 4], [2, 2, 2], padding_values=-1, drop_remainder=True)
    assert [each.numpy().tolist() for each in kept] == [[[2, 2, -1], [3, 3, 3]], [[1], [4]]]
    with pytest.raises(ValueError, match="one more"):
        ragged.bucket_by_sequence_length(len, [2], [2])
    with pytest.raises(ValueError, match="window_size"):
        Dataset.range(3).group_by_window(lambda x: x, lambda key, window: window)


def test_datasets_pickle_as_the_methods_that_made_them():
    dataset = Dataset.from_tensor_slices((X, Y)).shuffle(16, seed=1).batch(5).map(np.add).prefetch(1)
    again = pickle.loads(pickle.dumps(dataset))
    for one, other in zip(dataset, again, strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(TypeError, match="window"):
        pickle.dumps(next(iter(Dataset.range(3).window(2))))


def test_options_are_taken_and_mean_nothing():
    options = tf.data.Options()
    options.deterministic = False
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    assert [int(each) for each in Dataset.range(3).with_options(options)] == [0, 1, 2]


def test_elements_are_not_written_out_as_text_where_they_match():
    class Silent:
        def __repr__(self):
            raise AssertionError("written out")

    pair = Silent(), Silent()
    assert tf.nest.map_structure(lambda one, other: 0, (pair, 1), (pair, 2)) == ((0, 0), 0)
