"""A layer of one's own, and a model that trains in its own way, saved and loaded like any other.

    python examples/custom_layer_and_train_step.py

An adversary who sees the gradient changes every pixel of a digit by a little, and a good classifier errs. `Robust`
meets such pictures in its `train_step` already, and `Maxout` is the layer that the authors did it with (Goodfellow et
al., 2015, "Explaining and Harnessing Adversarial Examples", sections 4 and 6).
"""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import minitrain as tf
from minitrain import keras

STRENGTH = 0.1  # how far a pixel moves, of the way from white to black


@keras.saving.register_serializable("examples")
class Maxout(keras.layers.Layer):
    """The largest of `pieces` linear functions a unit: (n, i) -> (n, units). Source: Goodfellow et al. (2013)."""

    def __init__(self, units: int, pieces: int = 3, **kwargs) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.pieces = pieces

    def build(self, input_shape) -> None:
        self.kernel = self.add_weight((input_shape[-1], self.pieces * self.units), "glorot_uniform", name="kernel")
        self.bias = self.add_weight((self.pieces * self.units,), "zeros", name="bias")
        self.built = True

    def call(self, inputs):
        pieces = tf.reshape(inputs @ self.kernel + self.bias, [-1, self.pieces, self.units])
        return tf.reduce_max(pieces, axis=1)

    def get_config(self) -> dict:
        return super().get_config() | {"units": self.units, "pieces": self.pieces}


@keras.saving.register_serializable("examples")
class Robust(keras.Model):
    """A classifier of digits whose training shows it each picture twice: as it is, and under attack."""

    def __init__(self, units: int, strength: float) -> None:
        super().__init__()
        self.units = units  # kept under the names of the arguments, they need no get_config
        self.strength = strength
        self.hidden = Maxout(units)
        self.scores = keras.layers.Dense(10)

    def call(self, inputs):
        return self.scores(self.hidden(inputs))

    def attacked(self, x, y, strength: float):
        """x moved by `strength` where it makes the loss grow fastest, every pixel within [0, 1]."""
        x = tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = self.compute_loss(x, y, self(x, training=False))
        return tf.clip_by_value(x + strength * tf.sign(tape.gradient(loss, x)), 0.0, 1.0)

    def train_step(self, data):
        x, y = data
        changed = self.attacked(x, y, self.strength)
        with tf.GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = (self.compute_loss(x, y, y_pred) + self.compute_loss(changed, y, self(changed, training=True))) / 2.0
        weights = self.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return {"loss": loss} | self.compute_metrics(x, y, y_pred)


def trained(strength: float, x, y) -> Robust:
    """A Robust that trained under attacks of this strength; 0 is plain training."""
    keras.utils.set_random_seed(42)
    model = Robust(100, strength)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(0.003), loss=loss, metrics=["accuracy"])
    model.fit(x, y, epochs=30, verbose=0)
    return model


def main() -> None:
    digits = load_digits()
    x_train, x_test, y_train, y_test = train_test_split(
        (digits.data / 16.0).astype("float32"), digits.target, stratify=digits.target, random_state=42
    )

    def accuracies(model: Robust) -> tuple[float, float]:
        """On the test set as it is, and under attack."""
        changed = model.attacked(x_test, y_test, STRENGTH)
        return tuple(model.evaluate(x, y_test, verbose=0, return_dict=True)["accuracy"] for x in (x_test, changed))

    plain, robust = trained(0.0, x_train, y_train), trained(STRENGTH, x_train, y_train)
    for name, model in (("plain training", plain), ("adversarial training", robust)):
        print("{}: accuracy {:.3f}, under attack {:.3f}".format(name, *accuracies(model)))

    robust.save("robust.minitrain")
    loaded = keras.models.load_model("robust.minitrain")
    print(f"loaded again: {type(loaded).__name__} of {loaded.hidden.units} units against {loaded.strength}")
    np.testing.assert_array_equal(loaded.predict(x_test), robust.predict(x_test))
    loaded.fit(x_train, y_train, epochs=1, verbose=0)  # the optimizer's state came along: training goes on

    assert accuracies(plain)[0] > 0.96
    assert accuracies(loaded)[0] > 0.96
    assert accuracies(robust)[1] > accuracies(plain)[1] + 0.1


if __name__ == "__main__":
    main()
