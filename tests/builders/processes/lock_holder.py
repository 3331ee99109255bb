"""Another process that holds the lock of a root."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HOLD_LOCK = """
import sys, time
from pipeline.root_lock import root_lock
with root_lock(sys.argv[1]):
    print("locked", flush=True)
    time.sleep(float(sys.argv[2]))
"""


@contextmanager
def lock_holder(root: Path, seconds: float) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lock of a root for `seconds`, or until the block ends."""
    command = [sys.executable, "-c", HOLD_LOCK, str(root), str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        assert started.stdout.readline() == "locked\n"
        try:
            yield started
        finally:
            started.kill()
