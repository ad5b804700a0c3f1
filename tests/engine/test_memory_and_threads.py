"""Memory comes back without the garbage collector, deep graphs work, and tapes belong to their thread."""

import gc
import threading
import time
import tracemalloc
import weakref

import numpy as np
import pytest

import minitrain as mt


@pytest.fixture
def no_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def train(steps):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(32, 8)).astype("float32"), rng.normal(size=(32, 1)).astype("float32")
    w, b = mt.Variable(rng.normal(size=(8, 1)).astype("float32")), mt.Variable(np.zeros(1, "float32"))
    for _ in range(steps):
        with mt.GradientTape() as tape:
            loss = mt.reduce_mean((mt.matmul(x, w) + b - y) ** 2)
        for v, g in zip([w, b], tape.gradient(loss, [w, b]), strict=True):
            v.assign_sub(0.01 * g)


def test_a_thousand_training_steps_need_no_garbage_collector(no_collector):
    train(50)
    tracemalloc.start()
    train(50)
    before = tracemalloc.get_traced_memory()[0]
    train(1000)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 20_000


def test_tapes_and_tensors_die_with_their_last_reference(no_collector):
    x = mt.Variable(3.0)
    with mt.GradientTape(persistent=True) as outer:
        with mt.GradientTape() as inner:
            y = mt.sin(x) * x
        g = inner.gradient(y, x)
    h = outer.gradient(g, x)
    dying = [weakref.ref(each) for each in (y, g, h, inner, outer)]
    del y, g, h, inner, outer
    assert [each() for each in dying] == [None] * 5


def test_a_used_tape_gives_its_records_back_while_it_is_in_scope(no_collector):
    x = mt.Variable(np.ones(1000))
    with mt.GradientTape() as tape:
        y = mt.exp(x)
        z = mt.reduce_sum(y)
    dying = weakref.ref(y)
    del y
    assert dying() is not None
    tape.gradient(z, x)
    assert dying() is None


def test_a_chain_of_200_000_operations_is_linear():
    def chain(n):
        x = mt.constant(1.0)
        start = time.perf_counter()
        with mt.GradientTape() as tape:
            tape.watch(x)
            y = x
            for _ in range(n):
                y = y * 1.0
        gradient = tape.gradient(y, x)
        del y
        return float(gradient), time.perf_counter() - start

    chain(1000)
    _, short = chain(20_000)
    value, long = chain(200_000)
    assert value == 1.0
    assert long < 10 * short * 4  # ten times as long, with room for a noisy machine; quadratic would be a hundred


def test_threads_tape_the_same_variable_and_tensor_at_once():
    v, shared = mt.Variable(3.0), mt.constant(2.0)
    wrong = []
    barrier = threading.Barrier(4)

    def work(k):
        barrier.wait()
        for _ in range(200):
            with mt.GradientTape(persistent=True) as tape:
                tape.watch(shared)
                y = v * shared * float(k)
                y = y * shared
            got = tape.gradient(y, [v, shared])
            if [float(g) for g in got] != [4.0 * k, 12.0 * k]:
                wrong.append((k, got))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_tape_does_not_record_another_thread():
    x = mt.Variable(3.0)
    made = []
    with mt.GradientTape() as tape:
        thread = threading.Thread(target=lambda: made.append(x * x))
        thread.start()
        thread.join()
    assert tape.gradient(made[0], x) is None
