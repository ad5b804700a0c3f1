"""Calls of a model inside a tape are replayed, with the numbers of the Python code, and no tape notices."""

from __future__ import annotations

import gc
import threading
import weakref

import numpy as np
import pytest
from networks import TRAINED_LAYERS, X, Y, around

import minitrain as mt
import minitrain.engine.program.passage
from minitrain import keras, layers
from minitrain.engine.program.passage import AT_ONCE, MOVES, PASSAGE, PATIENCE, Call

CALLS = PATIENCE + 4


def network(*behind):
    """6 -> 8 -> 3, and further layers."""
    return keras.Sequential([layers.Input((6,)), layers.Dense(8, activation="relu"), layers.Dense(3), *behind])


@pytest.fixture
def replays(monkeypatch):
    """How many calls were replayed."""
    made = []
    before = Call.__init__
    monkeypatch.setattr(Call, "__init__", lambda self, *args: (made.append(1), before(self, *args))[1])
    return made


def trained(model, calls=CALLS, x=X, loss=lambda y: mt.reduce_sum(y * y), optimizer="SGD"):
    """Every loss, output and gradient of a loop, and the weights after it."""
    optimizer = keras.optimizers.get({"class_name": optimizer, "config": {"learning_rate": 0.001}})
    found = []
    for _ in range(calls):
        with mt.GradientTape() as tape:
            out = model(x, training=True)
            value = loss(out)
        gradients = tape.gradient(value, model.trainable_variables)
        found += [out.numpy(), value.numpy(), *(each.numpy() for each in gradients if each is not None)]
        if any(each is not None for each in gradients):
            optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
    return [*found, *model.get_weights()]


def both(model_of, **options):
    """The same loop replayed and as Python code."""
    results = []
    for eagerly in (False, True):
        mt.utils.set_random_seed(3)
        model = model_of()
        model.run_eagerly = eagerly
        results.append(trained(model, **options))
    return results


def assert_same(one, other):
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("cls", TRAINED_LAYERS, ids=lambda cls: cls.__name__)
def test_every_layer_is_replayed_bit_for_bit(cls):
    model_of, x = around(cls)
    assert_same(*both(model_of, x=x))


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("cls", TRAINED_LAYERS, ids=lambda cls: cls.__name__)
def test_calls_without_a_tape_are_replayed_bit_for_bit(cls, training, monkeypatch):
    made, x = around(cls)
    results = []
    for eagerly in (False, True):
        mt.utils.set_random_seed(3)
        model = made()
        model.run_eagerly = eagerly
        found = []
        for step in range(CALLS):
            found.append(model(x + np.float32(step), training=training).numpy())
            if step % 2 and model.trainable_variables:
                kernel = model.trainable_variables[0]
                kernel.assign(kernel * 1.1)
        results.append([*found, *model.get_weights()])
    assert_same(*results)


def test_what_a_call_gave_stays(replays):
    model = network()
    found = [(out := model(X + np.float32(step)), out.numpy()) for step in range(CALLS)]
    for out, value in found:
        np.testing.assert_array_equal(out.numpy(), value)
    (passage,) = model._steps.live.passages.values()
    assert passage.trace.is_ready
    assert not replays  # nothing waits for a gradient


def test_losses_see_the_logits_of_calls_without_a_tape():
    labels, loss = np.arange(len(X)) % 3, keras.losses.SparseCategoricalCrossentropy()
    model = network(layers.Softmax())
    far = X.astype("float32") * 1e4  # where probabilities are 0 and 1 in float32
    losses = {float(loss(labels, model(far))) for _ in range(CALLS)}
    assert len(losses) == 1
    assert losses.pop() > 100.0


def test_large_buffers_are_not_kept(monkeypatch):
    monkeypatch.setattr(minitrain.engine.program.passage, "LARGEST", 100)
    model = network()
    for _ in range(CALLS):
        model(X)
    (passage,) = model._steps.live.passages.values()
    assert passage.is_off
    assert not passage.trace.programs


@pytest.mark.parametrize("optimizer", ["SGD", "Adam", "Lamb", "Muon"])
def test_a_loop_trains_as_without_a_program(optimizer, replays):
    one, other = both(lambda: network(layers.Dropout(0.3)), optimizer=optimizer)
    assert len(replays) == CALLS - PATIENCE - 2
    assert_same(one, other)


def test_losses_see_the_logits_behind_probabilities(replays):
    labels = np.arange(len(X)) % 3
    far = X.astype("float32") * 1e4  # where probabilities are 0 and 1 in float32
    for loss in (keras.losses.SparseCategoricalCrossentropy(), lambda y, p: keras.losses.mse(mt.one_hot(y, 3), p)):
        assert_same(
            *both(lambda: network(layers.Softmax()), x=far, loss=lambda p, loss=loss: mt.reduce_sum(loss(labels, p)))
        )
    assert replays


def test_functional_models_give_their_structure(replays):
    def model_of():
        x = keras.Input((6,))
        h = layers.Dense(5, activation="gelu")(x)
        return keras.Model(x, {"a": layers.Dense(2)(h), "b": layers.Dense(1)(mt.concat([h, x], -1))})

    results = []
    for eagerly in (False, True):
        mt.utils.set_random_seed(3)
        model = model_of()
        model.run_eagerly = eagerly
        for _ in range(CALLS):
            with mt.GradientTape() as tape:
                out = model(X)
                value = mt.reduce_sum(out["a"] ** 2) + mt.reduce_mean(out["b"])
            results.append([g.numpy() for g in tape.gradient(value, model.trainable_variables)])
    assert replays
    for one, other in zip(results[:CALLS], results[CALLS:], strict=True):
        assert_same(one, other)


def warm(model, x=X, calls=CALLS):
    for _ in range(calls):
        with mt.GradientTape() as tape:
            value = mt.reduce_sum(model(x) ** 2)
        tape.gradient(value, model.trainable_variables)
    return model


def test_what_was_read_before_a_write_keeps_its_value(replays):
    model = warm(network())
    keras.optimizers.SGD().build(model.trainable_variables)  # packs them
    warm(model)
    expected = None
    for writes in (False, True):
        with mt.GradientTape() as tape:
            value = mt.reduce_sum(model(X) ** 2)
            if writes:
                for each in model.trainable_variables:
                    each.assign(each * 0.0 + 7.0)
        found = [g.numpy() for g in tape.gradient(value, model.trainable_variables)]
        expected = expected or found
        assert_same(found, expected)


def test_data_may_be_overwritten_before_the_gradient(replays):
    model, x = warm(network()), X.astype("float32")
    before = len(replays)
    found = []
    for overwrites in (False, True):
        with mt.GradientTape() as tape:
            value = mt.reduce_sum(model(x) ** 2)
        if overwrites:
            x[...] = 0
        found.append([g.numpy() for g in tape.gradient(value, model.trainable_variables)])
    assert len(replays) == before + 2
    assert_same(*found)


def test_several_calls_in_one_tape_have_buffers_of_their_own(replays):
    model = warm(network())
    parts = [X + step for step in range(AT_ONCE + 2)]
    before = len(replays)
    with mt.GradientTape() as tape:
        together = mt.add_n([mt.reduce_sum(model(x) ** 2) for x in parts])
    found = tape.gradient(together, model.trainable_variables)
    assert len(replays) == before + AT_ONCE  # the others ran as Python code
    model.run_eagerly = True
    with mt.GradientTape() as tape:
        together = mt.add_n([mt.reduce_sum(model(x) ** 2) for x in parts])
    for one, other in zip(found, tape.gradient(together, model.trainable_variables), strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-5)


def test_gradients_of_inputs_flow_through(replays):
    first = network()
    second = keras.Sequential([layers.Input((3,)), layers.Dense(4, activation="tanh"), layers.Dense(1)])
    del replays[:]
    results = []
    for eagerly in (False, True):
        first.run_eagerly = second.run_eagerly = eagerly
        for _ in range(CALLS):
            with mt.GradientTape() as tape:
                x = mt.constant(X)
                tape.watch(x)
                value = mt.reduce_sum(second(first(x)))
            sources = [x, *first.trainable_variables, *second.trainable_variables]
            last = [g.numpy() for g in tape.gradient(value, sources)]
        results.append(last)
    assert len(replays) == 2 * (CALLS - PATIENCE - 2)
    assert_same(*results)


def test_any_sources_may_be_asked_for(replays):
    model, other = warm(network()), mt.Variable(2.0)
    with mt.GradientTape() as tape:
        value = mt.reduce_sum(model(X)) * other
    kernel, *_, bias = model.trainable_variables
    found = tape.gradient(value, {"b": bias, "o": other, "k": kernel})
    assert replays
    np.testing.assert_allclose(found["b"].numpy(), 2.0 * len(X) * np.ones(3), rtol=1e-6)
    np.testing.assert_allclose(found["o"].numpy(), mt.reduce_sum(model(X)).numpy(), rtol=1e-5)
    assert found["k"].shape == kernel.shape


def test_a_target_that_does_not_depend_on_the_call_has_no_gradient(replays):
    model = warm(network())
    with mt.GradientTape() as tape:
        model(X)
        value = mt.constant(1.0) * 2.0
    assert replays
    assert tape.gradient(value, model.trainable_variables) == [None] * 4


def test_watched_variables_are_those_of_the_model_before_and_after(replays):
    model = warm(network())
    with mt.GradientTape() as tape:
        value = mt.reduce_sum(model(X))
        inside = tape.watched_variables()
    tape.gradient(value, model.trainable_variables)
    with mt.GradientTape() as other:
        value = mt.reduce_sum(model(X))
    other.gradient(value, model.trainable_variables)
    assert replays
    for found in (inside, tape.watched_variables(), other.watched_variables()):
        assert [id(each) for each in found] == [id(each) for each in model.trainable_variables]


def test_jacobians_see_through_a_replayed_call(replays):
    model = warm(network())
    results = []
    for eagerly in (False, True):
        model.run_eagerly = eagerly
        with mt.GradientTape() as tape:
            out = model(X)[:2]
        results.append([each.numpy() for each in tape.jacobian(out, model.trainable_variables)])
    assert replays
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_a_gradient_that_is_recorded_is_made_of_operations(replays):
    """The product of the Jacobian and a direction, by the derivative of a gradient in its cotangents."""
    model = warm(network(layers.Dropout(0.5, seed=1)))
    kernel = model.trainable_variables[0]
    results = []
    for eagerly in (False, True):
        model.run_eagerly = eagerly
        with mt.GradientTape() as inner:
            out = model(X)
        with mt.GradientTape() as outer:
            cotangent = mt.zeros_like(out)
            outer.watch(cotangent)
            gradient = inner.gradient(out, kernel, output_gradients=cotangent)
        results.append(outer.gradient(gradient, cotangent, output_gradients=mt.ones_like(kernel)).numpy())
    assert replays
    np.testing.assert_allclose(*results, rtol=1e-5)


def test_random_numbers_of_a_replayed_call_are_those_of_its_gradient(replays):
    model = keras.Sequential([layers.Dense(4), layers.Dropout(0.5, seed=1)])
    for _ in range(CALLS):
        with mt.GradientTape() as inner:
            out = model(X, training=True)
        with mt.GradientTape() as outer:
            cotangent = mt.ones_like(out)
            outer.watch(cotangent)
            gradient = inner.gradient(out, model.trainable_variables[1], output_gradients=cotangent)
        kept = outer.gradient(gradient, cotangent)
        np.testing.assert_array_equal(gradient.numpy(), mt.reduce_sum(kept, 0).numpy())
        np.testing.assert_array_equal(kept.numpy() != 0, out.numpy() != 0)
    assert replays


@pytest.mark.parametrize("options", [{"persistent": True}, {"watch_accessed_variables": False}, {"trace": True}])
def test_tapes_that_are_asked_for_more_record_operations(options, replays):
    model = warm(network())
    del replays[:]
    with mt.GradientTape(**options) as tape:
        mt.reduce_sum(model(X) ** 2)
    names = {record[0].name for record in tape._records()}
    assert not replays
    assert PASSAGE.name not in names


def test_a_variable_watched_by_name_is_differentiated_though_frozen(replays):
    model = warm(network())
    model.layers[0].trainable = False
    warm(model)
    kernel = model.layers[0].kernel
    with mt.GradientTape() as tape:
        tape.watch(kernel)
        value = mt.reduce_sum(model(X) ** 2)
    assert tape.gradient(value, kernel) is not None


def test_python_code_of_ones_own_runs_in_every_call(replays):
    seen = []

    class Mine(layers.Layer):
        def call(self, x):
            seen.append(1)
            return 2.0 * x

    def mine(x):
        seen.append(1)
        return x

    for behind in (Mine(), layers.Lambda(mine), layers.Activation(mine), layers.Dense(2, activation=mine)):
        model = network(behind)
        del seen[:]
        warm(model)
        assert len(seen) == CALLS
    assert not replays


def test_penalties_on_activity_are_among_the_losses_of_every_call():
    model = network(layers.ActivityRegularization(l2=0.1))
    for _ in range(CALLS):
        with mt.GradientTape():
            out = model(X)
            (loss,) = model.losses
        np.testing.assert_allclose(loss.numpy(), 0.1 * (out.numpy() ** 2).sum() / len(X), rtol=1e-5)


def test_a_changed_model_is_recorded_anew(replays):
    model = warm(network())
    model.layers[-1].activation = keras.activations.tanh
    model.layers[-1]._fused = "tanh"
    for _ in range(CALLS):
        with mt.GradientTape():
            out = model(10.0 * X)
        assert abs(out.numpy()).max() <= 1.0
    model.add(layers.Dense(1))
    for _ in range(CALLS):
        with mt.GradientTape():
            assert model(X).shape == (len(X), 1)


def test_frozen_layers_have_no_gradient(replays):
    model = warm(network())
    model.layers[0].trainable = False
    for _ in range(CALLS):
        with mt.GradientTape() as tape:
            value = mt.reduce_sum(model(X) ** 2)
        first, last = tape.gradient(value, [model.layers[0].kernel, model.layers[1].kernel])
        assert first is None
        assert last is not None


def test_explain_reads_a_replayed_call(replays):
    model = warm(network())
    with mt.GradientTape() as tape:
        value = mt.reduce_sum(model(X))
    assert replays
    assert "reaches the target through 2 operations: program -> " in tape.explain(value, model.trainable_variables[0])


def test_variables_that_move_all_the_time_end_the_program(replays):
    model, optimizer, kept = network(), keras.optimizers.SGD(0.01), []
    for _ in range(CALLS + 3 * MOVES):
        with mt.GradientTape() as tape:
            value = mt.reduce_sum(model(X) ** 2)
        gradients = tape.gradient(value, model.trainable_variables)
        kept.append([each.read_value() for each in model.trainable_variables])
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
    count = len(replays)
    with mt.GradientTape():
        model(X)
    assert 0 < len(replays) == count


def test_gradients_that_are_kept_stay(replays):
    model, optimizer = network(), keras.optimizers.SGD(0.01)
    kept = []
    for _ in range(CALLS):
        with mt.GradientTape() as tape:
            value = mt.reduce_sum(model(X) ** 2)
        gradients = tape.gradient(value, model.trainable_variables)
        kept.append((gradients, [each.numpy() for each in gradients]))
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
    for gradients, values in kept:
        assert_same([each.numpy() for each in gradients], values)


def test_gradients_of_all_variables_are_parts_of_one_array(replays):
    model = warm(network(layers.BatchNormalization(), layers.LayerNormalization(), layers.Dense(1)))
    with mt.GradientTape() as tape:
        value = mt.reduce_sum(model(X) ** 2)
    gradients = tape.gradient(value, model.trainable_variables)
    assert replays
    flat, arrays, shapes = gradients[0]._joint
    assert shapes == [tuple(each.shape) for each in model.trainable_variables]
    np.testing.assert_array_equal(flat, np.concatenate([each.numpy() for each in gradients], axis=None))
    assert all(array is each._array for array, each in zip(arrays, gradients, strict=True))


def test_changed_gradients_are_the_ones_applied(replays):
    model, optimizer = warm(network()), keras.optimizers.SGD(1.0)
    optimizer.build(model.trainable_variables)
    before = model.get_weights()
    with mt.GradientTape() as tape:
        value = mt.reduce_sum(model(X) ** 2)
    first, *others = tape.gradient(value, model.trainable_variables)
    given = [first, *(0.0 * each for each in others)]
    optimizer.apply_gradients(zip(given, model.trainable_variables, strict=True))
    np.testing.assert_array_equal(model.get_weights()[0], before[0] - first.numpy())
    assert_same(model.get_weights()[1:], before[1:])


def test_tapes_that_are_dropped_give_their_programs_back(replays):
    model = warm(network())
    for _ in range(3 * AT_ONCE):
        with mt.GradientTape():
            model(X)
    assert len(replays) == CALLS - PATIENCE - 2 + 3 * AT_ONCE


def test_a_tape_in_a_cycle_harms_nothing(replays):
    model = warm(network())
    for _ in range(3):
        with mt.GradientTape() as tape:
            model(X)
        tape.itself = tape
        del tape
        gc.collect()
        warm(model, calls=2)


def test_programs_go_with_their_model():
    model = warm(network())
    program = weakref.ref(next(iter(model._steps.live.passages.values())).trace.programs[0])
    kernel = weakref.ref(model.layers[0].kernel)
    del model
    assert program() is None
    gc.collect()  # a functional graph is a cycle
    assert kernel() is None


def test_threads_call_one_model(replays):
    model = warm(network())
    expected, found = [], {}

    def work(name, into):
        for step in range(30):
            with mt.GradientTape() as tape:
                value = mt.reduce_sum(model(X + name + step) ** 2)
            into.append([g.numpy() for g in tape.gradient(value, model.trainable_variables)])

    for name in (0, 1):
        expected.append([])
        work(name, expected[-1])
    threads = [threading.Thread(target=work, args=(name, found.setdefault(name, []))) for name in (0, 1)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    for name in (0, 1):
        for one, other in zip(found[name], expected[name], strict=True):
            assert_same(one, other)


def test_fit_goes_on_after_a_loop(replays):
    weights = []
    for eagerly in (False, True):
        mt.utils.set_random_seed(3)
        model = network()
        model.compile("sgd", "mse", run_eagerly=eagerly)
        trained(model)
        model.fit(X, Y, epochs=2, verbose=0)
        weights.append(model.get_weights())
    assert replays
    assert_same(*weights)


def test_a_function_inside_a_tape_is_replayed(replays):
    model, calls = network(layers.Dropout(0.5, seed=1)), []

    def penalised(x, scale, training=False, weights=(1.0,)):
        calls.append(1)
        return {"y": model(x, training=training) * scale, "z": mt.add_n([each * mt.reduce_sum(x) for each in weights])}

    results = []
    for call in (mt.function(penalised), penalised):
        mt.utils.set_random_seed(3)
        model.layers[-1].generator = mt.random.Generator.from_seed(1)
        model.run_eagerly = True
        del calls[:]
        found = []
        for step in range(CALLS):
            x = mt.constant(X + np.float32(step))
            with mt.GradientTape() as tape:
                tape.watch(x)
                out = call(x, 2.0, training=True, weights=[mt.constant(3.0), 1.0])
                value = mt.reduce_sum(out["y"] ** 2) + out["z"]
            found += [g.numpy() for g in tape.gradient(value, [x, *model.trainable_variables])]
        results.append((len(calls), found))
    (first, one), (second, other) = results
    assert (first, second) == (PATIENCE + 2, CALLS)
    assert len(replays) == CALLS - PATIENCE - 2
    assert_same(one, other)


def test_a_model_of_ones_own_is_replayed_where_its_call_is_a_function(replays):
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.first, self.last = layers.Dense(8, activation="relu"), layers.Dense(3)
            self.calls = []

        def call(self, x, training=False):
            self.calls.append(training)
            return self.last(self.first(x))

    class Replayed(Own):
        call = mt.function(Own.call)

    assert_same(*(trained(made) for made in map(seeded, (Own, Replayed))))
    assert len(replays) == CALLS - PATIENCE - 2


def seeded(make):
    mt.utils.set_random_seed(3)
    return make()


def test_a_function_that_branches_on_a_value_goes_on_as_python_inside_a_tape(replays):
    @mt.function
    def either(x):
        return x * 2.0 if float(mt.reduce_sum(x)) > 0 else x * 3.0

    x = mt.Variable(1.0)
    for step in range(CALLS):
        sign = 1.0 if step % 2 else -1.0
        with mt.GradientTape() as tape:
            y = either(x * sign)
        assert float(tape.gradient(y, x)) == (2.0 if step % 2 else -3.0)
    assert not replays


def test_a_stateless_call_sees_its_own_values_and_not_the_programs(replays):
    model = network()
    keras.optimizers.SGD().build(model.trainable_variables)  # packs them
    for _ in range(CALLS):
        model(X)
    doubled = [each * 2.0 for each in model.trainable_variables]
    out, _ = model.stateless_call(doubled, [], X)
    warm(model)
    with mt.GradientTape() as tape:
        tape.watch(doubled)
        value = mt.reduce_sum(model.stateless_call(doubled, [], X)[0] ** 2)
    assert all(each is not None for each in tape.gradient(value, doubled))
    model.set_weights(doubled)
    np.testing.assert_array_equal(out.numpy(), model(X).numpy())


def test_an_output_that_nobody_asks_for_has_no_gradient(replays):
    inputs = keras.Input((6,))
    hidden = layers.Dense(4, activation="relu")(inputs)
    head, other = (
        layers.Dense(2),
        layers.Dense(1, activation="exponential", bias_initializer=keras.initializers.Constant(200.0)),
    )
    model = keras.Model(inputs, [head(hidden), other(hidden)])
    for _ in range(CALLS):
        with mt.GradientTape() as tape:
            first, _ = model(X)
            value = mt.reduce_sum(first**2)
        *found, kernel, bias = tape.gradient(value, model.trainable_variables)
        assert kernel is bias is None
        assert all(np.isfinite(each.numpy()).all() for each in found)  # the other output is infinite
    assert len(replays) == 1  # once, then it goes on without


def test_masks_on_inputs_go_on():
    x = np.stack([X[:, :3], X[:, 3:]], 1)
    x[:, 1] = 0.0
    model = keras.Sequential([layers.Input((2, 3)), layers.Dense(3)])
    for training in (None, True):
        for _ in range(CALLS):
            assert model(layers.Masking()(x), training=training)._keras_mask.shape == (len(x), 2)


def test_probabilities_that_are_given_to_a_function_keep_their_logits(replays):
    loss = mt.function(keras.losses.sparse_categorical_crossentropy)
    logits, labels = mt.Variable(1e4 * X[:, :3]), np.arange(len(X)) % 3
    for _ in range(CALLS):
        with mt.GradientTape() as tape:
            value = mt.reduce_sum(loss(labels, keras.activations.softmax(logits)))
        assert float(value) > 1e3
        assert tape.gradient(value, logits) is not None


def test_code_of_ones_own_that_is_set_before_the_recording_runs_in_every_call():
    seen = []

    def counted(x):
        seen.append(1)
        return x

    model = network()
    model(X)
    model.layers[0].activation = counted
    for _ in range(CALLS):
        model(X)
    assert len(seen) == CALLS


def test_models_within_models_may_change():
    inner = keras.Sequential([layers.Input((6,)), layers.Dense(6), layers.Rescaling(0.0)])
    model = keras.Sequential([layers.Input((6,)), inner, layers.Dense(6)])
    for _ in range(CALLS):
        assert not model(X).numpy().any()
    inner.pop()
    assert model(X).numpy().any()
    inner.add(layers.Rescaling(0.0))
    assert not model(X).numpy().any()


def test_losses_that_are_added_outside_a_call_last_until_the_next():
    model = network()
    for _ in range(CALLS):
        model(X)
    model.layers[0].add_loss(mt.constant(1.0))
    assert len(model.losses) == 1
    model(X)
    assert model.losses == []


def test_variables_frozen_after_the_call_have_their_gradient(replays):
    model = warm(network())
    kernel, bias, *_ = model.trainable_variables
    with mt.GradientTape() as tape:
        value = mt.reduce_sum(model(X) ** 2)
    kernel.trainable = False
    assert replays
    assert all(each is not None for each in tape.gradient(value, [kernel, bias]))
    assert len(tape.watched_variables()) == 4


def test_joined_gradients_of_another_dtype_are_cast():
    one = warm(network())
    other = keras.Sequential([layers.Input((6,), dtype="float64"), *(layers.Dense(n, dtype="float64") for n in (8, 3))])
    with mt.GradientTape() as tape:
        value = mt.reduce_sum(one(X) ** 2)
    gradients = tape.gradient(value, one.trainable_variables)
    assert gradients[0]._joint
    before = other.get_weights()
    optimizer = keras.optimizers.SGD(0.1)
    optimizer.apply_gradients(zip(gradients, other.trainable_variables, strict=True))
    for weight, start, gradient in zip(other.get_weights(), before, gradients, strict=True):
        np.testing.assert_array_equal(weight, start - gradient.numpy().astype("float64") * np.float64(np.float32(0.1)))


@pytest.mark.parametrize("training", [np.array(True), [1], np.bool_(False), 0])
def test_training_may_be_anything_that_is_true_or_false(training):
    model = network(layers.Dropout(0.999, seed=0))
    for _ in range(CALLS):
        assert (np.mean(model(X, training=training).numpy() == 0) > 0.9) == bool(training)


def test_a_gradient_that_failed_may_be_asked_for_again(replays):
    model = warm(network())
    with mt.GradientTape() as tape:
        out = model(X)
    with np.errstate(all="raise"), pytest.raises(FloatingPointError):
        tape.gradient(out, model.trainable_variables, output_gradients=np.full((len(X), 3), 3e38, "float32"))
    assert all(np.isfinite(each.numpy()).all() for each in tape.gradient(out, model.trainable_variables))


def test_a_backward_pass_that_nobody_asked_for_warns_of_nothing():
    scales = [layers.Rescaling(scale) for scale in (1e-30, 1e20, 1e20)]
    model = keras.Sequential([layers.Input((6,)), scales[0], layers.Dense(3), *scales[1:]])
    with np.errstate(all="raise"):
        for _ in range(CALLS):
            with mt.GradientTape():
                model(X)


def test_outputs_that_are_one_tensor_stay_one():
    inputs = keras.Input((6,))
    hidden = layers.Dense(2)(inputs)
    model = keras.Model(inputs, {"a": hidden, "b": [hidden, layers.Dense(1)(hidden)]})
    for _ in range(CALLS):
        out = model(X)
        assert out["a"] is out["b"][0]


def test_long_gradients_are_arrays_of_their_own(replays):
    model = keras.Sequential([layers.Input((6,)), layers.Dense(40_000)])
    warm(model)
    with mt.GradientTape() as tape:
        value = mt.reduce_sum(model(X))
    gradients = tape.gradient(value, model.trainable_variables)
    assert replays
    assert not hasattr(gradients[0], "_joint")
    assert all(each._array.base is None for each in gradients)
