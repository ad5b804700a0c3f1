"""Quantile regression on California housing: the 10 %, 50 % and 90 % points of each value, not just one number.

    python examples/quantile_regression.py

The pinball loss takes several quantiles at once; about four fifths of the test values fall between the outer two.
"""

from __future__ import annotations

import numpy as np
from housing import load_housing

import minitrain as tf
from minitrain import keras

LEVELS = [0.1, 0.5, 0.9]


def main() -> None:
    data = load_housing()
    tf.random.set_seed(7)
    rng = np.random.default_rng(7)
    layers = [
        keras.layers.Dense(40, activation="relu", kernel_initializer="he_normal"),
        keras.layers.Dense(40, activation="relu", kernel_initializer="he_normal"),
        keras.layers.Dense(len(LEVELS)),
    ]
    loss_fn = keras.losses.Quantile(LEVELS)

    def predict(x):
        for layer in layers:
            x = layer(x)
        return x

    predict(data.x_train[:1])
    variables = [v for layer in layers for v in layer.trainable_variables]
    epochs, batch = 12, 64
    total = epochs * (-(-len(data.x_train) // batch))
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.OneCycle(0.01, total))
    for _ in range(epochs):
        order = rng.permutation(len(data.x_train))
        for start in range(0, len(order), batch):
            rows = order[start : start + batch]
            with tf.GradientTape() as tape:
                loss = loss_fn(data.y_train[rows], predict(data.x_train[rows]))
            optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
    low, middle, high = predict(data.x_test).numpy().T
    y = data.y_test[:, 0]
    coverage = float(np.mean((low <= y) & (y <= high)))
    error = float(np.mean(np.abs(y - middle)))
    below = [float(np.mean(y <= each)) for each in (low, middle, high)]
    print(
        f"{data.name}: share of test values below each quantile {[round(each, 3) for each in below]}, wanted {LEVELS}"
    )
    print(f"between the outer two: {coverage:.3f}; mean absolute error of the median {error:.3f}")
    room = 0.04 if data.is_california else 0.15
    assert all(abs(got - wanted) < room for got, wanted in zip(below, LEVELS, strict=True))


if __name__ == "__main__":
    main()
