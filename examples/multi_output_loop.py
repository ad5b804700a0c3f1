"""A custom loop with two outputs: the house value, and whether it lies above the median, from one shared layer.

    python examples/multi_output_loop.py

Layers, losses, metrics and an optimizer are used on their own; the tape adds up the two losses.
"""

from __future__ import annotations

import numpy as np
from housing import load_housing

import minitrain as tf
from minitrain import keras


def main() -> None:
    data = load_housing()
    tf.random.set_seed(42)
    rng = np.random.default_rng(42)
    middle = float(np.median(data.y_train))
    shared = keras.layers.Dense(30, activation="relu")
    value, above = keras.layers.Dense(1), keras.layers.Dense(1)
    layers = [shared, value, above]
    mse, bce = keras.losses.MeanSquaredError(), keras.losses.BinaryCrossentropy(from_logits=True)
    optimizer = keras.optimizers.Adam(0.003)
    rmse, accuracy = keras.metrics.RootMeanSquaredError(), keras.metrics.BinaryAccuracy(threshold=0.0)

    def predict(x):
        hidden = shared(x)
        return value(hidden), above(hidden)

    predict(data.x_train[:1])
    variables = [v for layer in layers for v in layer.trainable_variables]
    epochs = 8 if data.is_california else 120  # the other data have a fiftieth of the rows
    for epoch in range(epochs):
        order = rng.permutation(len(data.x_train))
        seen = keras.metrics.Mean()
        for start in range(0, len(order), 64):
            rows = order[start : start + 64]
            x, y = data.x_train[rows], data.y_train[rows]
            with tf.GradientTape() as tape:
                amount, score = predict(x)
                loss = mse(y, amount) + bce((y > middle).astype("float32"), score)
            optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
            seen.update_state(loss)
        if (epoch + 1) % (epochs // 2) == 0:
            print(f"epoch {epoch + 1}: mean loss {float(seen.result()):.3f}")
    amount, score = predict(data.x_test)
    rmse.update_state(data.y_test, amount)
    accuracy.update_state((data.y_test > middle).astype("float32"), score)
    print(f"{data.name}: test RMSE {float(rmse.result()):.3f}, above the median or not {float(accuracy.result()):.3f}")
    baseline = float(np.sqrt(np.mean((data.y_test - data.y_train.mean()) ** 2)))
    assert float(rmse.result()) < (0.65 if data.is_california else 0.9 * baseline)
    assert float(accuracy.result()) > (0.84 if data.is_california else 0.6)


if __name__ == "__main__":
    main()
