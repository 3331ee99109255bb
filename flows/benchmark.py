"""Measurements on this machine, each beside a limit in the same run; figures are printed, never asserted."""

import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import onnxruntime
import typer

from flows import refine as flow
from pipeline.errors import UserError
from pipeline.faces import model_file
from pipeline.faces.align import warp
from pipeline.faces.detect import Detector, kind_of, meant
from pipeline.faces.embed import BATCH, Embedder, layout_of
from pipeline.faces.extract import measure, to_jpeg
from pipeline.faces.packs import find_model
from pipeline.faces.picture import Image, Unreadable, decode
from pipeline.sources import source

FEW = 64  # photos that the bare networks see: 80 MB of tensors
THREADS = os.cpu_count() or 1


@dataclass(frozen=True)
class Rates:
    """Photos per second of each step alone and of the whole, on all cores, beside what the bare models allow."""

    photos: int
    threads: int
    steps: dict[str, float]
    whole: float
    limit: float
    machine: str

    @property
    def share(self) -> float:
        """The whole's rate over the limit's."""
        return self.whole / self.limit

    def rows(self) -> list[dict[str, Any]]:
        """Each step's rate and time."""
        every = {**self.steps, "limit: bare models": self.limit, "whole refinement": self.whole}
        return [{"step": k, "photos/s": f"{v:.1f}", "ms a photo and thread": f"{1000 * self.threads / v:.2f}"}
                for k, v in every.items()]  # fmt: skip

    def lines(self) -> list[str]:
        """The answer in one line."""
        return [
            f"{self.photos} photos, {self.threads} threads, {self.machine}",
            f"the whole refinement runs at {self.share:.0%} of the rate that the bare models allow",
        ]


def refine(
    kind: Annotated[str, typer.Argument(metavar="SOURCE", help="image-folder, ms-celeb, record-io or megaface.")],
    path: Annotated[str, typer.Argument(metavar="PATH", help="Photos to measure with.")],
    detector: Annotated[str, typer.Option(help="ONNX file: SCRFD or YuNet.")],
    embedder: Annotated[str, typer.Option(help="ONNX file: ArcFace kind.")],
    second_embedder: Annotated[str, typer.Option(help="ONNX file: a second opinion.")] = "",
    sample: Annotated[int, typer.Option(help="Photos on which single steps are measured.")] = 400,
) -> Rates:
    """Measure a refinement and its steps beside the bare onnxruntime rate of the same models, photos and threads."""
    models = [Embedder(find_model(m, "embedder")) for m in (embedder, second_embedder) if m]
    finder = Detector(find_model(detector, "detector"))
    pictures = list(_pictures(kind, path, sample))
    if not pictures:
        raise UserError(f"no photo in {path} can be read: give a source that holds some")
    decoded = [image for data in pictures if (image := _decoded(data)) is not None]
    before = _bare(finder, models, decoded)
    steps = _steps(finder, models, pictures, decoded)
    photos, seconds = _whole(kind, path, detector, embedder, second_embedder)
    after = _bare(finder, models, decoded)  # a machine's speed drifts: the limit is measured on both sides
    bare = {k: (before[k] + after[k]) / 2 for k in before}
    limit = 1 / sum(1 / rate for rate in bare.values())
    return Rates(photos, THREADS, {**bare, **steps}, photos / seconds, limit, f"{platform.machine()}, "
                 f"onnxruntime {onnxruntime.__version__} {model_file.providers()[0]}")  # fmt: skip


def _pictures(kind: str, path: str, sample: int) -> Iterator[bytes]:
    module = source(kind)
    for part in module.parts(path):
        for photo in module.index(part):
            if photo.failure is None:
                yield module.read(path, photo)
                sample -= 1
            if sample <= 0:
                return


def _rate(work: Callable[[Any], object], items: Sequence[Any], *, each: int = 1) -> float:
    """Photos per second when all threads work through the items, `each` photos an item."""
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, items[:THREADS]))  # models load and memory is touched before the clock starts
        started = time.perf_counter()
        list(pool.map(work, items))
        return len(items) * each / (time.perf_counter() - started)


def _bare(finder: Detector, models: Sequence[Embedder], decoded: Sequence[Image]) -> dict[str, float]:
    """The bare networks on tensors of the same photos, ready in memory.

    Of real photos, because a network takes up to twice as long for them as for zeros. A few of them, again and again.
    """
    some, kinds = decoded[:FEW], kind_of(finder.model)
    network = model_file.session(finder.model)
    name = network.get_inputs()[0].name
    feeds = [{name: finder.blob(image, kinds[1])} for image in some]
    rates = {"bare detect": _rate(lambda x: network.run(None, x), _repeat(feeds, len(decoded)))}
    faces = [warp(image, finder(image).landmarks[0]) for image in some if len(finder(image).scores)]
    for i, model in enumerate(models, 1):
        run, step = model_file.session(model.model), layout_of(model.model).batch or BATCH
        batches = [np.stack(_repeat(faces, len(faces) + step)[at : at + step]) for at in range(0, len(faces), step)]
        inputs = [{run.get_inputs()[0].name: model.blob(b)} for b in batches]
        turns = _repeat(inputs, max(2 * THREADS, len(decoded) // step))
        rates[f"bare embed {i}"] = _rate(lambda x, run=run: run.run(None, x), turns, each=step)  # type: ignore[misc]
    return rates


def _repeat(items: Sequence[Any], n: int) -> list[Any]:
    return [items[i % len(items)] for i in range(n)]


def _steps(
    finder: Detector, models: Sequence[Embedder], pictures: Sequence[bytes], decoded: Sequence[Image]
) -> dict[str, float]:
    """Our own steps alone: decoding, detecting, aligning with all measures, embedding from the kept JPEG."""
    found = [(image, finder(image)) for image in decoded]
    found = [(image, faces) for image, faces in found if len(faces.scores)]

    def align(item: tuple[Image, Any]) -> bytes:
        image, faces = item
        i = meant(faces, width=image.shape[1], height=image.shape[0])
        face = warp(image, faces.landmarks[i])
        measure(face)
        return to_jpeg(face)

    jpegs = [align(item) for item in found]
    batches = [jpegs[i : i + BATCH] for i in range(0, len(jpegs) - BATCH + 1, BATCH)]
    rates = {"decode": _rate(_decoded, pictures), "detect": _rate(finder, decoded), "align": _rate(align, found)}
    for i, model in enumerate(models, 1):
        rates[f"embed {i}"] = _rate(lambda b, model=model: model(np.stack([_face(j) for j in b])), batches, each=BATCH)  # type: ignore[misc]
    return rates


def _decoded(data: bytes) -> Image | None:
    try:
        return decode(data)
    except Unreadable:
        return None


def _face(data: bytes) -> Image:
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def _whole(kind: str, path: str, detector: str, embedder: str, second: str) -> tuple[int, float]:
    """Photos and seconds of a refinement from nothing, in a root of its own."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        outcome = flow.refine.fn([kind, path], root=str(Path(folder, "root")), detector=detector, embedder=embedder,
                                 second_embedder=second)  # fmt: skip
        return outcome.account.ingested, time.perf_counter() - started
