"""Search for the person whom a photo shows among very many: by codes and by faiss's indices, beside an exact search.

A search is measured by the findings that it keeps: a finding is a person of another identity whose score with the photo
passes the pipeline's threshold for this number of persons. Persons and photos are drawn as `benchmark world` draws
them. Each search runs in a process of its own.
"""

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, NamedTuple

import numpy as np
import typer
from numpy.typing import NDArray

from flows.benchmark.drawn.identities import PERSON_SPREAD, PHOTO_NOISE, PHOTO_SPREAD, spectrum
from flows.benchmark.speed.measured_process import run_in_own_process
from flows.cli.options import Dim, Memory, Seed
from flows.cli.result import Result
from flows.cli.sizes import parse_memory
from pipeline.errors import UserError
from pipeline.noise.calibration import FACES, IDENTITIES
from pipeline.noise.groups.calibrations import Calibrations
from pipeline.noise.person_gallery import PersonGallery
from pipeline.noise.policy import Rates
from pipeline.noise.scores.calibrate import calibrate
from pipeline.noise.scores.far_curve import threshold_at_far
from pipeline.noise.scores.fusion import Calibration
from pipeline.noise.scores.score_norm import impostor_stats
from pipeline.noise.search.candidates import without_impostor_mean
from pipeline.noise.search.neighbours import Index, build_index, factory_index, nearest
from pipeline.noise.search.search_memory import GB, SearchSize, block_memory
from pipeline.noise.stages import REPORTED
from pipeline.noise.strays import NEAREST, other_identities

PERSON_PHOTOS = 60  # photos behind the centre of a person
UNKNOWN = 0.5  # share of the query photos that show none of the persons
Vectors = NDArray[np.float32]
Rows = NDArray[np.signedinteger[Any]]
EXACT, CODES = "exact (ours)", "by codes (ours)"
# indices of faiss: name, factory string, search parameter; lists and links as its guidelines give for 100,000 rows
PEERS = (
    ("faiss flat", "Flat", ""),
    ("faiss IVF, 64 of 1024 lists", "IVF1024,Flat", "nprobe=64"),
    ("faiss IVF, 256 of 1024 lists", "IVF1024,Flat", "nprobe=256"),
    ("faiss HNSW, 32 links, 128 seen", "HNSW32,Flat", "efSearch=128"),
)


class SearchTask(NamedTuple):
    """Numbers of persons and query photos, the length of embeddings, the seed, the memory for a block of scores."""

    persons: int
    queries: int
    dim: int
    seed: int
    memory_bytes: int | None


class DrawnVectors(NamedTuple):
    """Unit centres of persons [m, d] and unit embeddings of query photos [n, d]."""

    centres: Vectors
    photos: Vectors


class SearchRun(NamedTuple):
    """Rows of the nearest persons of each photo [n, NEAREST]; seconds to prepare the index, to search, and of CPU."""

    rows: Rows
    prepare_seconds: float
    seconds: float
    cpu_seconds: float


class Findings(NamedTuple):
    """The photo [m] and the row of the person [m] of each finding of the exact search."""

    photo: Rows
    person: Rows


@dataclass(frozen=True)
class SearchComparison(Result):
    """Time, memory and results of each search."""

    methods: list[dict[str, Any]]
    size: str
    estimate: str

    def rows(self) -> list[dict[str, Any]]:
        """One row for each search, the exact one first."""
        return self.methods

    def lines(self) -> list[str]:
        """What was searched, and the memory that was expected."""
        return [self.size, self.estimate]


def search(
    persons: Annotated[int, typer.Option(help="Persons to search among.")] = 100_000,
    *,
    queries: Annotated[int, typer.Option(help="Photos whose persons are searched for.")] = 10_000,
    dim: Dim = 512,
    seed: Seed = 0,
    memory: Memory = "",
    only_ours: Annotated[bool, typer.Option("--only-ours", help="Without faiss's own indices.")] = False,
) -> SearchComparison:
    """Measure our search for the persons of stray photos, exact and by codes, beside faiss's: time, memory, misses."""
    if min(persons, queries) < 10 or dim < 8:
        raise UserError(
            f"--persons {persons} --queries {queries} --dim {dim}: "
            "give at least 10 persons and queries, and embeddings of 8 numbers"
        )
    task = SearchTask(persons, queries, dim, seed, parse_memory(memory))
    expected = SearchSize("search", queries, persons, 0, (dim,))
    block_bytes = block_memory(expected, NEAREST, memory_bytes=task.memory_bytes, workers=1)
    task = task._replace(memory_bytes=block_bytes)
    calibration = run_in_own_process(calibrate_on_others, task).result
    (exact, findings), _, peak_gb = run_in_own_process(_search_exactly, task, calibration)
    rows = [_row(EXACT, exact, exact, findings, peak_gb)]
    for name, kind, setting in [(CODES, "", ""), *(() if only_ours else PEERS)]:
        run, _, peak_gb = run_in_own_process(_search_with, task, calibration, kind, setting)
        rows.append(_row(name, run, exact, findings, peak_gb))
    unknown = f"{UNKNOWN:.0%} of them of unknown people"
    size = f"{queries:,} photos, {unknown}, among {persons:,} persons of {dim} numbers"
    held = f"a stage that reads {persons:,} persons is expected to hold {expected.gallery_bytes() / GB:.2f} GB"
    return SearchComparison(rows, f"{size}; {len(findings.photo):,} findings", held)


def _row(name: str, run: SearchRun, exact: SearchRun, findings: Findings, peak_gb: float) -> dict[str, Any]:
    """A row of the table: the search's time, and its shares of the exact search's findings and nearest persons."""
    return {
        "search": name,
        "seconds to prepare": f"{run.prepare_seconds:.1f}",
        "seconds to search": f"{run.seconds:.1f}",
        "CPU seconds": f"{run.cpu_seconds:.1f}",
        "times faster (CPU)": f"{exact.cpu_seconds / run.cpu_seconds:.1f}",
        "findings": f"{(run.rows[findings.photo] == findings.person[:, None]).any(1).mean():.4f}",
        "nearest": f"{(run.rows == exact.rows[:, :1]).any(1).mean():.4f}",
        f"{NEAREST} nearest": f"{(run.rows[:, :, None] == exact.rows[:, None]).any(1).mean():.4f}",
        "GB": f"{peak_gb:.2f}",
    }


def _search_exactly(task: SearchTask, calibration: Calibration) -> tuple[SearchRun, Findings]:
    """The exact nearest persons, and the findings of the pipeline's search for strays."""
    drawn = draw_vectors(task)
    gallery, queries = (without_impostor_mean(x, calibration.impostors[0]) for x in (drawn.centres, drawn.photos))
    run = _timed(lambda: gallery, lambda x: nearest(queries, x, NEAREST, memory_bytes=task.memory_bytes)[1])
    identities = np.array([f"m.{i:07}" for i in range(task.persons)], object)
    zeros, centres = np.zeros(len(identities), np.int64), impostor_stats(drawn.centres, calibration.impostors[0])
    persons = PersonGallery(identities, identities, zeros, zeros, zeros, [centres], [Index(gallery)], [])
    threshold = threshold_at_far(calibration.fused_curve, REPORTED * Rates().misplaced / task.persons)
    unnamed = np.full(len(queries), "", object)
    photos = [impostor_stats(drawn.photos, calibration.impostors[0])]
    matches = other_identities(
        photos, unnamed, persons, Calibrations(calibration), min_score=threshold, memory_bytes=task.memory_bytes
    )
    return run, Findings(matches.query, matches.row)


def _search_with(task: SearchTask, calibration: Calibration, kind: str, setting: str) -> SearchRun:
    """The nearest persons by an index of faiss; kind: its factory string, or "" for the pipeline's own codes."""
    drawn = draw_vectors(task)
    gallery, queries = (without_impostor_mean(x, calibration.impostors[0]) for x in (drawn.centres, drawn.photos))
    if not kind:
        return _timed(
            partial(build_index, gallery), lambda x: nearest(queries, x, NEAREST, memory_bytes=task.memory_bytes)[1]
        )
    return _timed(lambda: factory_index(gallery, kind, setting), lambda index: index.search(queries, NEAREST)[1])


def _timed(prepare: Callable[[], Any], search: Callable[[Any], Rows]) -> SearchRun:
    start = time.monotonic()
    gallery = prepare()
    ready, cpu = time.monotonic(), _cpu_seconds()
    rows = search(gallery)
    return SearchRun(rows, ready - start, time.monotonic() - ready, _cpu_seconds() - cpu)


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def draw_vectors(task: SearchTask) -> DrawnVectors:
    """Persons' centres and query photos; a share UNKNOWN of the photos shows none of the persons."""
    _, queries, dim, seed, _ = task
    rng = np.random.default_rng([seed, 0])
    directions, noise = _draw_people(task.persons, dim, rng)
    centres = _unit(directions, (noise / np.float32(PERSON_PHOTOS**0.5))[:, None], rng)
    person = rng.integers(0, task.persons, queries)
    unknown = np.arange(queries) < UNKNOWN * queries
    shown = np.where(unknown[:, None], np.float32(0), directions[person])
    photo_noise = np.exp(rng.normal(0, PHOTO_SPREAD, queries)).astype(np.float32)
    return DrawnVectors(centres, _unit(shown, (noise[person] * photo_noise)[:, None], rng))


def calibrate_on_others(task: SearchTask) -> Calibration:
    """The calibration of impostor scores, from photos of people who are not among the persons."""
    rng = np.random.default_rng([task.seed, 1])
    directions, noise = _draw_people(IDENTITIES, task.dim, rng)
    photos = _unit(directions.repeat(FACES, 0), noise.repeat(FACES)[:, None], rng)
    return calibrate([photos], identity=np.arange(IDENTITIES).repeat(FACES))


def _draw_people(n: int, dim: int, rng: np.random.Generator) -> tuple[Vectors, Vectors]:
    """Directions of persons [n, dim], and the median length of the noise in photos of each [n]."""
    directions = rng.standard_normal((n, dim), np.float32)
    return directions, (PHOTO_NOISE * np.exp(rng.normal(0, PERSON_SPREAD, n))).astype(np.float32)


def _unit(directions: Vectors, noise: Vectors, rng: np.random.Generator) -> Vectors:
    """Unit embeddings [n, dim] of directions [n, dim] plus drawn noise; noise: its length [n, 1]."""
    x = rng.standard_normal(directions.shape, np.float32)
    x *= noise
    x += directions
    x *= spectrum(directions.shape[1])
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return x
