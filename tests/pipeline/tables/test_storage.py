"""Errors of a storage that does not answer lead to retries; errors that a user must correct are raised at once."""

import errno
import os
import time

import pytest

from pipeline.tables import storage


def test_only_transient_errors_lead_to_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    attempts: list[int] = []

    def fails(number: int, times: int) -> str:
        attempts.append(number)
        if len(attempts) <= times:
            raise OSError(number, os.strerror(number))
        return "done"

    assert storage.with_retries("root", lambda: fails(errno.ESTALE, 2)) == "done"
    assert len(attempts) == 3
    attempts.clear()
    with pytest.raises(OSError, match="No space left"):
        storage.with_retries("root", lambda: fails(errno.ENOSPC, 1))
    assert len(attempts) == 1
    monkeypatch.setattr(storage, "RETRY_S", 0.0)
    with pytest.raises(OSError, match="Stale"):
        storage.with_retries("root", lambda: fails(errno.ESTALE, 99))
