"""Two processes on one root: the second waits, or fails and names the first; a killed process holds no lock."""

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


def test_the_second_fails_and_names_the_first(tmp_path: Path) -> None:
    root = tmp_path / "new/root"
    with lock_holder(root, 60) as other:
        with pytest.raises(RootBusyError, match=f"process {other.pid} on ") as raised, root_lock(str(root), wait_s=0.3):
            pytest.fail("two hold the lock")
        assert str(root) in str(raised.value)


def test_the_second_logs_that_it_waits(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with lock_holder(tmp_path, 2) as other, caplog.at_level(logging.INFO, logger="refinery"):
        with root_lock(str(tmp_path), wait_s=300):
            assert other.wait(60) == 0, "the first held the lock until now"
        assert f"is being refined by process {other.pid} on" in caplog.text
        assert caplog.text.count("waiting up to 300 s") == 1


def test_a_killed_process_holds_no_lock(tmp_path: Path) -> None:
    with lock_holder(tmp_path, 60) as other:
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
        assert str(other.pid) in (tmp_path / FILE).read_text(), "the killed process could not clear its line"
        with root_lock(str(tmp_path), wait_s=0):
            assert f"process {os.getpid()} on" in (tmp_path / FILE).read_text()
    assert (tmp_path / FILE).read_text() == ""


def test_the_same_thread_enters_again_and_another_thread_does_not(tmp_path: Path) -> None:
    refused: list[Exception] = []

    def enter() -> None:
        try:
            with root_lock(str(tmp_path), wait_s=0):
                pass
        except UserError as error:
            refused.append(error)

    with root_lock(str(tmp_path)):
        enter()
        assert not refused
        other = threading.Thread(target=enter)
        other.start()
        other.join()
        assert len(refused) == 1
        with root_lock(str(tmp_path / "another"), wait_s=0):
            pass


def test_the_lock_is_free_again_after_an_exception(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), root_lock(str(tmp_path)):
        raise ZeroDivisionError
    with root_lock(str(tmp_path), wait_s=0):
        assert (tmp_path / FILE).read_text()


def test_two_spellings_of_a_root_are_one_lock(tmp_path: Path) -> None:
    with lock_holder(tmp_path, 60), pytest.raises(UserError), root_lock(f"file://{tmp_path}", wait_s=0):
        pytest.fail("two hold the lock")


def test_an_object_store_has_no_lock() -> None:
    started = time.monotonic()
    with root_lock("memory://bucket/root"), root_lock("memory://bucket/root"):
        assert time.monotonic() - started < 60


def test_a_root_that_cannot_be_created_raises_a_user_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="give a root that can be written to"), root_lock(str(tmp_path / "file/root")):
        pytest.fail("there is no such root")
