"""Random tensors: the same seed gives the same numbers, and the distributions are right."""

import numpy as np
import pytest

import minitrain as mt

DRAWS = {
    "normal": lambda **k: mt.random.normal([1000], **k),
    "uniform": lambda **k: mt.random.uniform([1000], **k),
    "integers": lambda **k: mt.random.uniform([1000], 0, 10, dtype=mt.int32, **k),
    "truncated": lambda **k: mt.random.truncated_normal([1000], **k),
    "categorical": lambda **k: mt.random.categorical([[0.0, 1.0, 2.0]], 1000, **k),
    "shuffle": lambda **k: mt.random.shuffle(mt.range(1000), **k),
    "dropout": lambda **k: mt.nn.dropout(mt.ones([1000]), 0.5, **k),
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS.keys())
def test_set_seed_repeats_the_numbers(draw):
    runs = []
    for _ in range(2):
        mt.random.set_seed(5)
        runs.append([draw().numpy(), draw().numpy(), draw(seed=3).numpy(), draw(seed=3).numpy()])
    for one, other in zip(*runs, strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(runs[0][0], runs[0][1])
    assert not np.array_equal(runs[0][2], runs[0][3])
    mt.random.set_seed(6)
    assert not np.array_equal(draw().numpy(), runs[0][0])


def test_distributions():
    mt.random.set_seed(0)
    x = mt.random.normal([100_000], 3.0, 2.0).numpy()
    assert (x.mean(), x.std()) == (pytest.approx(3, abs=0.03), pytest.approx(2, abs=0.03))
    u = mt.random.uniform([100_000], -1.0, 3.0).numpy()
    assert -1 <= u.min() < -0.99 < 2.99 < u.max() < 3
    t = mt.random.truncated_normal([100_000]).numpy()
    assert np.abs(t).max() <= 2
    assert t.std() == pytest.approx(0.8796, abs=0.01)
    c = np.bincount(mt.random.categorical(np.log([[0.2, 0.3, 0.5]]), 100_000).numpy()[0]) / 100_000
    np.testing.assert_allclose(c, [0.2, 0.3, 0.5], atol=0.01)
    assert {int(i) for i in mt.random.uniform([1000], 2, 5, dtype=mt.int64)} == {2, 3, 4}
    d = mt.nn.dropout(mt.ones([100_000]), 0.25).numpy()
    assert set(np.unique(d)) == {0.0, np.float32(1 / 0.75)}
    assert (d == 0).mean() == pytest.approx(0.25, abs=0.01)


def test_dropout_uses_one_mask_forward_and_backward():
    x = mt.Variable(np.ones(100, "float32"))
    with mt.GradientTape() as tape:
        y = mt.nn.dropout(x, 0.5)
    np.testing.assert_array_equal(tape.gradient(y, x), y.numpy())
    shared = mt.nn.dropout(mt.ones([50, 4]), 0.5, noise_shape=[None, 1]).numpy()
    assert (shared == shared[:, :1]).all()


def test_gradients_flow_to_mean_and_deviation():
    mean, deviation = mt.Variable(1.0), mt.Variable(2.0)
    with mt.GradientTape() as tape:
        x = mt.random.normal([10], mean, deviation, seed=1)
    g_mean, g_deviation = tape.gradient(x, [mean, deviation])
    assert float(g_mean) == 10.0
    assert float(g_deviation) == pytest.approx(float(mt.reduce_sum((x - 1.0) / 2.0)), rel=1e-5)


def test_generators_are_streams_of_their_own():
    one, other = mt.random.Generator.from_seed(1), mt.random.Generator.from_seed(1)
    mt.random.normal([3])
    np.testing.assert_array_equal(one.normal([5]), other.normal([5]))
    kept = one.state
    a = one.uniform([5]).numpy()
    one.state = kept
    np.testing.assert_array_equal(a, one.uniform([5]))
    left, right = one.split(2)
    assert not np.array_equal(left.normal([5]), right.normal([5]))
    assert mt.random.Generator(-1).uniform([1]).numpy() != mt.random.Generator(1).uniform([1]).numpy()
    with pytest.raises(TypeError, match="`seed` must be an integer"):
        mt.random.set_seed("a")
    with pytest.raises(ValueError, match="maxval"):
        mt.random.uniform([1], dtype=mt.int32)
