"""Photos per second of the bare networks, which limit a refinement, and of each step of a refinement alone.

A bare network gets tensors that lie ready in memory. It runs twice: as the file is ("bare"), and in the session that
the pipeline makes of the file ("session"), in which PRelu is replaced by faster operators on a CPU.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, NamedTuple, TypeVar

import cv2
import numpy as np
import onnxruntime

from flows.benchmark.speed.varied_photos import decode_or_none
from pipeline.faces import model_file
from pipeline.faces.accelerator.providers import providers_of, usable_device
from pipeline.faces.align import align_face, main_face
from pipeline.faces.detect import OnnxDetector, detector_kind
from pipeline.faces.embed import BATCH, OnnxEmbedder, embedder_format
from pipeline.faces.picture import Image, encode_jpeg
from pipeline.faces.protocols import DetectedFaces
from pipeline.faces.quality import measure_face

BARE_PHOTOS = 64  # photos that the bare networks get, again and again: 80 MB of tensors
THREADS = os.cpu_count() or 1
Item = TypeVar("Item")
Rates = dict[str, float]  # photos per second by step


class Models(NamedTuple):
    """The detector and the embedders of a refinement."""

    detector: OnnxDetector
    embedders: list[OnnxEmbedder]


def bare_rates(models: Models, images: Sequence[Image], threads: int) -> Rates:
    """The rate of each bare network on this number of threads, as the file is and in the pipeline's session.

    Fed with real photos, because a network takes up to twice as long for them as for zeros: a few of them, repeated.
    """
    rates = {}
    images_fed = images[:BARE_PHOTOS]
    detected = [(image, models.detector(image)) for image in images_fed]
    faces = [align_face(image, faces.landmarks[0]) for image, faces in detected if len(faces.scores)]
    for kind, load in (("bare", _plain_session), ("session", model_file.session)):
        rates[f"{kind} detect"] = _detector_rate(
            load(models.detector.model), models.detector, images_fed, len(images), threads
        )
        for i, embedder in enumerate(models.embedders, 1):
            rate = _embedder_rate(load(embedder.model), embedder, faces, len(images), threads)
            rates[f"{kind} embed {i}"] = rate
    return rates


def rate_of_all_models(rates: Rates, kind: str) -> float:
    """Photos per second through all models one after the other; kind: bare or session."""
    return 1 / sum(1 / rate for name, rate in rates.items() if name.startswith(kind))


def _detector_rate(session: Any, detector: OnnxDetector, images: Sequence[Image], photos: int, threads: int) -> float:
    name, size = session.get_inputs()[0].name, detector_kind(detector.model)[1]
    inputs = _repeat([{name: detector.blob(image, size)} for image in images], photos)
    return _rate(lambda tensors: session.run(None, tensors), inputs, threads=threads)


def _embedder_rate(session: Any, embedder: OnnxEmbedder, faces: Sequence[Image], photos: int, threads: int) -> float:
    name, batch = session.get_inputs()[0].name, embedder_format(embedder.model).batch or BATCH
    padded = _repeat(faces, len(faces) + batch)
    batches = [np.stack(padded[at : at + batch]) for at in range(0, len(faces), batch)]
    inputs = _repeat([{name: embedder.blob(b)} for b in batches], max(2 * THREADS, photos // batch))
    return _rate(lambda tensors: session.run(None, tensors), inputs, photos_an_item=batch, threads=threads)


@cache
def _plain_session(path: str) -> Any:
    """An onnxruntime session of a file with the default options, on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = model_file.THREADS
    return onnxruntime.InferenceSession(path, options, providers=providers_of(usable_device()))


def step_rates(models: Models, photos: Sequence[bytes], images: Sequence[Image]) -> Rates:
    """The rate of each step of the pipeline alone, on all cores.

    The steps are decoding, detecting, aligning with all measures, and embedding from the kept JPEG.
    """
    detected = [(image, models.detector(image)) for image in images]
    with_face = [(image, faces) for image, faces in detected if len(faces.scores)]
    jpegs = [_align(item) for item in with_face]
    batches = [jpegs[i : i + BATCH] for i in range(0, len(jpegs) - BATCH + 1, BATCH)]
    rates = {
        "decode": _rate(decode_or_none, photos),
        "detect": _rate(models.detector, images),
        "align": _rate(_align, with_face),
    }
    for i, embed in enumerate(_embed_jpegs(models.embedders), 1):
        rates[f"embed {i}"] = _rate(embed, batches, photos_an_item=BATCH)
    return rates


def _align(item: tuple[Image, DetectedFaces]) -> bytes:
    """The JPEG of the main face of a picture, aligned and with its quality measured, as the pipeline does."""
    image, faces = item
    i = main_face(faces, width=image.shape[1], height=image.shape[0])
    face = align_face(image, faces.landmarks[i])
    measure_face(face)
    return encode_jpeg(face)


def _embed_jpegs(embedders: Sequence[OnnxEmbedder]) -> Iterator[Callable[[list[bytes]], object]]:
    """For each embedder a function that embeds a batch of JPEGs."""
    for embedder in embedders:
        yield lambda jpegs, embedder=embedder: embedder(np.stack([_read_face(j) for j in jpegs]))  # type: ignore[misc]


def _read_face(jpeg: bytes) -> Image:
    return np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def _rate(
    work: Callable[[Item], object], items: Sequence[Item], *, photos_an_item: int = 1, threads: int = THREADS
) -> float:
    """Photos per second when `threads` threads work through the items."""
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, items[:threads]))  # models load and memory is touched before the clock starts
        started = time.perf_counter()
        list(pool.map(work, items))
        return len(items) * photos_an_item / (time.perf_counter() - started)


def _repeat(items: Sequence[Item], count: int) -> list[Item]:
    """`count` items: the given ones in order, repeated."""
    return [items[i % len(items)] for i in range(count)]
