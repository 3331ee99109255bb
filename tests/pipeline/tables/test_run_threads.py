"""Threads of this process make shards side by side."""

import threading
from pathlib import Path

import pyarrow as pa

from pipeline.tables.build import build
from pipeline.tables.run_threads import shard_threads


def test_as_many_shards_are_made_at_a_time_as_is_asked_for(tmp_path: Path) -> None:
    others = threading.Barrier(5, timeout=60)

    def wait_for_others(part: int) -> pa.Table:
        others.wait()
        return pa.table({"part": [part]})

    with shard_threads(5):
        table = build(str(tmp_path), "t", wait_for_others, [*range(5)], schema=pa.schema([("part", pa.int64())]))
    assert len(table) == 5
