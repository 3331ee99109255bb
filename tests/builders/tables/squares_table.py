"""A table that is quick to build and that logs which of its shards were built."""

import time
from pathlib import Path

import pyarrow as pa

from pipeline.errors import UserError

SCHEMA = pa.schema([("name", pa.string()), ("x", pa.list_(pa.float16(), 2)), ("jpeg", pa.binary())])


def squares(part: int, *, times: int, log: str = "", pause: float = 0.0) -> pa.Table:
    """Shard `part`: a few rows; log: a file to which the part is added. Parts 13 and 14 raise errors."""
    if part == 13:  # fails after three other shards were logged, so that finished shards exist
        ends = time.monotonic() + 120
        while log and time.monotonic() < ends and (not Path(log).exists() or len(Path(log).read_text().split()) < 3):
            time.sleep(0.01)
        raise ZeroDivisionError("thirteen")
    if part == 14:
        raise UserError("the folder 14 is not there: give another")
    time.sleep(pause)
    if log:
        with open(log, "a") as stream:
            stream.write(f"{part}\n")
    rows = [{"name": f"{part}-{i}", "x": [part * i, None], "jpeg": bytes([part])} for i in range(times)]
    return pa.Table.from_pylist(rows, schema=SCHEMA)
