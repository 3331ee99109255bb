"""Two real processes on one root: the second waits or says who is there; who is killed holds nothing."""

import logging
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.root_lock import FILE, RootBusyError, root_lock
from tests.builders.processes.lock_holder import lock_holder


def test_the_second_ends_with_a_line_that_names_the_first(tmp_path: Path) -> None:
    root = tmp_path / "new/root"
    with lock_holder(root, 60) as other:
        with pytest.raises(RootBusyError, match=f"process {other.pid} on ") as told, root_lock(str(root), wait_s=0.3):
            pytest.fail("two are inside")
        assert str(root) in str(told.value)


def test_the_second_waits_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with lock_holder(tmp_path, 2) as other, caplog.at_level(logging.INFO, logger="refinery"):
        with root_lock(str(tmp_path), wait_s=30):
            assert other.wait(5) == 0, "it was there until now"
        assert f"is being refined by process {other.pid} on" in caplog.text
        assert caplog.text.count("waiting up to 30 s") == 1


def test_who_is_killed_holds_nothing(tmp_path: Path) -> None:
    with lock_holder(tmp_path, 60) as other:
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
        assert str(other.pid) in (tmp_path / FILE).read_text(), "nobody tidied up"
        with root_lock(str(tmp_path), wait_s=0):
            assert f"process {os.getpid()} on" in (tmp_path / FILE).read_text()
    assert (tmp_path / FILE).read_text() == ""


def test_entering_again_from_within_is_free_and_from_another_thread_it_is_not(tmp_path: Path) -> None:
    met: list[Exception] = []

    def enter() -> None:
        try:
            with root_lock(str(tmp_path), wait_s=0):
                pass
        except UserError as error:
            met.append(error)

    with root_lock(str(tmp_path)):
        enter()
        assert not met
        other = threading.Thread(target=enter)
        other.start()
        other.join()
        assert len(met) == 1
        with root_lock(str(tmp_path / "another"), wait_s=0):
            pass


def test_it_is_free_again_after_a_fault(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), root_lock(str(tmp_path)):
        raise ZeroDivisionError
    with root_lock(str(tmp_path), wait_s=0):
        assert (tmp_path / FILE).read_text()


def test_two_spellings_of_a_root_are_one(tmp_path: Path) -> None:
    with lock_holder(tmp_path, 60), pytest.raises(UserError), root_lock(f"file://{tmp_path}", wait_s=0):
        pytest.fail("two are inside")


def test_an_object_store_has_no_lock() -> None:
    started = time.monotonic()
    with root_lock("memory://bucket/root"), root_lock("memory://bucket/root"):
        assert time.monotonic() - started < 5


def test_a_root_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="give a root that can be written to"), root_lock(str(tmp_path / "file/root")):
        pytest.fail("there is no such root")
