"""A process gives back what a table left when it begins with another, and not before."""

import gc
import os
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest

from pipeline import heap
from pipeline.faces import model_file
from pipeline.faces.detect import Detector

MODELS = Path(heap.__file__).parent / "sample/models"

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


def test_what_one_table_needs_is_let_go_of_before_the_next_and_not_within_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heap, "_forget", [])
    monkeypatch.setattr(heap, "_last", "")
    forgotten: list[str] = []
    heap.between_tables(lambda: forgotten.append("model"))
    heap.turn_to("faces")
    heap.turn_to("faces")
    assert forgotten == []
    heap.turn_to("embeddings")
    assert forgotten == ["model"]


def test_a_model_is_gone_when_its_table_is_made() -> None:
    detector = Detector(str(MODELS / "detector.onnx"))
    heap.turn_to("faces")
    before = detector(np.zeros((64, 64, 3), np.uint8))
    there = weakref.ref(model_file.session(detector.model))
    assert there() is not None
    heap.turn_to("embeddings")
    gc.collect()
    assert there() is None
    assert len(detector(np.zeros((64, 64, 3), np.uint8)).scores) == len(before.scores)
