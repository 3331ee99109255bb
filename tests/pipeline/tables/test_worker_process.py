"""A worker process frees memory and models when it starts another table, and not before."""

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

MEASURE = """
import psutil
from pipeline.tables import worker_process

def used_mb():
    return psutil.Process().memory_info().rss / 1e6

worker_process.begin_table("one")
arrays = [bytearray(100_000) for _ in range(2000)]  # 200 MB of the heap
last = bytearray(100_000)
full = used_mb()
del arrays
worker_process.begin_table("one")
kept = used_mb()
worker_process.begin_table("another")
print(full - kept, kept - used_mb())
"""


@pytest.mark.skipif(worker_process._malloc_trim() is None, reason="another C library than glibc")
def test_memory_is_kept_within_a_table_and_freed_before_the_next() -> None:
    environment = {**os.environ, **{k: str(v) for k, v in worker_process.ENVIRONMENT.items()}}
    process = subprocess.run(
        [sys.executable, "-c", MEASURE],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    freed_within_mb, freed_between_mb = map(float, process.stdout.split())
    assert freed_within_mb < 20
    assert freed_between_mb > 150


def test_without_glibc_memory_is_not_trimmed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_process, "_malloc_trim", lambda: None)
    worker_process.begin_table("one")
    worker_process.begin_table("another")
    assert worker_process._current_table == "another"


def test_release_functions_are_called_between_tables_and_not_within_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_process, "_releases", [])
    monkeypatch.setattr(worker_process, "_current_table", "")
    released: list[str] = []
    worker_process.on_table_change(lambda: released.append("model"))
    worker_process.begin_table("faces")
    worker_process.begin_table("faces")
    assert released == []
    worker_process.begin_table("embeddings")
    assert released == ["model"]


def test_a_model_is_freed_when_the_next_table_starts() -> None:
    detector = OnnxDetector(str(MODELS / "detector.onnx"))
    worker_process.begin_table("faces")
    before = detector(np.zeros((64, 64, 3), np.uint8))
    session = weakref.ref(model_file.session(detector.model))
    assert session() is not None
    worker_process.begin_table("embeddings")
    gc.collect()
    assert session() is None
    assert len(detector(np.zeros((64, 64, 3), np.uint8)).scores) == len(before.scores)
