"""MegaFace's identification at its real size on drawn vectors, beside a bare faiss search of the same size."""

import logging
import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from flows.cli.options import Dim, Seed
from flows.cli.result import Result
from pipeline.errors import UserError
from pipeline.noise.search.neighbours import nearest
from trainer.evaluation.identification import FARS, identify

log = logging.getLogger("refinery")
BLOCK = 8192
WRONG = 0.02  # of the probes show nobody they are said to show
Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class IdentificationTrial(Result):
    """What was found, and what it took."""

    figures: list[dict[str, Any]]
    size: str
    seconds: float
    faiss_seconds: float
    peak_gb: float

    def rows(self) -> list[dict[str, Any]]:
        """A line a figure."""
        return self.figures

    def lines(self) -> list[str]:
        """Time and memory beside the bare search."""
        ratio = f"the above is {self.seconds / self.faiss_seconds:.2f} times that"
        return [
            f"{self.size}: {self.seconds:.0f} s, at most {self.peak_gb:.2f} GB of memory",
            f"a bare faiss flat search of the same size: {self.faiss_seconds:.0f} s ({ratio}, block by block in turn)",
        ]


@dataclass
class _Bare:
    """The bare search of each block just before the block is identified, so that both meet the same machine."""

    x: Vectors
    seconds: float = 0.0
    away: float = 0.0  # not spent on identification: the search, and the drawing

    def beside(self, blocks: Iterator[Vectors], of: int) -> Iterator[Vectors]:
        """The blocks, and a line every ten seconds or so."""
        seen, began = 0, time.monotonic()
        last = left = began
        for block in blocks:
            start = time.monotonic()
            nearest(self.x, block, 1)
            back = time.monotonic()
            self.seconds += back - start
            self.away += back - left
            yield block
            left = time.monotonic()
            seen += len(block)
            if left - last > 10:
                log.info("%d of %d distractors, %.0f s left", seen, of, (left - began) / seen * (of - seen))
                last = left


def megaface(
    probe_photos: Annotated[int, typer.Option(help="Photos of people.")] = 100_000,
    probe_people: Annotated[int, typer.Option(help="People that they show; FaceScrub has 530.")] = 530,
    distractors: Annotated[int, typer.Option(help="Photos of other people.")] = 1_000_000,
    dim: Dim = 512,
    seed: Seed = 0,
) -> IdentificationTrial:
    """Ranks and rates of drawn probes among drawn distractors: time and memory beside a bare faiss flat search."""
    if min(probe_people, distractors, dim) < 1 or probe_photos < 2 * probe_people:
        raise UserError(
            f"--probe-photos {probe_photos} --probe-people {probe_people}: give two photos a person or more, "
            "and 1 or more of the rest"
        )
    x, person = draw_probes(probe_photos, probe_people, dim, seed)
    bare = _Bare(x)
    start = time.monotonic()
    found = identify(x, person, bare.beside(draw_distractors(distractors, dim, seed, block=8 * BLOCK), distractors))
    seconds = time.monotonic() - start - bare.away
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    figures = [
        {"figure": f"rank-{k}", "distractors": n, "value": _shown(found.rank(k, n))}
        for n in found.sizes
        for k in (1, 10, 100)
    ]
    figures += [
        {"figure": f"TAR@FAR={far:g}", "distractors": distractors, "value": _shown(rate)}
        for far in FARS
        if (rate := found.tar(far))
    ]
    size = (
        f"{probe_photos:,} probes of {probe_people} people, {found.pairs:,} pairs, {distractors:,} distractors of {dim}"
    )
    return IdentificationTrial(figures, size, seconds, bare.seconds, peak)


def draw_probes(n: int, people: int, dim: int, seed: int) -> tuple[Vectors, NDArray[np.int64]]:
    """Unit vectors [n, dim] and whom they show [n]: people differ in how alike their photos are, WRONG show nobody."""
    rng = np.random.default_rng([seed, 0])
    person = np.arange(n) % people
    spread = rng.uniform(0.8, 2.2, people).astype(np.float32)[person, None]
    centres = rng.standard_normal((people, dim), np.float32)
    x = centres[person] + spread * rng.standard_normal((n, dim), np.float32)
    wrong = rng.random(n) < WRONG
    x[wrong] = rng.standard_normal((int(wrong.sum()), dim), np.float32)
    return _unit(x), person.astype(np.int64)


def draw_distractors(n: int, dim: int, seed: int, *, block: int = BLOCK) -> Iterator[Vectors]:
    """The same n unit vectors in blocks of a size that BLOCK goes into."""
    waiting: list[Vectors] = []
    for start in range(0, n, BLOCK):
        waiting.append(
            _unit(np.random.default_rng([seed, 1, start]).standard_normal((min(BLOCK, n - start), dim), np.float32))
        )
        if len(waiting) * BLOCK >= block:
            yield np.concatenate(waiting)
            waiting = []
    if waiting:
        yield np.concatenate(waiting)


def _unit(x: Vectors) -> Vectors:
    return np.asarray(x / np.linalg.norm(x, axis=1, keepdims=True), np.float32)


def _shown(value: tuple[float, float, float]) -> str:
    return "{:.4f} [{:.4f}, {:.4f}]".format(*value)
