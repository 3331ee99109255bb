"""Ctrl-C in a terminal reaches every process that was started there: here those that leave it to the one that leads.

Dask's workers load this file as they start; the leading process, stopped, ends them as it ends.
"""

import signal
import threading
from typing import Any


def dask_setup(_worker: Any) -> None:
    """What Dask calls in each worker process."""
    ignore()


def ignore() -> None:
    """Be deaf to Ctrl-C from now on; only a main thread can."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
