"""House values in California with `compile`, `fit`, `evaluate` and `predict`.

    python examples/california_housing.py

Trains two layers of 30 for 20 epochs with early stopping, draws the learning curves, evaluates on the test set, shows
the five worst predictions, and saves and loads the model. Then a wider network on clipped features does better.
"""

from __future__ import annotations

import matplotlib
import numpy as np
from housing import Split, load_housing

from minitrain import keras

matplotlib.use("Agg")

WANTED_ERROR = 0.56  # RMSE on the test set, in units of 100,000 dollars
WANTED_TUNED_ERROR = 0.52


def first_model(data: Split) -> float:
    """Two layers of 30, from training to the file. Gives the RMSE on the test set."""
    keras.utils.set_random_seed(42)
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

    axes = history.plot("mae")
    axes.set(ylabel="mean absolute error", title=data.name)
    axes.figure.savefig("learning_curve.png")

    error = model.evaluate(data.x_test, data.y_test, verbose=0, return_dict=True)["rmse"]
    predicted = model.predict(data.x_test)
    print(f"{data.name}: RMSE on the test set {error:.3f}; the curves are in learning_curve.png. The five worst:")
    for row in np.argsort(-np.abs(predicted - data.y_test)[:, 0])[:5]:
        print(f"  predicted {predicted[row, 0]:.2f}, is {data.y_test[row, 0]:.2f}")

    model.save("california.minitrain")
    loaded = keras.models.load_model("california.minitrain")
    np.testing.assert_array_equal(loaded.predict(data.x_test), predicted)
    print("Saved to california.minitrain and loaded, the model predicts the same, bit for bit.")
    return error


def tuned_model(data: Split, seed: int = 1) -> float:
    """Three layers of 100, AdamW down a cosine, and no feature beyond 3 deviations. Gives the RMSE on the test set."""
    keras.utils.set_random_seed(seed)
    # A few districts have a hundred rooms a household, 40 deviations from the mean: out there a network only guesses.
    x_train, x_test = (np.clip(x, -3, 3) for x in (data.x_train, data.x_test))
    epochs, batch_size = 40, 64
    model = keras.Sequential([keras.layers.Dense(100, activation="relu") for _ in range(3)] + [keras.layers.Dense(1)])
    rate = keras.optimizers.schedules.CosineDecay(0.003, epochs * -(-len(x_train) // batch_size))
    rmse = keras.metrics.RootMeanSquaredError(name="rmse")
    model.compile(keras.optimizers.AdamW(rate, weight_decay=0.1), loss="mse", metrics=[rmse])
    model.fit(x_train, data.y_train, batch_size=batch_size, epochs=epochs, verbose=0)
    return model.evaluate(x_test, data.y_test, verbose=0, return_dict=True)["rmse"]


def main() -> None:
    data = load_housing()
    error, tuned = first_model(data), tuned_model(data)
    print(f"RMSE on the test set: {error:.3f}, tuned {tuned:.3f}")
    if data.is_california:
        assert error < WANTED_ERROR, f"the RMSE should be below {WANTED_ERROR}"
        assert tuned < WANTED_TUNED_ERROR, f"the tuned RMSE should be below {WANTED_TUNED_ERROR}"
    else:
        assert error < data.y_test.std(), "no better than the mean"


if __name__ == "__main__":
    main()
