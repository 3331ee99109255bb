"""Errors of a storage that does not answer lead to retries; errors that a user must correct are raised at once."""

import errno
import os
import time

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from pipeline.errors import Unavailable, UserError
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


class StaleFileSystem(MemoryFileSystem):
    """A storage that does not answer, or that refuses, as `number` says."""

    protocol = "stale"
    number = errno.ESTALE

    def info(self, path: str, **kwargs: object) -> None:
        raise OSError(self.number, os.strerror(self.number))

    mkdir = makedirs = info


@pytest.mark.parametrize(("number", "kind"), [(errno.ESTALE, Unavailable), (errno.EACCES, UserError)])
def test_a_storage_that_does_not_answer_after_all_retries_is_told_apart(
    monkeypatch: pytest.MonkeyPatch, number: int, kind: type[UserError]
) -> None:
    fsspec.register_implementation("stale", StaleFileSystem, clobber=True)
    monkeypatch.setattr(StaleFileSystem, "number", number)
    monkeypatch.setattr(storage, "RETRY_S", 0.0)
    for access in (lambda: storage.get("stale://root", "a"), lambda: storage.put("stale://root", "a", b"")):
        with pytest.raises(UserError) as raised:
            access()
        assert type(raised.value) is kind
