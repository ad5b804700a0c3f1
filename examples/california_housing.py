"""House values in California with `compile`, `fit`, `evaluate` and `predict`.

    python examples/california_housing.py

Trains two layers of 30 for 20 epochs with early stopping, draws the learning curves, evaluates on the test set, shows
the five worst predictions, and checks the error.
"""

from __future__ import annotations

import matplotlib
import numpy as np
from housing import load_housing

from minitrain import keras

matplotlib.use("Agg")
import matplotlib.pyplot as plt

WANTED_ERROR = 0.56  # RMSE on the test set, in units of 100,000 dollars


def main() -> None:
    data = load_housing()
    keras.random.set_seed(42)
    model = keras.Sequential(
        [
            keras.layers.Dense(30, activation="relu"),
            keras.layers.Dense(30, activation="relu"),
            keras.layers.Dense(1),
        ]
    )
    rmse = keras.metrics.RootMeanSquaredError(name="rmse")
    model.compile(optimizer=keras.optimizers.Adam(0.003), loss="mse", metrics=[rmse, "mae"])
    # The mean absolute error is watched: one district far outside the others' range rules the squared one.
    stopping = keras.callbacks.EarlyStopping("val_mae", patience=10, restore_best_weights=True)
    history = model.fit(
        data.x_train,
        data.y_train,
        epochs=20 if data.is_california else 60,
        validation_data=(data.x_valid, data.y_valid),
        callbacks=[stopping],
    )
    model.summary()

    figure, axes = plt.subplots()
    for name in ("mae", "val_mae"):
        axes.plot(history.history[name], label=name)
    axes.set(xlabel="epoch", ylabel="mean absolute error", title=data.name)
    axes.legend()
    figure.savefig("learning_curve.png")

    error = model.evaluate(data.x_test, data.y_test, verbose=0, return_dict=True)["rmse"]
    predicted = model.predict(data.x_test)[:, 0]
    worst = np.argsort(-np.abs(predicted - data.y_test[:, 0]))[:5]
    print(f"{data.name}: RMSE on the test set {error:.3f}; the curves are in learning_curve.png. The five worst:")
    for row in worst:
        print(f"  predicted {predicted[row]:.2f}, is {data.y_test[row, 0]:.2f}")
    if data.is_california:
        assert error < WANTED_ERROR, f"the RMSE should be below {WANTED_ERROR}"
    else:
        assert error < data.y_test.std(), "no better than the mean"


if __name__ == "__main__":
    main()
