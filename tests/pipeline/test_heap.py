"""A process gives back what a table left when it begins with another, and not before."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import heap

HOLDS = """
import psutil
from pipeline import heap

def held():
    return psutil.Process().memory_info().rss / 1e6

heap.turn_to("one")
arrays = [bytearray(100_000) for _ in range(2000)]  # each touched: 200 MB of the heap
last = bytearray(100_000)
full = held()
del arrays
heap.turn_to("one")
kept = held()
heap.turn_to("another")
print(full - kept, kept - held())
"""


@pytest.mark.skipif(heap._malloc_trim() is None, reason="another C library than glibc")
def test_memory_is_kept_within_a_table_and_given_back_before_the_next() -> None:
    environment = {**os.environ, **{k: str(v) for k, v in heap.ENVIRONMENT.items()}}
    done = subprocess.run([sys.executable, "-c", HOLDS], env=environment, capture_output=True, text=True, check=True,
                          cwd=Path(__file__).parents[2])  # fmt: skip
    at_once, later = map(float, done.stdout.split())
    assert at_once < 20
    assert later > 150


def test_where_there_is_nothing_to_call_nothing_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heap, "_malloc_trim", lambda: None)
    heap.turn_to("one")
    heap.turn_to("another")
    assert heap._last == "another"
