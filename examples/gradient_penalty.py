"""A gradient penalty: a second derivative through a network makes a classifier smooth.

    python examples/gradient_penalty.py

Two classes in noise. The penalty (|dy/dx| - 1) ** 2 on the gradient with respect to the inputs, as in WGAN-GP
(Gulrajani et al., 2017, eq. 3), is itself differentiated with respect to the weights: a tape within a tape.
"""

from __future__ import annotations

import numpy as np

import minitrain as tf
from minitrain import keras


def train(penalty_weight: float) -> tuple[float, float]:
    """The accuracy on fresh points, and the mean length of the gradient with respect to the inputs."""
    tf.random.set_seed(0)
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 400).astype("float32")[:, None]
    points = (rng.normal(size=(400, 2)) + 2.0 * labels - 1.0).astype("float32")
    layers = [keras.layers.Dense(32, activation="tanh"), keras.layers.Dense(1)]
    loss_fn = keras.losses.BinaryCrossentropy(from_logits=True)
    optimizer = keras.optimizers.Adam(0.02)

    def score(x):
        for layer in layers:
            x = layer(x)
        return x

    def lengths(x):
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = score(x)
        return tf.sqrt(tf.reduce_sum(inner.gradient(y, x) ** 2, axis=1) + 1e-12)

    score(points[:1])
    variables = [v for layer in layers for v in layer.trainable_variables]
    x = tf.constant(points)
    for _ in range(200):
        with tf.GradientTape() as tape:
            loss = loss_fn(labels, score(x)) + penalty_weight * tf.reduce_mean((lengths(x) - 1.0) ** 2)
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
    fresh_labels = rng.integers(0, 2, 2000).astype("float32")[:, None]
    fresh = tf.constant((rng.normal(size=(2000, 2)) + 2.0 * fresh_labels - 1.0).astype("float32"))
    accuracy = float(np.mean((score(fresh).numpy() > 0) == (fresh_labels > 0.5)))
    return accuracy, float(tf.reduce_mean(lengths(fresh)))


def main() -> None:
    plain, with_penalty = train(0.0), train(1.0)
    print(f"without penalty: accuracy {plain[0]:.3f}, mean gradient length {plain[1]:.2f}")
    print(f"with penalty:    accuracy {with_penalty[0]:.3f}, mean gradient length {with_penalty[1]:.2f}")
    assert abs(with_penalty[1] - 1.0) < 0.2
    assert abs(with_penalty[1] - 1.0) < abs(plain[1] - 1.0)
    assert with_penalty[0] > 0.9


if __name__ == "__main__":
    main()
