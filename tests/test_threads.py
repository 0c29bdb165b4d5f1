"""Fits in several threads of Python: the same numbers, and the linear algebra as it was afterwards."""

import threading

import numpy as np
import pytest
import small
from threadpoolctl import threadpool_info, threadpool_limits

from iclv_jax._base._threads import one_thread


def blas_threads():
    return {pool["filepath"]: pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


@pytest.fixture
def two_threads():
    """A process in which the linear algebra has two threads, set by a thread that is gone."""
    before = max(blas_threads().values())

    def set_to(number):
        worker = threading.Thread(target=lambda: threadpool_limits(limits=number, user_api="blas"))
        worker.start()
        worker.join()

    set_to(2)
    found = blas_threads()
    assert set(found.values()) == {2}
    yield found
    set_to(before)


def test_the_last_one_out_restores_the_number(two_threads):
    inside, leave = threading.Event(), threading.Event()
    seen = []

    @one_thread
    def long():
        inside.set()
        assert leave.wait(60)

    @one_thread
    def short():
        seen.append(blas_threads())

    worker = threading.Thread(target=long)
    worker.start()
    assert inside.wait(60)
    short()
    seen.append(blas_threads())
    leave.set()
    worker.join()
    assert all(set(numbers.values()) == {1} for numbers in seen)
    assert blas_threads() == two_threads


def test_the_next_one_from_another_thread_is_limited_again(two_threads):
    """A thread that has been first in and not last out must not keep the others from setting the number."""
    test_the_last_one_out_restores_the_number(two_threads)
    seen = []
    for _ in range(2):
        worker = threading.Thread(target=one_thread(lambda: seen.append(blas_threads())))
        worker.start()
        worker.join()
        one_thread(lambda: seen.append(blas_threads()))()
    assert all(set(numbers.values()) == {1} for numbers in seen)
    assert blas_threads() == two_threads


def test_one_inside_another_and_an_error_restore_it_too(two_threads):
    @one_thread
    def inner():
        raise KeyError

    @one_thread
    def outer():
        with pytest.raises(KeyError):
            inner()
        assert set(blas_threads().values()) == {1}

    outer()
    assert blas_threads() == two_threads


def test_two_fits_at_once_are_the_fits_one_after_the_other(two_threads):
    frames = [small.data(seed=seed) for seed in (1, 2)]

    def fit(frame):
        return small.hybrid().fit(frame, integration=small.RULE, progress=False)

    alone = [fit(frame) for frame in frames]
    together = [None, None]
    start = threading.Barrier(2)

    def work(place):
        start.wait()
        together[place] = fit(frames[place])
        together[place].bse  # noqa: B018

    workers = [threading.Thread(target=work, args=(place,)) for place in (0, 1)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for one, other in zip(alone, together, strict=True):
        assert one.llf == other.llf
        np.testing.assert_array_equal(one.params, other.params)
        np.testing.assert_array_equal(one.bse, other.bse)
    assert blas_threads() == two_threads
