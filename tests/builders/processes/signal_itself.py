"""A process that sends itself a signal at a chosen point of its work, on slow and fast machines alike.

Both functions are called in the process that is to receive the signal, before its work begins.
"""

import logging
import os
from typing import Any

from pipeline.tables import storage


def signal_at_line(text: str, signal_number: int) -> None:
    """Send this process a signal, once, when a log line of refinery contains `text`."""
    log = logging.getLogger("refinery")

    def send(record: logging.LogRecord) -> bool:
        if text in record.getMessage():
            log.removeFilter(send)
            os.kill(os.getpid(), signal_number)
        return True

    log.addFilter(send)
    log.setLevel(logging.INFO)


def signal_at_shard(table: str, count: int, signal_number: int) -> None:
    """Send this process a signal when it has written `count` shards of a table."""
    put, written = storage.put, [0]

    def put_and_count(root: str, name: str, data: Any, **options: Any) -> None:
        put(root, name, data, **options)
        if name.startswith(f"{table}/") and name.endswith(".parquet"):
            written[0] += 1
            if written[0] == count:
                os.kill(os.getpid(), signal_number)

    storage.put = put_and_count
