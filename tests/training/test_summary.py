"""`tf.summary`: what a loop writes is in the event files, eagerly and under `function`."""

import numpy as np
import pytest
from events import events

import minitrain as tf

pytest.importorskip("tensorboardX")


def test_what_a_loop_writes_is_in_the_file(tmp_path):
    writer = tf.summary.create_file_writer(str(tmp_path))
    with writer.as_default():
        for step in range(3):
            assert tf.summary.scalar("loss", tf.constant(0.5 * step), step=step)
        tf.summary.histogram("weights", np.arange(10.0), step=1)
        tf.summary.text("note", "begun", step=0)
    assert not tf.summary.scalar("loss", 1.0, step=4)  # there is no default writer any more
    writer.close()
    found = events(tmp_path)
    assert found["loss"] == [(0, 0.0), (1, 0.5), (2, 1.0)]
    assert found["weights"] == [(1, 10.0)]
    assert "note/text_summary" in found


def test_a_function_writes_at_every_call(tmp_path):
    writer, step = tf.summary.create_file_writer(tmp_path), tf.Variable(0, dtype="int64")

    @tf.function
    def count(x):
        with writer.as_default(step=step):
            tf.summary.scalar("twice", x * 2.0)
        step.assign_add(1)
        return x

    for value in range(5):
        count(tf.constant(float(value)))
    writer.flush()
    assert events(tmp_path)["twice"] == [(place, 2.0 * place) for place in range(5)]


def test_a_default_step_and_a_condition_hold_until_they_are_set_anew(tmp_path):
    writer = tf.summary.create_file_writer(tmp_path)
    with tf.summary.create_noop_writer().as_default():  # at its end there is no default again
        writer.set_as_default()
        with pytest.raises(ValueError, match="step"):
            tf.summary.scalar("a", 1.0)
        with pytest.raises(ValueError, match=r"shape \(2,\)"):
            tf.summary.scalar("a", [1.0, 2.0], step=0)
        tf.summary.set_step(7)
        assert tf.summary.get_step() == 7
        with tf.summary.record_if(lambda: False):
            assert not tf.summary.should_record_summaries()
            assert not tf.summary.scalar("a", 1.0)
        assert tf.summary.scalar("a", 1.0)
        tf.summary.flush()
    assert tf.summary.get_step() is None
    assert events(tmp_path)["a"] == [(7, 1.0)]
