"""`refinery benchmark host`: what a core prepares for a GPU in a second, beside bare decoding of the same files."""

import logging
import math
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.benchmark.host.stages import CORES, Feeding, feed
from flows.benchmark.host.steps import Steps, step_times
from flows.benchmark.speed.measured_process import run_in_own_process
from flows.benchmark.speed.varied_photos import SourceKind, SourcePath, write_scaled_photos
from flows.cli.options import StepSample
from flows.cli.result import Result, text_table
from pipeline.errors import UserError

log = logging.getLogger("refinery")
AT_ONCE = [1, 2, 4]
MOST_SIDE = 10_000  # pixels


@dataclass(frozen=True)
class HostRates(Result):
    """Photos per second through the photo stages by threads and by worker processes; microseconds of each step."""

    feedings: list[Feeding]
    steps: Steps
    model_ms_per_batch: float

    def rows(self) -> list[dict[str, Any]]:
        """A line for each number of threads or processes."""
        first = {f.kind: f for f in reversed(self.feedings)}
        return [
            {
                "on": f"{f.n} {f.kind}",
                "photos/s": f"{f.rate:.0f}",
                "growth": f"{f.rate / first[f.kind].rate:.2f}",
                "CPU ms a photo": f"{1000 / f.core_rate:.3f}",
                "photos/s and core": f"{f.core_rate:.0f}",
                "bare decoding": f"{f.bare_core_rate:.0f}",
                "share": f"{f.core_rate / f.bare_core_rate:.0%}",
                "bare, all together": f"{f.bare_photos / f.bare_seconds:.0f}",
            }
            for f in self.feedings
        ]

    def lines(self) -> list[str]:
        """How it was measured, and the steps."""
        whole = sum(self.steps.values()) - next(iter(self.steps.values()))
        steps = [{"step, on one thread": step, "CPU µs a photo": f"{us:.0f}"} for step, us in self.steps.items()]
        total = {"step, on one thread": "all steps but bare decoding", "CPU µs a photo": f"{whole:.0f}"}
        return [
            f"{self.feedings[0].photos} photos, {CORES} cores; models that answer at once"
            + (f" and wait {self.model_ms_per_batch:g} ms for each batch" if self.model_ms_per_batch else ""),
            *text_table([*steps, total]),
        ]


def host(
    source: SourceKind,
    path: SourcePath,
    *,
    at_once: Annotated[
        list[int],
        typer.Option(help="Shards made at a time, by threads and by worker processes; may be repeated."),
    ] = AT_ONCE,
    model_ms_per_batch: Annotated[
        float, typer.Option(help="Milliseconds that each model waits for each batch, as a GPU would compute.")
    ] = 0.0,
    side: Annotated[
        int, typer.Option(help="Scale the photos to this longer side in pixels first, such as 1000; 0: as they are.")
    ] = 0,
    sample: StepSample = 400,
) -> HostRates:
    """Measure the photo stages with models that cost nothing: what the processor can prepare for a GPU.

    Index, faces and embeddings are made in a new root, on threads and on worker processes. Beside them the same files
    are decoded bare, from memory. Photos per second and core count the seconds of the processor, so that other work
    on the machine disturbs little.
    """
    if min([*at_once, sample]) < 1 or not 0 <= model_ms_per_batch < math.inf or not 0 <= side <= MOST_SIDE:
        raise UserError(
            f"--at-once {' '.join(map(str, at_once))} --sample {sample} --model-ms-per-batch {model_ms_per_batch:g} "
            f"--side {side}: give 1 or more of shards and photos, 0 or more milliseconds, and 0 to {MOST_SIDE} pixels"
        )
    with tempfile.TemporaryDirectory() as folder:
        if side:
            log.info("scale the photos to %d pixels", side)
            source, path = "image-folder", str(write_scaled_photos(source, path, Path(folder, "scaled"), side))
        feedings = []
        for processes in (False, True):
            for n in at_once:
                log.info("%d %s", n, "worker processes" if processes else "threads")
                feedings.append(run_in_own_process(feed, source, path, n, processes, model_ms_per_batch).result)
        steps: Steps = run_in_own_process(step_times, source, path, sample).result
    return HostRates(feedings, steps, model_ms_per_batch)
