"""BLAS has one thread while a small model trains, what it had for wide ones and afterwards, or what was set."""

import threading

import numpy as np
import pytest

import minitrain as mt
from minitrain import layers
from minitrain.training.threads import threads_for

threadpoolctl = pytest.importorskip("threadpoolctl")


def count():
    return max(each["num_threads"] for each in threadpoolctl.threadpool_info() if each["user_api"] == "blas")


@pytest.fixture(autouse=True)
def _two_threads():
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        if count() < 2:
            pytest.skip("BLAS has one thread here")
        yield
    mt.config.set_blas_threads("auto")


@pytest.mark.parametrize(
    ("units", "asked", "expected"), [(4, "auto", 1), (4096, "auto", 2), (4, None, 2), (4096, 1, 1)]
)
def test_a_fit_has_the_threads_that_suit_it(units, asked, expected):
    mt.config.set_blas_threads(asked)
    assert mt.config.blas_threads() == asked
    seen = []
    model = mt.Sequential([layers.Input((16,)), layers.Dense(units), layers.Dense(1)])
    model.compile("sgd", "mse")
    told = mt.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(count()))
    model.fit(np.zeros((32, 16), "float32"), np.zeros((32, 1), "float32"), verbose=0, callbacks=[told])
    assert seen == [expected]
    assert count() == 2


def test_a_fit_in_another_thread_leaves_blas_as_it_is():
    seen = []

    def other():
        with threads_for(1):
            seen.append(count())

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert seen == [2]


@pytest.mark.parametrize("threads", [0, -1, True, "many", 1.5])
def test_what_is_no_number_of_threads(threads):
    with pytest.raises(ValueError, match="`threads`"):
        mt.config.set_blas_threads(threads)
