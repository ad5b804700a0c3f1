"""A wide and deep network with two inputs and two outputs: the functional API.

    python examples/wide_and_deep.py

Five features go straight to the output, which learns simple rules from them; six, through two layers that learn the
intricate ones (Cheng et al., 2016, as in Géron, "Hands-On Machine Learning", chapter 10). An auxiliary output makes
sure that the deep part learns something of its own. Losses, their weights and metrics are given by output.
"""

from __future__ import annotations

import numpy as np
from housing import load_housing

from minitrain import keras


def make_model(wide_features: int, deep_features: int) -> keras.Model:
    """Inputs "wide" and "deep", outputs "value" and "auxiliary"."""
    wide = keras.Input((wide_features,), name="wide")
    deep = keras.Input((deep_features,), name="deep")
    hidden = keras.layers.Dense(30, activation="relu")(deep)
    hidden = keras.layers.Dense(30, activation="relu")(hidden)
    both = keras.layers.concatenate([wide, hidden])
    value = keras.layers.Dense(1)(both)
    auxiliary = keras.layers.Dense(1)(hidden)
    return keras.Model([wide, deep], {"value": value, "auxiliary": auxiliary})


def main() -> None:
    data = load_housing()
    keras.utils.set_random_seed(42)

    def inputs(x):
        x = np.clip(x, -3, 3)  # what goes straight to the output must not be 40 deviations from the mean
        return {"wide": x[:, :5], "deep": x[:, 2:]}

    def targets(y):
        return {"value": y, "auxiliary": y}

    model = make_model(*(each.shape[1] for each in inputs(data.x_train).values()))
    model.summary()
    model.compile(
        optimizer=keras.optimizers.Adam(0.002),
        loss={"value": "mse", "auxiliary": "mse"},
        loss_weights={"value": 0.9, "auxiliary": 0.1},
        metrics={"value": ["mae", keras.metrics.RootMeanSquaredError(name="rmse")], "auxiliary": ["mae"]},
    )
    model.fit(
        inputs(data.x_train),
        targets(data.y_train),
        epochs=15 if data.is_california else 80,
        validation_data=(inputs(data.x_valid), targets(data.y_valid)),
        verbose=0,
    )

    results = model.evaluate(inputs(data.x_test), targets(data.y_test), verbose=0, return_dict=True)
    predicted = model.predict(inputs(data.x_test))
    print(f"{data.name}, on the test set:", ", ".join(f"{name} {value:.3f}" for name, value in results.items()))
    for row in range(3):
        value, auxiliary = predicted["value"][row, 0], predicted["auxiliary"][row, 0]
        print(f"  predicted {value:.2f}, by the deep part alone {auxiliary:.2f}, is {data.y_test[row, 0]:.2f}")

    squares = {name: np.mean((each - data.y_test) ** 2) for name, each in predicted.items()}
    np.testing.assert_allclose(results["loss"], 0.9 * squares["value"] + 0.1 * squares["auxiliary"], rtol=1e-5)
    mae = np.abs(predicted["value"] - data.y_test).mean()
    np.testing.assert_allclose(results["value_mae"], mae, rtol=1e-5)
    assert results["value_rmse"] < (0.60 if data.is_california else data.y_test.std())


if __name__ == "__main__":
    main()
