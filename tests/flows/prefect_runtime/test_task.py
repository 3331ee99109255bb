"""Which failures of a step are tried again: those that end by themselves."""

import asyncio
import errno

import pyarrow as pa
import pytest
from prefect.states import exception_to_failed_state

from flows.prefect_runtime.task import may_succeed_later
from pipeline.errors import Unavailable, UserError
from pipeline.tables import storage
from pipeline.tables.build import ShardError, build


def unmounted(part: int, *, number: int) -> pa.Table:
    raise OSError(number, f"part {part}")


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (OSError(errno.EIO, "the disk"), True),
        (Unavailable("no server answers"), True),
        (UserError("no such file"), False),
        (ShardError("shard 1 failed: KeyError"), False),
    ],
)
def test_what_may_end_by_itself_is_tried_again(error: Exception, again: bool) -> None:
    assert may_succeed_later(None, None, asyncio.run(exception_to_failed_state(error))) is again


@pytest.mark.parametrize(("number", "again"), [(errno.ESTALE, True), (errno.ENOENT, False)])
def test_a_shard_whose_source_does_not_answer_is_tried_again(
    tmp_path, monkeypatch: pytest.MonkeyPatch, number: int, again: bool
) -> None:
    monkeypatch.setattr(storage, "RETRY_S", 0.0)
    with pytest.raises((Unavailable, ShardError), match="shard 0 of table numbers") as raised:
        build(
            str(tmp_path), "numbers", unmounted, [0], schema=pa.schema([("a", pa.int64())]), params={"number": number}
        )
    assert may_succeed_later(None, None, asyncio.run(exception_to_failed_state(raised.value))) is again
