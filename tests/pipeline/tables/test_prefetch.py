"""prefetch(): results come in order, only a few items are computed ahead, and nothing runs after the end."""

import threading
import time

import pytest

from pipeline.tables.prefetch import PER_THREAD, prefetch
from tests.builders.processes.waiting import wait_until


def test_results_come_in_the_order_of_the_items():
    assert list(prefetch(lambda n: (time.sleep(0.002 * (n % 3)), n)[1], range(30))) == list(range(30))
    assert list(prefetch(str, [])) == []


def test_work_runs_on_another_thread_and_the_iterable_is_read_on_this_one():
    readers = []
    items = (readers.append(threading.get_ident()) or n for n in range(10))
    assert threading.get_ident() not in set(prefetch(lambda _: threading.get_ident(), items))
    assert set(readers) == {threading.get_ident()}


def test_only_a_few_items_are_started_ahead():
    started = []
    results = prefetch(started.append, iter(range(100)))
    next(results)
    wait_until(lambda: len(started) > PER_THREAD, "too few items are started")
    time.sleep(0.05)
    assert started == list(range(PER_THREAD + 1))
    results.close()
    assert len(started) <= PER_THREAD + 1


def test_an_error_is_raised_when_its_result_is_due_and_ends_the_work():
    started = []

    def work(n: int) -> int:
        started.append(n)
        if n == 2:
            raise ValueError("two")
        return n

    results = prefetch(work, range(100))
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match="two"):
        next(results)
    assert max(started) < 20


def test_items_in_chunks_come_in_order_and_a_few_chunks_ahead():
    started = []
    results = prefetch(lambda n: (started.append(n), n)[1], iter(range(10)), threads=2, per_thread=1, chunk=4)
    assert next(results) == 0
    wait_until(lambda: len(started) == 10, "the next two chunks are not started")
    assert list(results) == list(range(1, 10))
    threads = list(prefetch(lambda _: threading.get_ident(), range(8), chunk=4))
    assert threads[:4] == threads[:1] * 4
    with pytest.raises(ZeroDivisionError):
        next(prefetch(lambda n: 1 / (n - 3), range(10), chunk=4))


def test_an_error_of_the_iterable_is_raised():
    def items():
        yield 1
        raise KeyError("gone")

    with pytest.raises(KeyError, match="gone"):
        list(prefetch(str, items()))
