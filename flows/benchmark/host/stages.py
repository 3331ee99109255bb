"""The photo stages with stand-in models in a new root: their time on a number of threads or processes.

The processor's seconds are those of this process and of its worker processes, so that other work on the machine counts
little. Bare decoding is what the JPEG library takes for the same files, ready in memory, on as many threads.
"""

import os
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import psutil
import simplejpeg

from flows.benchmark.host.stand_ins import WaitingDetector, WaitingEmbedder, write_detector, write_embedder
from flows.benchmark.speed.varied_photos import read_photos
from flows.refine.tables import build_embeddings, build_faces, build_photos
from pipeline.errors import UserError
from pipeline.faces.detect import MAX_SIDE, OnnxDetector
from pipeline.faces.picture import decode_shrink
from pipeline.faces.picture_formats import jpeg
from pipeline.sources.index import Source
from pipeline.tables.build import Workers
from pipeline.tables.run_threads import shard_threads

CORES = os.cpu_count() or 1
BARE_PHOTOS = 5000  # that are decoded bare at most, because they lie in memory
WARM_UP_PHOTOS = 16  # for each thread or process, which loads libraries meanwhile


class Feeding(NamedTuple):
    """How fast photos came through the photo stages, and through bare decoding before and after, on n at a time."""

    kind: str  # threads or processes
    n: int
    photos: int
    seconds: float
    cpu_seconds: float
    bare_photos: int
    bare_seconds: float
    bare_cpu_seconds: float

    @property
    def rate(self) -> float:
        """Photos per second of all threads or processes together."""
        return self.photos / self.seconds

    @property
    def core_rate(self) -> float:
        """Photos per second of processor time."""
        return self.photos / self.cpu_seconds

    @property
    def bare_core_rate(self) -> float:
        """Photos decoded per second of processor time."""
        return self.bare_photos / self.bare_cpu_seconds


class Seconds(NamedTuple):
    """Seconds on the clock, and of the processor."""

    wall: float
    cpu: float


def feed(source: str, path: str, n: int, processes: bool, wait_ms: float) -> Feeding:
    """The photo stages of a source on n threads or worker processes, with models that wait so long for each batch."""
    photos = read_photos(source, path, BARE_PHOTOS)
    with tempfile.TemporaryDirectory() as folder:
        models = stand_ins(Path(folder), wait_ms)
        workers: Workers = n if processes else None
        warm_up = Path(folder, "photos", "all")
        warm_up.mkdir(parents=True)
        for i, photo in enumerate(photos[: WARM_UP_PHOTOS * n]):
            (warm_up / f"{i}.jpg").write_bytes(photo)
        with shard_threads(n):
            _photo_stages(Path(folder, "warm_up"), ("image-folder", str(warm_up.parent)), models, workers, 4 * n)
            bare = bare_decoding(photos, n)
            start = _now()
            count = _photo_stages(Path(folder, "root"), (source, path), models, workers)
            end = _now()
            again = bare_decoding(photos, n)
    kind = "processes" if processes else "threads"
    bare_photos = 2 * sum(photo.startswith(jpeg.START) for photo in photos)
    bare_times = bare.wall + again.wall, bare.cpu + again.cpu
    return Feeding(kind, n, count, end.wall - start.wall, end.cpu - start.cpu, bare_photos, *bare_times)


def stand_ins(folder: Path, wait_ms: float = 0.0) -> tuple[WaitingDetector, WaitingEmbedder]:
    """A detector and an embedder, written to a folder, that cost nothing and wait so long for each batch."""
    detector = OnnxDetector(write_detector(folder / "detector.onnx"), device="cpu")
    return WaitingDetector(detector, wait_ms), WaitingEmbedder(write_embedder(folder / "embedder.onnx"), wait_ms)


def bare_decoding(photos: Sequence[bytes], threads: int) -> Seconds:
    """The time in which the JPEG library decodes the JPEGs among some files.

    As large as the pipeline decodes them, but without looking whether a file is damaged. Raises UserError where none is
    a JPEG.
    """
    jpegs = [(photo, _decoded_size(photo)) for photo in photos if photo.startswith(jpeg.START)]
    if not jpegs:
        raise UserError("none of the photos is a JPEG: give a source of JPEGs, with whose decoding feeding is compared")
    with ThreadPoolExecutor(threads) as pool:
        start = _now()
        list(pool.map(_decode_all, [jpegs[i::threads] for i in range(threads)]))
        end = _now()
    return Seconds(end.wall - start.wall, end.cpu - start.cpu)


def _decoded_size(photo: bytes) -> tuple[int, int]:
    """Width and height to which the pipeline decodes a JPEG."""
    shrink, (width, height) = decode_shrink(photo, MAX_SIDE), jpeg.size_of(photo) or (1, 1)
    return -(-width // shrink), -(-height // shrink)


def _decode_all(jpegs: Sequence[tuple[bytes, tuple[int, int]]]) -> None:
    for data, (width, height) in jpegs:
        try:
            simplejpeg.decode_jpeg(data, "BGR", min_width=width, min_height=height, strict=False)
        except ValueError:  # of a damaged file
            continue


def _photo_stages(
    root: Path,
    source: tuple[str, str],
    models: tuple[WaitingDetector, WaitingEmbedder],
    workers: Workers,
    shards: int | None = None,
) -> int:
    """Make the tables photos, faces and embeddings; returns the number of photos."""
    detector, embedder = models
    photos, locations = build_photos(str(root), [Source("data", *source)], shards=shards, workers=workers)
    faces = build_faces(str(root), photos, locations, detector, aligned=False, workers=workers)
    build_embeddings(str(root), faces, embedder, workers=workers)
    return len(photos)


def _now() -> Seconds:
    """The clock, and the processor's seconds of this process and its children so far."""
    times = [child.cpu_times() for child in psutil.Process().children(recursive=True)]  # to a hundredth of a second
    return Seconds(time.monotonic(), time.process_time() + sum(t.user + t.system for t in times))
