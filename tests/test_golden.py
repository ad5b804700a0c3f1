"""minitrain gives the numbers that TensorFlow and Keras gave: see tests/golden/README.md."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import minitrain as mt

GOLDEN = Path(__file__).parent / "golden"
CASES = json.loads((GOLDEN / "cases.json").read_text())["cases"]
ARRAYS = dict(np.load(GOLDEN / "arrays.npz"))


def value(x):
    """A result as an ndarray; None stays None."""
    return None if x is None else np.asarray(x.numpy() if hasattr(x, "numpy") else x)


def flat(y):
    return [each for one in y for each in flat(one)] if isinstance(y, (list, tuple)) else [y]


def run_op(case, given):
    """The values of an expression over named inputs, and its first and second gradients."""
    inputs = {k: given[k] if k in case.get("raw", []) else mt.constant(given[k]) for k in case["inputs"]}
    names = {"mt": mt, "np": np, "inf": np.inf, "nan": np.nan, **inputs}
    for name, expression in case.get("setup", {}).items():
        names[name] = eval(expression, names)
    sources = [inputs[k] for k in case["diff"]]

    def first():
        with mt.GradientTape() as tape:
            tape.watch(sources)
            ys = flat(eval(case["expr"], names))
            terms = [mt.reduce_sum(y * mt.constant(given[f"cot{i}"])) for i, y in enumerate(ys) if f"cot{i}" in given]
            total = mt.add_n(terms) if terms else None
        return ys, tape.gradient(total, sources) if sources else []

    with mt.GradientTape() as outer:
        outer.watch(sources)
        ys, gradients = first()
        squares = [mt.reduce_sum(mt.square(g)) for g in gradients if g is not None]
        total = mt.add_n(squares) if squares else None
    out = {f"y{i}": y for i, y in enumerate(ys)} | {f"g_{k}": g for k, g in zip(case["diff"], gradients, strict=True)}
    if case.get("second"):
        seconds = outer.gradient(total, sources) if squares else [None] * len(sources)
        out |= {f"gg_{k}": g for k, g in zip(case["diff"], seconds, strict=True)}
    return out


def run_script(case, given):
    names = {"mt": mt, "np": np, "out": {}, **given}
    exec(case["code"], names)
    return names["out"]


def run_optimizer(case, given):
    """The variables and the learning rate after each step with the given gradients."""
    optimizer = eval(case["make"], {"mt": mt, "np": np})
    places = range(case["nvars"])
    variables = [mt.Variable(given[f"p{i}"]) for i in places]
    steps = []
    for step in range(case["steps"]):
        gradients = [mt.constant(given[f"g{i}"][step]) for i in places]
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        steps.append(([v.numpy() for v in variables], float(optimizer.learning_rate)))
    out = {f"traj{i}": np.stack([values[i] for values, _ in steps]) for i in places}
    out |= {"lr": np.array([rate for _, rate in steps]), "iterations": optimizer.iterations}
    if case.get("finalize"):
        optimizer.finalize_variable_values(variables)
        out |= {f"final{i}": variables[i] for i in places}
    return out


def run_metric(case, given):
    """The result after each of the batches, and after a reset and one of them."""
    metric = eval(case["make"], {"mt": mt, "np": np})

    def feed(i):
        weights = {"sample_weight": given[f"sw{i}"]} if f"sw{i}" in given else {}
        metric.update_state(*(given[f"{k}{i}"] for k in case["args"]), **weights)
        return metric.result()

    out = {f"r{i}": feed(i) for i in range(case["batches"])}
    metric.reset_state()
    return out | {"after_reset": feed(1)}


def run_layer(case, given):
    """A layer with given weights: output, gradients of inputs and weights, its losses, weights after further calls."""
    layer = eval(case["make"], {"mt": mt, "np": np})
    xs = [mt.constant(given[f"x{i}"]) for i in range(case.get("nx", 1))]
    x = xs if len(xs) > 1 else xs[0]
    options = {} if case.get("training") is None else {"training": case["training"]}
    layer(x, **options)
    layer.set_weights([given[f"w{i}"] for i in range(len(layer.get_weights()))])
    sources = [each for each in xs if each.dtype.is_floating]
    with mt.GradientTape() as tape:
        tape.watch(sources)
        y = layer(x, **options)
        total = mt.reduce_sum(y * given["cot"])
        if case.get("losses"):
            total = mt.add_n([total, *layer.losses])
    out = {"y": y, "losses": np.array([float(each) for each in layer.losses])}
    gradients = tape.gradient(total, sources + layer.trainable_variables)
    out |= {f"g{i}": g for i, g in enumerate(gradients)}
    for step in range(1, case.get("updates", 1)):
        layer(mt.constant(given["x0"] * (step + 1) + step), **options)
    out |= {f"w{i}": w for i, w in enumerate(layer.get_weights())}
    out |= {"y_infer": layer(x, training=False) if options else y, "nparams": np.array(layer.count_params())}
    return out


RUNNERS = {"op": run_op, "script": run_script, "optimizer": run_optimizer, "metric": run_metric, "layer": run_layer}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['family']}-{case['id']}")
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.filterwarnings("ignore:The weights are float")  # as in Keras, whose numbers these are
def test_golden(case):
    arrays = {key: ARRAYS[f"{case['id']}/{key}"] for key in case["keys"]}
    given = {key[3:]: array for key, array in arrays.items() if key.startswith("in_")}
    given |= {key[3:]: ARRAYS[place] for key, place in case.get("shared", {}).items()}
    got = {key: value(x) for key, x in RUNNERS[case["kind"]](case, given).items()}
    for key in case.get("none", []):
        assert got[key] is None, f"{key}: expected None"
    for key, expected in arrays.items():
        if key.startswith("in_"):
            continue
        assert got[key] is not None, f"{key}: received None"
        assert got[key].shape == expected.shape, key
        if case["kind"] == "op" and not case.get("loose_dtype"):
            assert got[key].dtype.kind == expected.dtype.kind, key
            assert expected.dtype.kind != "f" or got[key].dtype == expected.dtype, key
        if expected.dtype.kind == "f":
            np.testing.assert_allclose(got[key], expected, rtol=case["rtol"], atol=case["atol"], err_msg=key)
        else:
            np.testing.assert_array_equal(got[key], expected, err_msg=key)
