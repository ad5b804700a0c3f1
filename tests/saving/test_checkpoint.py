"""`train.Checkpoint`: training that was restored goes on as if nothing had happened."""

import numpy as np
import pytest

import minitrain as tf
from minitrain import keras

X = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")


def parts():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2), keras.layers.Dense(1)])
    return {"model": model, "optimizer": keras.optimizers.Adam(0.1), "step": tf.Variable(0)}


def train(model, optimizer, step):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(model(X) ** 2)
    optimizer.apply_gradients(zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables))
    step.assign_add(1)


def test_restored_training_equals_uninterrupted(tmp_path):
    mine, other = parts(), parts()
    train(**mine)
    manager = tf.train.CheckpointManager(tf.train.Checkpoint(**mine), tmp_path, max_to_keep=2)
    manager.save()
    train(**mine)

    checkpoint = tf.train.Checkpoint(**other)
    checkpoint.restore(tf.train.latest_checkpoint(tmp_path)).assert_consumed()
    assert int(checkpoint.step) == 1
    train(**other)
    np.testing.assert_array_equal(mine["model"](X), other["model"](X))
    assert int(checkpoint.save_counter) == 1


def test_a_manager_keeps_the_last_files(tmp_path):
    v = tf.Variable([1.0, 2.0])
    manager = tf.train.CheckpointManager(tf.train.Checkpoint(v=v), tmp_path / "deep", 2)
    assert manager.latest_checkpoint is None
    assert manager.restore_or_initialize() is None
    for place in range(4):
        v.assign([place, place])
        manager.save()
    assert [each.rpartition("-")[2] for each in manager.checkpoints] == ["3", "4"]
    assert len(list((tmp_path / "deep").iterdir())) == 3
    again = tf.train.CheckpointManager(tf.train.Checkpoint(v=v), tmp_path / "deep", 2)
    v.assign([9, 9])
    assert again.restore_or_initialize() == again.latest_checkpoint
    np.testing.assert_array_equal(v, [3, 3])
    assert again.save(checkpoint_number=7).endswith("ckpt-7")


def test_write_and_read_take_one_path_and_parts_in_parts(tmp_path):
    class Line(tf.Module):
        def __init__(self):
            super().__init__()
            self.w = tf.Variable(2.0)

    line, pair = Line(), [tf.Variable(1.0), tf.Variable(2.0)]
    path = tf.train.Checkpoint(line, pair=pair).write(tmp_path / "one")
    for each in (line.w, *pair):
        each.assign(0.0)
    tf.train.Checkpoint(line, pair=pair).read(path).expect_partial()
    assert [float(each) for each in (line.w, *pair)] == [2.0, 1.0, 2.0]
    with pytest.raises(ValueError, match="pair"):
        tf.train.Checkpoint(line).restore(path).assert_consumed()


def test_what_cannot_be_restored_is_refused(tmp_path):
    path = tf.train.Checkpoint(**parts()).write(tmp_path / "one")
    with pytest.raises(ValueError, match="before it is restored"):
        tf.train.Checkpoint(model=keras.Sequential([keras.layers.Dense(2)])).restore(path)
    with pytest.raises(ValueError, match="shape"):
        tf.train.Checkpoint(step=tf.Variable([1, 2])).restore(path)
    with pytest.raises(tf.errors.NotFoundError):
        tf.train.Checkpoint().restore(tmp_path / "two")
    with pytest.raises(TypeError, match="`x` of a Checkpoint"):
        tf.train.Checkpoint(x=3)
    (tmp_path / "checkpoint").write_text("?")
    with pytest.raises(tf.errors.DataLossError, match="note"):
        tf.train.latest_checkpoint(tmp_path)


def test_a_pass_over_a_dataset_goes_on_where_it_stood(tmp_path):
    dataset = tf.data.Dataset.range(10).shuffle(10, seed=3, reshuffle_each_iteration=False).batch(3)
    order = [each.numpy().tolist() for each in dataset]
    batches = iter(dataset)
    checkpoint = tf.train.Checkpoint(batches=batches, step=tf.Variable(0))
    assert next(batches).numpy().tolist() == order[0]
    path = checkpoint.save(tmp_path / "ckpt")
    assert [each.numpy().tolist() for each in batches] == order[1:]
    checkpoint.restore(path)
    assert [each.numpy().tolist() for each in batches] == order[1:]
    other = iter(dataset)
    tf.train.Checkpoint(batches=other, step=tf.Variable(0)).restore(path).assert_consumed()
    assert other.get_next().numpy().tolist() == order[1]
    assert other.element_spec == dataset.element_spec
    with pytest.raises(StopIteration):
        next(batches)


def test_the_variables_of_a_file_are_listed_and_read(tmp_path):
    path = tf.train.Checkpoint(weights=[tf.Variable([1.0, 2.0]), tf.Variable(3)]).save(tmp_path / "ckpt")
    assert tf.train.list_variables(path) == [("save_counter", []), ("weights/0", [2]), ("weights/1", [])]
    assert tf.train.list_variables(tmp_path) == tf.train.list_variables(path)
    np.testing.assert_array_equal(tf.train.load_variable(path, "weights/0"), [1.0, 2.0])
    with pytest.raises(ValueError, match="weights/1"):
        tf.train.load_variable(path, "weight")


def test_what_does_not_fit_changes_nothing(tmp_path):
    values = [tf.Variable(np.ones(2)), tf.Variable(np.ones(2)), tf.Variable(np.ones(3))]
    path = tf.train.Checkpoint(parts=values).write(tmp_path / "one")
    others = [tf.Variable(np.zeros(2)), tf.Variable(np.zeros(2)), tf.Variable(np.zeros(4))]
    with pytest.raises(ValueError, match="shape"):
        tf.train.Checkpoint(parts=others).restore(path)
    assert not any(each.numpy().any() for each in others)
    (tmp_path / "checkpoint").write_text("[" * 100_000)
    with pytest.raises(ValueError, match="note"):
        tf.train.latest_checkpoint(tmp_path)
