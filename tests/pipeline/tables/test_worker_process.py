"""A process that makes shards frees memory and models when it starts another table, and not before."""

import gc
import logging
import os
import subprocess
import sys
import threading
import weakref
from pathlib import Path

import numpy as np
import pytest
from distributed.comm import CommClosedError

from pipeline.faces import model_file
from pipeline.faces.accelerator import devices
from pipeline.faces.detect import OnnxDetector
from pipeline.tables import worker_process

MODELS = Path(worker_process.__file__).parents[1] / "sample/models"

MEASURE = """
import psutil
import sys
from pipeline.tables import worker_process

if "in this process" in sys.argv:
    worker_process.keep_free_memory()

def used_mb():
    return psutil.Process().memory_info().rss / 1e6

worker_process.begin_table("one")
arrays = [bytearray(4_000_000) for _ in range(50)]  # 200 MB, which go back to the system at once by default
full = used_mb()
del arrays
worker_process.begin_table("one")
kept = used_mb()
worker_process.begin_table("another")
print(full - kept, kept - used_mb())
"""


@pytest.mark.skipif(worker_process._glibc("malloc_trim") is None, reason="another C library than glibc")
@pytest.mark.parametrize("kept_by", ["environment", "in this process"])
def test_memory_is_kept_within_a_table_and_freed_before_the_next(kept_by: str) -> None:
    environment = {k: v for k, v in os.environ.items() if k not in worker_process.ENVIRONMENT}
    if kept_by == "environment":
        environment |= {k: str(v) for k, v in worker_process.ENVIRONMENT.items()}
    process = subprocess.run(
        [sys.executable, "-c", MEASURE, kept_by],
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
    monkeypatch.setattr(worker_process, "_glibc", lambda function: None)
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


def test_a_worker_is_silent_of_a_leading_process_that_has_gone_and_of_nothing_else() -> None:
    logger = logging.getLogger("distributed")
    kept = [list(handler.filters) for handler in logger.handlers]
    assert kept, "Dask has set up no handler"

    def shown(error: Exception) -> bool:
        record = logging.LogRecord("distributed.worker", logging.ERROR, "", 0, "", None, (type(error), error, None))
        return any(handler.filter(record) for handler in logger.handlers)

    try:
        assert shown(CommClosedError())
        in_a_thread = threading.Thread(target=worker_process.dask_setup, args=(None,))  # leaves this process's Ctrl-C
        in_a_thread.start()
        in_a_thread.join()
        assert not shown(CommClosedError())
        assert shown(ValueError())
    finally:
        for handler, filters in zip(logger.handlers, kept, strict=True):
            handler.filters[:] = filters


@pytest.mark.parametrize(
    ("number", "visible", "gpu"),
    [
        (0, None, "0"),
        (3, None, "1"),
        (1, "2,5", "5"),
        (2, " GPU-a, GPU-b", "GPU-a"),
        (0, "", None),
        ("tcp://x", None, None),
    ],
)
def test_the_workers_of_a_command_take_the_gpus_in_turn(number: object, visible: str | None, gpu: str | None) -> None:
    environment = {} if visible is None else {worker_process.VISIBLE_GPUS: visible}
    files = ["nvidiactl", "nvidia1", "nvidia-uvm", "nvidia0", "null"]
    assert worker_process.gpu_of_worker(number, environment, files) == gpu
    assert worker_process.gpu_of_worker(number, {}, ["nvidiactl", "null"]) is None


def test_gpus_are_counted_as_cuda_counts_them_and_one_that_was_chosen_stays_visible() -> None:
    assert worker_process.gpu_of_worker(1, {}, ["nvidia3"]) == "0", "the only one that a container holds"
    files = ["nvidia0", "nvidia1"]
    assert worker_process.gpu_of_worker(0, {devices.DEVICE: "cuda:1"}, files) is None
    assert worker_process.gpu_of_worker(1, {devices.DEVICE: "cuda"}, files) == "1"
