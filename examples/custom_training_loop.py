"""What `fit` does, written out: the same network from the same seed ends with the same weights.

    python examples/custom_training_loop.py

A tape, a loss, metrics and `apply_gradients`, batch by batch. An epoch of `fit` draws one permutation of the rows from
the stream that the seed starts, and `random.shuffle` draws the same one.
"""

from __future__ import annotations

import numpy as np
from housing import load_housing

import minitrain as tf
from minitrain import keras

EPOCHS, BATCH_SIZE = 5, 32


def make_model(features: int) -> keras.Model:
    """Two layers of 30, its weights drawn from the start of the stream."""
    keras.utils.set_random_seed(42)
    return keras.Sequential(
        [
            keras.layers.Input((features,)),
            keras.layers.Dense(30, activation="relu"),
            keras.layers.Dense(30, activation="relu"),
            keras.layers.Dense(1),
        ]
    )


def main() -> None:
    data = load_housing()
    model = make_model(data.x_train.shape[1])
    loss_fn, optimizer = keras.losses.MeanSquaredError(), keras.optimizers.Adam(0.003)
    loss_mean, mae, val_mae = keras.metrics.Mean(), keras.metrics.MeanAbsoluteError(), keras.metrics.MeanAbsoluteError()

    def train_step(x, y) -> None:
        with tf.GradientTape() as tape:
            y_pred = model(x, training=True)
            loss = loss_fn(y, y_pred)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        loss_mean.update_state(loss, sample_weight=len(x))  # the last batch is smaller, and counts for less
        mae.update_state(y, y_pred)

    results = {"loss": loss_mean, "mae": mae, "val_mae": val_mae}
    for epoch in range(EPOCHS):
        for metric in results.values():
            metric.reset_state()
        order = tf.random.shuffle(np.arange(len(data.x_train))).numpy()
        for start in range(0, len(order), BATCH_SIZE):
            rows = order[start : start + BATCH_SIZE]
            train_step(data.x_train[rows], data.y_train[rows])
        val_mae.update_state(data.y_valid, model(data.x_valid, training=False))
        said = " - ".join(f"{name}: {float(metric.result()):.4f}" for name, metric in results.items())
        print(f"Epoch {epoch + 1}/{EPOCHS} - {said}")

    twin = make_model(data.x_train.shape[1])
    twin.compile(optimizer=keras.optimizers.Adam(0.003), loss="mse", metrics=["mae"])
    history = twin.fit(
        data.x_train,
        data.y_train,
        batch_size=BATCH_SIZE,
        epochs=EPOCHS,
        validation_data=(data.x_valid, data.y_valid),
        verbose=0,
    ).history
    furthest = max(np.abs(a - b).max() for a, b in zip(model.get_weights(), twin.get_weights(), strict=True))
    print(f"{data.name}: the weights of the loop and of `fit` are at most {furthest:.1e} apart")
    for mine, theirs in zip(model.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)
    for name, metric in results.items():
        np.testing.assert_allclose(float(metric.result()), history[name][-1], rtol=1e-5, err_msg=name)


if __name__ == "__main__":
    main()
