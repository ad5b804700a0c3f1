"""Handwritten digits: a softmax classifier from logits, and which digits it confuses.

    python examples/digits_classification.py

1,797 pictures of 8 by 8 pixels, which scikit-learn brings along. The last layer gives logits; the loss takes their
softmax. The confusion matrix is drawn to confusion_matrix.png.
"""

from __future__ import annotations

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.model_selection import train_test_split

import minitrain as tf
from minitrain import keras

WANTED_ACCURACY = 0.97


def main() -> None:
    digits = load_digits()
    images = (digits.images / 16.0).astype("float32")  # (n, 8, 8), pixels 0 to 16 at first
    x_train, x_test, y_train, y_test = train_test_split(
        images, digits.target, test_size=0.25, stratify=digits.target, random_state=42
    )
    keras.utils.set_random_seed(42)
    model = keras.Sequential(
        [
            keras.layers.Input((8, 8)),
            keras.layers.Flatten(),
            keras.layers.Dense(256, activation="relu"),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(10),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.Adam(0.002),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(x_train, y_train, epochs=60, verbose=0)
    _, accuracy = model.evaluate(x_test, y_test, verbose=0)

    logits = model.predict(x_test)
    predicted = logits.argmax(axis=1)
    figure, axes = plt.subplots()
    ConfusionMatrixDisplay.from_predictions(y_test, predicted, ax=axes, cmap="Blues", colorbar=False)
    axes.set_title(f"Digits: {accuracy:.1%} of {len(y_test)} right")
    figure.savefig("confusion_matrix.png")

    sureness = tf.nn.softmax(logits).numpy().max(axis=1)
    wrong = np.flatnonzero(predicted != y_test)
    print(f"accuracy on the test set {accuracy:.2%}; the confusion matrix is in confusion_matrix.png. Wrong ones:")
    for row in wrong:
        print(f"  a {y_test[row]}, taken for a {predicted[row]} with a probability of {sureness[row]:.2f}")
    assert np.isclose(accuracy, 1.0 - len(wrong) / len(y_test)), "evaluate and predict should agree"
    assert accuracy >= WANTED_ACCURACY, f"the accuracy should be at least {WANTED_ACCURACY:.0%}"


if __name__ == "__main__":
    main()
