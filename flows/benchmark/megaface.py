"""Identification as MegaFace measures it, at its full size, on drawn embeddings; beside a bare faiss search."""

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
from trainer.evaluation.identification import FARS, Identification, identify

log = logging.getLogger("refinery")
BLOCK = 8192
WRONG = 0.02  # share of the probes that do not show their claimed person
Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class IdentificationTrial(Result):
    """The figures of an identification, and its time and memory."""

    figures: list[dict[str, Any]]
    size: str
    seconds: float
    faiss_seconds: float
    peak_gb: float

    def rows(self) -> list[dict[str, Any]]:
        """One row for each figure."""
        return self.figures

    def lines(self) -> list[str]:
        """Time and memory, beside those of a bare search."""
        ratio = f"the above is {self.seconds / self.faiss_seconds:.2f} times that"
        return [
            f"{self.size}: {self.seconds:.0f} s, at most {self.peak_gb:.2f} GB of memory",
            f"a bare faiss flat search of the same size: {self.faiss_seconds:.0f} s ({ratio}, block by block in turn)",
        ]


@dataclass
class _BareSearch:
    """A bare search of each block just before the block is identified: the machine's changes of speed then hit both."""

    probes: Vectors
    seconds: float = 0.0  # of the bare search
    other_seconds: float = 0.0  # not of the identification: those of the bare search and of drawing the blocks

    def searched_first(self, blocks: Iterator[Vectors], distractors: int) -> Iterator[Vectors]:
        """The blocks, each yielded after its bare search; every ten seconds the progress is logged."""
        passed, started = 0, time.monotonic()
        logged = returned = started
        for block in blocks:
            start = time.monotonic()
            nearest(self.probes, block, 1)
            end = time.monotonic()
            self.seconds += end - start
            self.other_seconds += end - returned
            yield block
            returned = time.monotonic()
            passed += len(block)
            if returned - logged > 10:
                left = (returned - started) / passed * (distractors - passed)
                log.info("%d of %d distractors, %.0f s left", passed, distractors, left)
                logged = returned


def megaface(
    probe_photos: Annotated[int, typer.Option(help="Photos of the probes.")] = 100_000,
    probe_people: Annotated[int, typer.Option(help="People that the probes show; FaceScrub has 530.")] = 530,
    distractors: Annotated[int, typer.Option(help="Distractor photos.")] = 1_000_000,
    dim: Dim = 512,
    seed: Seed = 0,
) -> IdentificationTrial:
    """Identify drawn probes among drawn distractors: rates, and time and memory beside a bare faiss flat search."""
    if min(probe_people, distractors, dim) < 1 or probe_photos < 2 * probe_people:
        raise UserError(
            f"--probe-photos {probe_photos} --probe-people {probe_people} --distractors {distractors} --dim {dim}: "
            "give at least two photos per person, and 1 or more of the others"
        )
    x, person = draw_probes(probe_photos, probe_people, dim, seed)
    bare = _BareSearch(x)
    blocks = draw_distractors(distractors, dim, seed, block=8 * BLOCK)
    start = time.monotonic()
    identified = identify(x, person, bare.searched_first(blocks, distractors))
    seconds = time.monotonic() - start - bare.other_seconds
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    drawn = f"{probe_photos:,} probes of {probe_people} people, {identified.pairs:,} pairs"
    size = f"{drawn}, {distractors:,} distractors of {dim} numbers"
    return IdentificationTrial(_figures(identified), size, seconds, bare.seconds, peak_gb)


def _figures(identified: Identification) -> list[dict[str, Any]]:
    """Identification rates among each number of distractors, and TAR at each FAR."""
    ranks = [
        {"figure": f"rank-{k}", "distractors": size, "value": _with_interval(identified.rank(k, size))}
        for size in identified.sizes
        for k in (1, 10, 100)
    ]
    tars = [
        {"figure": f"TAR@FAR={far:g}", "distractors": identified.sizes[-1], "value": _with_interval(tar)}
        for far in FARS
        if (tar := identified.tar(far))
    ]
    return ranks + tars


def draw_probes(n: int, people: int, dim: int, seed: int) -> tuple[Vectors, NDArray[np.int64]]:
    """Unit embeddings [n, dim] and the claimed person of each [n].

    The spread of photos differs from person to person; a share of WRONG of the photos shows another person.
    """
    rng = np.random.default_rng([seed, 0])
    person = np.arange(n) % people
    spread = rng.uniform(0.8, 2.2, people).astype(np.float32)[person, None]
    centres = rng.standard_normal((people, dim), np.float32)
    x = centres[person] + spread * rng.standard_normal((n, dim), np.float32)
    wrong = rng.random(n) < WRONG
    x[wrong] = rng.standard_normal((int(wrong.sum()), dim), np.float32)
    return _unit(x), person.astype(np.int64)


def draw_distractors(n: int, dim: int, seed: int, *, block: int = BLOCK) -> Iterator[Vectors]:
    """n unit embeddings, the same in blocks of any size that is a multiple of BLOCK."""
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


def _with_interval(value: tuple[float, float, float]) -> str:
    return "{:.4f} [{:.4f}, {:.4f}]".format(*value)
