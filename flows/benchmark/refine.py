"""Measurements on this machine, each beside a limit in the same run; figures are printed, never asserted."""

import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import cv2
import numpy as np
import onnxruntime
import typer

from flows.benchmark.measured_process import Memory, alone
from flows.cli.options import Detector, Embedder, SecondEmbedder
from flows.cli.result import Result
from flows.refine import flow
from pipeline.errors import UserError
from pipeline.faces import model_file
from pipeline.faces.align import align_face, main_face
from pipeline.faces.detect import OnnxDetector, kind_of
from pipeline.faces.embed import BATCH, OnnxEmbedder, layout_of
from pipeline.faces.packs import find_model
from pipeline.faces.picture import Image, UnreadablePhoto, decode, to_jpeg
from pipeline.faces.quality import measure_face
from pipeline.schema import digest
from pipeline.sources.kinds import source_format

FEW = 64  # photos that the bare networks see: 80 MB of tensors
THREADS = os.cpu_count() or 1
NO_NUMBERS: list[int] = []  # never changed


class Whole(NamedTuple):
    """A refinement from nothing: the photos of it, on how many workers, and what the bare models alone allow there.

    limit: of the files as they are; ours: of the sessions that run here, in which a CPU has other operators for PRelu.
    photos_gb: the most memory until the last photo was embedded; peak_gb: until the end, of which the noise stages hold
    more the more persons there are.
    """

    photos: int
    workers: int
    seconds: float
    limit: float
    ours: float
    photos_gb: float
    peak_gb: float

    def line(self) -> str:
        """Its rate beside the limit."""
        rate = self.photos / self.seconds
        share = f"{rate:.1f}/s, {rate / self.limit:.0%} of the {self.limit:.1f}/s that the bare models allow"
        ours = f"{rate / self.ours:.0%} of the {self.ours:.1f}/s that they allow as they are run here"
        return f"{self.photos} photos on {self.workers}: {share}, {ours}; {self.memory()}"

    def memory(self) -> str:
        """The most that it held, photo by photo and after that."""
        return f"at most {self.photos_gb:.2f} GB until all are embedded, {self.peak_gb:.2f} GB in all"


@dataclass(frozen=True)
class RefineRates(Result):
    """Photos per second of each step alone on all cores, and whole refinements beside what the bare models allow."""

    steps: dict[str, float]
    wholes: list[Whole]
    machine: str

    def rows(self) -> list[dict[str, Any]]:
        """Each step's rate and time."""
        return [
            {"step": k, "photos/s": f"{v:.1f}", "ms a photo and thread": f"{1000 * THREADS / v:.2f}"}
            for k, v in self.steps.items()
        ]

    def lines(self) -> list[str]:
        """A line for each refinement."""
        return [f"{THREADS} threads, {self.machine}", *(w.line() for w in self.wholes)]


def refine(
    kind: Annotated[str, typer.Argument(metavar="SOURCE", help="image-folder, ms-celeb, record-io or megaface.")],
    path: Annotated[str, typer.Argument(metavar="PATH", help="Photos to measure with.")],
    detector: Detector,
    embedder: Embedder,
    second_embedder: SecondEmbedder = "",
    sample: Annotated[int, typer.Option(help="Photos on which single steps are measured.")] = 400,
    total_photos: Annotated[
        list[int],
        typer.Option(help="Refine so many photos, made from the given ones by changing them; may be repeated."),
    ] = NO_NUMBERS,
    processes: Annotated[
        list[int], typer.Option(help="Measure with so many worker processes; may be repeated. Default: threads.")
    ] = NO_NUMBERS,
) -> RefineRates:
    """Measure refinements and their steps beside the bare onnxruntime rate of the same models, photos and threads."""
    models = [OnnxEmbedder(find_model(m, "embedder")) for m in (embedder, second_embedder) if m]
    finder = OnnxDetector(find_model(detector, "detector"))
    pictures = list(_pictures(kind, path, sample))
    if not pictures:
        raise UserError(f"no photo in {path} can be read: give a source that holds some")
    decoded = [image for data in pictures if (image := _decoded(data)) is not None]
    many = sorted({w or THREADS for w in processes or [0]})
    before = {n: _bare(finder, models, decoded, n) for n in many}
    steps = _steps(finder, models, pictures, decoded)
    taken = {}
    with tempfile.TemporaryDirectory() as folder:
        for size in total_photos or [0]:
            made = repeat(kind, path, Path(folder, str(size)), size) if size else None
            for n in many:
                given = ("image-folder", str(made)) if made else (kind, path)
                asked = (*given, detector, embedder, second_embedder, str(n) if processes else "")
                taken[size, n] = alone(_whole, *asked)
    after = {n: _bare(finder, models, decoded, n) for n in many}  # a machine's speed drifts: measured on both sides
    bare = {n: {k: (before[n][k] + after[n][k]) / 2 for k in before[n]} for n in many}
    wholes = [
        Whole(done.result[0], n, done.seconds, _both(bare[n], "bare"), _both(bare[n], "ours"), *done.result[1:])
        for (_, n), done in taken.items()
    ]
    return RefineRates(
        {**bare[many[-1]], **steps},
        wholes,
        f"{platform.machine()}, onnxruntime {onnxruntime.__version__} {model_file.providers()[0]}",
    )


def _both(rates: dict[str, float], which: str) -> float:
    """Photos per second through all models one after the other, of their rates as files or as ours."""
    return 1 / sum(1 / rate for name, rate in rates.items() if name.startswith(which))


def repeat(kind: str, path: str, out: Path, photos: int) -> Path:
    """A folder of so many photos made of a source's: turned, scaled and lit otherwise, under further names each round.

    Raises UserError for a source without a photo that can be read.
    """
    module = source_format(kind)
    made, turn = 0, 0
    while made < photos:
        before = made
        for part in module.parts(path):
            for photo in module.index(part):
                image = _decoded(module.read(path, photo)) if photo.failure is None and made < photos else None
                if image is not None:
                    folder = out / f"{digest('name', photo.identity or '')[:12]}-{turn}"
                    folder.mkdir(parents=True, exist_ok=True)
                    (folder / f"{made}.jpg").write_bytes(to_jpeg(_changed(image, made) if turn else image))
                    made += 1
        if made == before:
            raise UserError(f"no photo in {path} can be read: give a source that holds some")
        turn += 1
    return out


def _changed(image: Image, seed: int) -> Image:
    """A picture [h, w, 3] as if taken again: mirrored, turned, nearer or farther, bent a little, lighter or darker.

    Bent in waves of some pixels, for a turned picture is still the same one, and a set of copies takes other work.
    """
    random = np.random.default_rng(seed)
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), random.uniform(-12, 12), random.uniform(0.85, 1.15))
    moved = cv2.warpAffine(
        image[:, :: random.choice((-1, 1))], matrix, (width, height), borderMode=cv2.BORDER_REPLICATE
    )
    y, x = np.mgrid[:height, :width].astype(np.float32)
    wave, (one, two) = 0.02 * max(height, width), random.uniform(0, 2 * np.pi, 2).astype(np.float32)
    length = np.float32(8 * np.pi / max(height, width))
    moved = cv2.remap(moved, x + wave * np.sin(length * y + one), y + wave * np.sin(length * x + two), cv2.INTER_LINEAR)
    return np.asarray(
        cv2.convertScaleAbs(moved, alpha=random.uniform(0.7, 1.3), beta=random.uniform(-20, 20)), np.uint8
    )


def _pictures(kind: str, path: str, sample: int) -> Iterator[bytes]:
    module = source_format(kind)
    for part in module.parts(path):
        for photo in module.index(part):
            if photo.failure is None:
                yield module.read(path, photo)
                sample -= 1
            if sample <= 0:
                return


def _rate(work: Callable[[Any], object], items: Sequence[Any], *, each: int = 1, threads: int = THREADS) -> float:
    """Photos per second when so many threads work through the items, `each` photos an item."""
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, items[:threads]))  # models load and memory is touched before the clock starts
        started = time.perf_counter()
        list(pool.map(work, items))
        return len(items) * each / (time.perf_counter() - started)


def _bare(
    finder: OnnxDetector, models: Sequence[OnnxEmbedder], decoded: Sequence[Image], threads: int
) -> dict[str, float]:
    """The bare networks, on so many threads, on tensors of the same photos in memory: files as they are, and ours.

    Of real photos, because a network takes up to twice as long for them as for zeros. A few of them, again and again.
    """
    some, kinds = decoded[:FEW], kind_of(finder.model)
    rates = {}
    for which, load in (("bare", _as_it_is), ("ours", model_file.session)):
        network = load(finder.model)
        name = network.get_inputs()[0].name
        feeds = _repeat([{name: finder.blob(image, kinds[1])} for image in some], len(decoded))
        rates[f"{which} detect"] = _rate(lambda x, run=network: run.run(None, x), feeds, threads=threads)  # type: ignore[misc]
        faces = [align_face(image, finder(image).landmarks[0]) for image in some if len(finder(image).scores)]
        for i, model in enumerate(models, 1):
            run, step = load(model.model), layout_of(model.model).batch or BATCH
            batches = [np.stack(_repeat(faces, len(faces) + step)[at : at + step]) for at in range(0, len(faces), step)]
            inputs = [{run.get_inputs()[0].name: model.blob(b)} for b in batches]
            turns = _repeat(inputs, max(2 * THREADS, len(decoded) // step))
            embed = _rate(lambda x, run=run: run.run(None, x), turns, each=step, threads=threads)  # type: ignore[misc]
            rates[f"{which} embed {i}"] = embed
    return rates


@cache
def _as_it_is(path: str) -> Any:
    """An onnxruntime session of a file as anybody would make it, on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = model_file.THREADS
    return onnxruntime.InferenceSession(path, options, providers=model_file.providers())


def _repeat(items: Sequence[Any], n: int) -> list[Any]:
    return [items[i % len(items)] for i in range(n)]


def _steps(
    finder: OnnxDetector, models: Sequence[OnnxEmbedder], pictures: Sequence[bytes], decoded: Sequence[Image]
) -> dict[str, float]:
    """Our own steps alone: decoding, detecting, aligning with all measures, embedding from the kept JPEG."""
    found = [(image, finder(image)) for image in decoded]
    found = [(image, faces) for image, faces in found if len(faces.scores)]

    def align(item: tuple[Image, Any]) -> bytes:
        image, faces = item
        i = main_face(faces, width=image.shape[1], height=image.shape[0])
        face = align_face(image, faces.landmarks[i])
        measure_face(face)
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
    except UnreadablePhoto:
        return None


def _face(data: bytes) -> Image:
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def _whole(kind: str, path: str, detector: str, embedder: str, second: str, workers: str) -> tuple[int, float, float]:
    """How many photos a refinement from nothing in its own root took in; GB until all were embedded, and in all."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "root")
        with Memory(lambda: any((root / "embeddings").glob("*.json"))) as held:
            done = flow.refine.fn(
                str(root),
                [kind, path],
                detector=detector,
                embedder=embedder,
                second_embedder=second,
                workers=workers,
            )
        return done.account.ingested, held.before / 1e9, held.peak / 1e9
