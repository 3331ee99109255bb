"""Storage that is away for a while is tried again; errors that a user must mend are raised at once."""

import errno
import os
import time

import pytest

from pipeline.tables import storage


def test_transient_errors_are_tried_again_and_others_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    tries: list[int] = []

    def fails(number: int, times: int) -> str:
        tries.append(number)
        if len(tries) <= times:
            raise OSError(number, os.strerror(number))
        return "done"

    assert storage.with_retries("root", lambda: fails(errno.ESTALE, 2)) == "done"
    assert len(tries) == 3
    tries.clear()
    with pytest.raises(OSError, match="No space left"):
        storage.with_retries("root", lambda: fails(errno.ENOSPC, 1))
    assert len(tries) == 1
    monkeypatch.setattr(storage, "RETRY_S", 0.0)
    with pytest.raises(OSError, match="Stale"):
        storage.with_retries("root", lambda: fails(errno.ESTALE, 99))
