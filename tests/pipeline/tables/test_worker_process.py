"""A worker process gives memory and models back when it goes over to another table, and not before."""

import gc
import os
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest

from pipeline.faces import model_file
from pipeline.faces.detect import OnnxDetector
from pipeline.tables import worker_process

MODELS = Path(worker_process.__file__).parents[1] / "sample/models"

HOLDS = """
import psutil
from pipeline.tables import worker_process

def held():
    return psutil.Process().memory_info().rss / 1e6

worker_process.begin_table("one")
arrays = [bytearray(100_000) for _ in range(2000)]  # each touched: 200 MB of the heap
last = bytearray(100_000)
full = held()
del arrays
worker_process.begin_table("one")
kept = held()
worker_process.begin_table("another")
print(full - kept, kept - held())
"""


@pytest.mark.skipif(worker_process._malloc_trim() is None, reason="another C library than glibc")
def test_memory_is_kept_within_a_table_and_given_back_before_the_next() -> None:
    environment = {**os.environ, **{k: str(v) for k, v in worker_process.ENVIRONMENT.items()}}
    done = subprocess.run(
        [sys.executable, "-c", HOLDS],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    at_once, later = map(float, done.stdout.split())
    assert at_once < 20
    assert later > 150


def test_without_glibc_nothing_is_trimmed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_process, "_malloc_trim", lambda: None)
    worker_process.begin_table("one")
    worker_process.begin_table("another")
    assert worker_process._current_table == "another"


def test_what_one_table_needs_is_released_before_the_next_and_not_within_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_process, "_releases", [])
    monkeypatch.setattr(worker_process, "_current_table", "")
    released: list[str] = []
    worker_process.on_table_change(lambda: released.append("model"))
    worker_process.begin_table("faces")
    worker_process.begin_table("faces")
    assert released == []
    worker_process.begin_table("embeddings")
    assert released == ["model"]


def test_a_model_is_gone_when_its_table_is_made() -> None:
    detector = OnnxDetector(str(MODELS / "detector.onnx"))
    worker_process.begin_table("faces")
    before = detector(np.zeros((64, 64, 3), np.uint8))
    there = weakref.ref(model_file.session(detector.model))
    assert there() is not None
    worker_process.begin_table("embeddings")
    gc.collect()
    assert there() is None
    assert len(detector(np.zeros((64, 64, 3), np.uint8)).scores) == len(before.scores)
