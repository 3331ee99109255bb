"""Work done ahead: in order, a little ahead and no more, and over when it is over."""

import threading
import time

import pytest

from pipeline.tables.prefetch import PER_THREAD, prefetch
from tests.builders.processes.waiting import wait_until


def test_what_is_done_comes_in_the_order_of_the_items():
    assert list(prefetch(lambda n: (time.sleep(0.002 * (n % 3)), n)[1], range(30))) == list(range(30))
    assert list(prefetch(str, [])) == []


def test_it_is_done_on_another_thread_and_the_items_are_taken_on_this_one():
    taken = []
    items = (taken.append(threading.get_ident()) or n for n in range(10))
    assert threading.get_ident() not in set(prefetch(lambda _: threading.get_ident(), items))
    assert set(taken) == {threading.get_ident()}


def test_no_more_is_begun_than_a_little():
    begun = []
    done = prefetch(begun.append, iter(range(100)))
    next(done)
    wait_until(lambda: len(begun) > PER_THREAD, "too little is begun")
    time.sleep(0.05)
    assert begun == list(range(PER_THREAD + 1))
    done.close()
    assert len(begun) <= PER_THREAD + 1


def test_what_fails_is_raised_in_its_turn_and_nothing_more_is_begun():
    begun = []

    def work(n: int) -> int:
        begun.append(n)
        if n == 2:
            raise ValueError("two")
        return n

    done = prefetch(work, range(100))
    assert [next(done), next(done)] == [0, 1]
    with pytest.raises(ValueError, match="two"):
        next(done)
    assert max(begun) < 20


def test_what_the_items_raise_is_raised():
    def items():
        yield 1
        raise KeyError("gone")

    with pytest.raises(KeyError, match="gone"):
        list(prefetch(str, items()))
