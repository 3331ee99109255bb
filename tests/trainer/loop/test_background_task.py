"""Work beside the loop: the loop does not wait, one work follows the other, errors are raised in the loop."""

import threading

import pytest

from pipeline.errors import UserError
from trainer.loop.background_task import BackgroundTask


def test_the_loop_goes_on_while_the_work_is_done_and_the_block_waits_for_its_end() -> None:
    may_end, done = threading.Event(), []

    def work() -> None:
        assert may_end.wait(60)
        done.append("first")

    with BackgroundTask() as task:
        task.start(work)
        task.check()
        assert not done
        threading.Timer(0.05, may_end.set).start()
        task.start(lambda: done.append("second"))
        assert done[0] == "first"
    assert done == ["first", "second"]


def failing() -> None:
    raise UserError("no room")


def test_an_error_is_raised_by_the_next_call_or_at_the_end() -> None:
    with pytest.raises(UserError, match="no room"), BackgroundTask() as task:
        task.start(failing)
    with BackgroundTask() as task:
        task.start(failing)
        with pytest.raises(UserError, match="no room"):
            task.start(lambda: None)


def test_after_ctrl_c_the_block_does_not_wait() -> None:
    may_end = threading.Event()

    def wait() -> None:
        may_end.wait()

    def stopped() -> None:
        with BackgroundTask() as task:
            task.start(wait)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    may_end.set()
