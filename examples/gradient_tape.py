"""A tour of the gradient tape: five things that it does, each checked at its end.

    python examples/gradient_tape.py

Linear regression by hand-written updates, a second derivative (drawn to second_derivative.png), a Jacobian, a custom
gradient, and a network of two layers on California housing.
"""

from __future__ import annotations

import matplotlib

matplotlib.use("Agg")
import itertools

import matplotlib.pyplot as plt
import numpy as np
from housing import load_housing

import minitrain as tf


def linear_regression() -> None:
    """Find the line behind noisy points by gradient descent, the updates written out."""
    tf.random.set_seed(1)
    x = tf.random.uniform([200], -1.0, 1.0)
    y = 3.0 * x + 2.0 + tf.random.normal([200], stddev=0.1)
    slope, intercept = tf.Variable(0.0), tf.Variable(0.0)
    for _ in range(200):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((slope * x + intercept - y) ** 2)
        for variable, gradient in zip([slope, intercept], tape.gradient(loss, [slope, intercept]), strict=True):
            variable.assign_sub(0.3 * gradient)
    exact = np.polyfit(x.numpy(), y.numpy(), 1)
    print(
        f"1. line found: {float(slope):.4f} x + {float(intercept):.4f}; least squares: {exact[0]:.4f}, {exact[1]:.4f}"
    )
    np.testing.assert_allclose([slope, intercept], exact, atol=1e-3)


def second_derivative() -> None:
    """Two nested tapes give the second derivative of every point at once."""
    x = tf.linspace(-3.0, 3.0, 200)
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = tf.sin(x) ** 2
        first = inner.gradient(y, x)
    second = outer.gradient(first, x)
    for values, name in ((y, "sin(x)²"), (first, "first derivative"), (second, "second derivative")):
        plt.plot(x, values, label=name)
    plt.legend()
    plt.title("Derivatives by nested tapes")
    plt.savefig("second_derivative.png", dpi=100)
    plt.close()
    error = float(tf.reduce_max(abs(second - 2.0 * tf.cos(2.0 * x))))
    print(f"2. second derivative of sin(x)² drawn to second_derivative.png; largest error {error:.1e}")
    assert error < 1e-5


def jacobian() -> None:
    """How polar coordinates move with Cartesian ones: a 2 by 2 Jacobian whose determinant is 1 / r."""
    point = tf.Variable([3.0, 4.0], dtype=tf.float64)
    with tf.GradientTape() as tape:
        r = tf.norm(point)
        polar = tf.stack([r, tf.math.atan2(point[1], point[0])])
    matrix = tape.jacobian(polar, point)
    determinant = float(tf.linalg.det(matrix))
    print(
        f"3. Jacobian of polar coordinates at (3, 4): {matrix.numpy().round(3).tolist()}, determinant {determinant:.3f}"
    )
    np.testing.assert_allclose(determinant, 1 / 5)


def custom_gradient() -> None:
    """A gradient of one's own: log(1 + e^x), whose automatic gradient is NaN at 100, made stable."""

    def naive(x):
        return tf.math.log(1.0 + tf.exp(x))

    @tf.custom_gradient
    def stable(x):
        e = tf.exp(x)
        return tf.math.log(1.0 + e), lambda upstream: upstream * (1.0 - 1.0 / (1.0 + e))

    x = tf.constant(100.0)
    found = []
    for f in (naive, stable):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = f(x)
        found.append(float(tape.gradient(y, x)))
    print(f"4. gradient of log(1 + e^x) at 100: naive {found[0]}, custom {found[1]}")
    assert np.isnan(found[0])
    assert found[1] == 1.0


def network() -> None:
    """Two layers on California housing: mini-batches, gradients, updates with momentum, all by hand."""
    data = load_housing()
    rng = np.random.default_rng(42)
    sizes = [data.x_train.shape[1], 30, 1]
    kernels = [
        tf.Variable(rng.normal(0, np.sqrt(2 / i), (i, o)).astype("float32")) for i, o in itertools.pairwise(sizes)
    ]
    biases = [tf.Variable(np.zeros(o, "float32")) for o in sizes[1:]]
    variables = [*kernels, *biases]
    velocities = [np.zeros(v.shape, "float32") for v in variables]

    def predict(x):
        hidden = tf.nn.relu(x @ kernels[0] + biases[0])
        return hidden @ kernels[1] + biases[1]

    def rmse(x, y) -> float:
        return float(tf.sqrt(tf.reduce_mean((predict(x) - y) ** 2)))

    for _ in range(10):
        order = rng.permutation(len(data.x_train))
        for start in range(0, len(order), 32):
            rows = order[start : start + 32]
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((predict(data.x_train[rows]) - data.y_train[rows]) ** 2)
            for variable, velocity, gradient in zip(variables, velocities, tape.gradient(loss, variables), strict=True):
                velocity *= 0.9
                velocity -= 0.003 * gradient.numpy()
                variable.assign_add(velocity)
    baseline = float(np.sqrt(np.mean((data.y_test - data.y_train.mean()) ** 2)))
    error = rmse(data.x_test, data.y_test)
    print(f"5. two layers on {data.name}: test RMSE {error:.3f} after 10 epochs, the mean alone gives {baseline:.3f}")
    assert error < (0.62 if data.is_california else 0.9 * baseline)


def main() -> None:
    linear_regression()
    second_derivative()
    jacobian()
    custom_gradient()
    network()


if __name__ == "__main__":
    main()
