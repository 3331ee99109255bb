"""Photos per second of refinements on this machine, beside those that the bare models allow in the same run."""

import platform
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import onnxruntime
import typer

from flows.benchmark.speed.measured_process import PeakMemory, run_in_own_process
from flows.benchmark.speed.model_rates import THREADS, Models, bare_rates, rate_of_all_models, step_rates
from flows.benchmark.speed.varied_photos import (
    NO_NUMBERS,
    SourceKind,
    SourcePath,
    TotalPhotos,
    decode_or_none,
    read_photos,
    write_varied_photos,
)
from flows.cli.options import Detector, Embedder, SecondEmbedder, StepSample
from flows.cli.result import Result
from flows.refine import flow
from pipeline.faces.accelerator.providers import usable_device
from pipeline.faces.detect import OnnxDetector
from pipeline.faces.embed import OnnxEmbedder
from pipeline.faces.packs import find_model


class RefinementRate(NamedTuple):
    """A refinement in a new root: its photos, workers and seconds, the limits of the bare models, and its memory.

    bare_limit: photos per second through all model files as they are; session_limit: through the sessions that the
    pipeline makes of them. photos_gb: the most memory until the last photo was embedded; peak_gb: until the end. The
    noise stages take more memory the more persons there are.
    """

    photos: int
    workers: int
    seconds: float
    bare_limit: float
    session_limit: float
    photos_gb: float
    peak_gb: float

    def line(self) -> str:
        """The rate beside the limits, and the memory."""
        rate = self.photos / self.seconds
        bare = f"{rate / self.bare_limit:.0%} of the {self.bare_limit:.1f}/s that the bare models allow"
        session = (
            f"{rate / self.session_limit:.0%} of the {self.session_limit:.1f}/s that the pipeline's sessions allow"
        )
        memory = f"at most {self.photos_gb:.2f} GB until all are embedded, {self.peak_gb:.2f} GB in all"
        return f"{self.photos} photos on {self.workers} workers: {rate:.1f}/s, {bare}, {session}; {memory}"


@dataclass(frozen=True)
class RefineRates(Result):
    """Photos per second of each step alone on all cores, and refinements beside the limits of the bare models."""

    steps: dict[str, float]
    refinements: list[RefinementRate]
    machine: str

    def rows(self) -> list[dict[str, Any]]:
        """Each step's rate and time."""
        return [
            {"step": k, "photos/s": f"{v:.1f}", "ms a photo and thread": f"{1000 * THREADS / v:.2f}"}
            for k, v in self.steps.items()
        ]

    def lines(self) -> list[str]:
        """The machine, and a line for each refinement."""
        return [f"{THREADS} threads, {self.machine}", *(r.line() for r in self.refinements)]


def refine(
    kind: SourceKind,
    path: SourcePath,
    detector: Detector,
    embedder: Embedder,
    *,
    second_embedder: SecondEmbedder = "",
    sample: StepSample = 400,
    total_photos: TotalPhotos = NO_NUMBERS,
    processes: Annotated[
        list[int], typer.Option(help="Number of worker processes to measure with; may be repeated. Default: threads.")
    ] = NO_NUMBERS,
) -> RefineRates:
    """Measure refinements and their steps beside the bare onnxruntime rate of the same models, photos and threads."""
    embedders = [OnnxEmbedder(find_model(m, "embedder")) for m in (embedder, second_embedder) if m]
    models = Models(OnnxDetector(find_model(detector, "detector")), embedders)
    photos = read_photos(kind, path, sample)
    images = [image for data in photos if (image := decode_or_none(data)) is not None]
    worker_counts = sorted({n or THREADS for n in processes or [0]})
    before = {n: bare_rates(models, images, n) for n in worker_counts}
    steps = step_rates(models, photos, images)
    model_paths = (detector, embedder, second_embedder)
    measured = []
    with tempfile.TemporaryDirectory() as folder:
        for total in total_photos or [0]:
            source = (kind, path)
            if total:
                source = ("image-folder", str(write_varied_photos(kind, path, Path(folder, str(total)), total)))
            for n in worker_counts:
                workers = str(n) if processes else ""
                measured.append((n, run_in_own_process(_refine_anew, *source, *model_paths, workers)))
    after = {n: bare_rates(models, images, n) for n in worker_counts}  # a machine's speed drifts: measured twice
    bare = {n: {step: (before[n][step] + after[n][step]) / 2 for step in before[n]} for n in worker_counts}
    refinements = [
        RefinementRate(
            photos_refined,
            n,
            seconds,
            rate_of_all_models(bare[n], "bare"),
            rate_of_all_models(bare[n], "session"),
            photos_gb,
            peak_gb,
        )
        for n, ((photos_refined, photos_gb, peak_gb), seconds, _) in measured
    ]
    return RefineRates({**bare[worker_counts[-1]], **steps}, refinements, _machine())


def _machine() -> str:
    return f"{platform.machine()}, onnxruntime {onnxruntime.__version__} on {usable_device()}"


def _refine_anew(
    kind: str, path: str, detector: str, embedder: str, second: str, workers: str
) -> tuple[int, float, float]:
    """Refine in a new root: the number of photos, the most GB until all were embedded, and the most GB in all."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "root")
        with PeakMemory(lambda: any((root / "embeddings").glob("*.json"))) as memory:
            result = flow.refine.fn(
                str(root),
                [kind, path],
                detector=detector,
                embedder=embedder,
                second_embedder=second,
                workers=workers,
            )
        return result.account.ingested, memory.first_peak / 1e9, memory.peak / 1e9
