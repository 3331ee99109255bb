"""Whose a stray photo is, among very many persons: our search and faiss's own, beside the exact one of the same run.

What counts is the finding: the person of another name who is liker than strangers get among so many. Persons and photos
are drawn as `benchmark world` draws them. Each search runs in a process of its own.
"""

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import numpy as np
import typer
from numpy.typing import NDArray

from flows.benchmark.drawn_identities import PERSON_SPREAD, PHOTO_NOISE, PHOTO_SPREAD, spectrum
from flows.benchmark.measured_process import alone
from flows.cli.options import Dim, Memory, Seed
from flows.cli.result import Result
from flows.cli.sizes import parse_memory
from pipeline.errors import UserError
from pipeline.noise.calibration import FACES, IDENTITIES
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

PHOTOS = 60  # of a person, behind its centre
STRANGERS = 0.5  # of the photos that are asked for; the others show one of the persons
Vectors = NDArray[np.float32]
Rows = NDArray[np.signedinteger[Any]]
EXACT, OURS = "exact (ours)", "by codes (ours)"
# what faiss offers for such a question; lists and links as its guidelines have them for 100,000 rows
PEERS = (
    ("faiss flat", "Flat", ""),
    ("faiss IVF, 64 of 1024 lists", "IVF1024,Flat", "nprobe=64"),
    ("faiss IVF, 256 of 1024 lists", "IVF1024,Flat", "nprobe=256"),
    ("faiss HNSW, 32 links, 128 seen", "HNSW32,Flat", "efSearch=128"),
)


class Asked(NamedTuple):
    """What is searched: how many persons and photos, of what length, drawn from which seed, in how much memory."""

    persons: int
    queries: int
    dim: int
    seed: int
    memory_bytes: int | None


class Drawn(NamedTuple):
    """Centres of persons [m, d] and photos [n, d]."""

    centres: Vectors
    photos: Vectors


class Answer(NamedTuple):
    """Rows [n, NEAREST] that were found for the photos, seconds to make ready and to search, and seconds of CPU."""

    rows: Rows
    ready: float
    seconds: float
    cpu: float


@dataclass(frozen=True)
class SearchComparison(Result):
    """A line a method."""

    methods: list[dict[str, Any]]
    size: str
    estimate: str

    def rows(self) -> list[dict[str, Any]]:
        """The methods, the exact one first."""
        return self.methods

    def lines(self) -> list[str]:
        """What was asked."""
        return [self.size, self.estimate]


def search(
    persons: Annotated[int, typer.Option(help="Person centres to look in.")] = 100_000,
    queries: Annotated[int, typer.Option(help="Photos to look for.")] = 10_000,
    dim: Dim = 512,
    seed: Seed = 0,
    memory: Memory = "",
    only_ours: Annotated[bool, typer.Option("--only-ours", help="Without faiss's own indices.")] = False,
) -> SearchComparison:
    """Our search for whom stray photos show, exact and by codes, beside faiss's: time, memory, and what is missed."""
    if min(persons, queries) < 10 or dim < 8:
        raise UserError(f"--persons {persons} --queries {queries} --dim {dim}: give 10 of both, and 8 numbers")
    asked = Asked(persons, queries, dim, seed, parse_memory(memory))
    coming = SearchSize("search", queries, persons, 0, (dim,))
    each = block_memory(coming, NEAREST, memory_bytes=asked.memory_bytes, workers=1)
    asked = asked._replace(memory_bytes=each)
    strangers = alone(calibration, asked).result
    (exact, query, best), _, peak = alone(_exactly, asked, strangers)
    found = [_row(EXACT, exact, exact, (query, best), peak)]
    for name, kind, setting in [(OURS, "", ""), *(() if only_ours else PEERS)]:
        answer, _, peak = alone(_answer, asked, strangers, kind, setting)
        found.append(_row(name, answer, exact, (query, best), peak))
    size = f"{queries:,} photos, {STRANGERS:.0%} of them of strangers, among {persons:,} persons of {dim} numbers"
    held = f"a stage that reads so many persons is expected to hold {coming.gallery_bytes() / GB:.2f} GB"
    return SearchComparison(found, f"{size}; {len(query):,} findings", held)


def _row(name: str, answer: Answer, exact: Answer, findings: tuple[Rows, Rows], peak: float) -> dict[str, Any]:
    query, best = findings
    return {
        "search": name,
        "ready s": f"{answer.ready:.1f}",
        "s": f"{answer.seconds:.1f}",
        "CPU s": f"{answer.cpu:.1f}",
        "times faster (CPU)": f"{exact.cpu / answer.cpu:.1f}",
        "findings": f"{(answer.rows[query] == best[:, None]).any(1).mean():.4f}",
        "nearest": f"{(answer.rows == exact.rows[:, :1]).any(1).mean():.4f}",
        f"{NEAREST} nearest": f"{(answer.rows[:, :, None] == exact.rows[:, None]).any(1).mean():.4f}",
        "GB": f"{peak:.2f}",
    }


def _exactly(asked: Asked, found: Calibration) -> tuple[Answer, Rows, Rows]:
    """The exact neighbours, and the findings: which photo is whose."""
    drawn = draw(asked)
    gallery, about = (without_impostor_mean(x, found.impostors[0]) for x in (drawn.centres, drawn.photos))
    answer = _timed(lambda: gallery, lambda x: nearest(about, x, NEAREST, memory_bytes=asked.memory_bytes)[1])
    names = np.array([f"m.{i:07}" for i in range(asked.persons)], object)
    number, centres = np.zeros(len(names), np.int64), impostor_stats(drawn.centres, found.impostors[0])
    people = PersonGallery(names, names, number, number, number, [centres], [Index(gallery)], [])
    min_score = threshold_at_far(found.fused_curve, REPORTED * Rates().misplaced / asked.persons)
    stray = np.full(len(about), "", object)
    photos = [impostor_stats(drawn.photos, found.impostors[0])]
    matches = other_identities(photos, stray, people, found, min_score=min_score, memory_bytes=asked.memory_bytes)
    return answer, matches.query, matches.row


def _answer(asked: Asked, found: Calibration, kind: str, setting: str) -> Answer:
    """The neighbours by codes, or by one of faiss's kinds of index."""
    drawn = draw(asked)
    gallery, about = (without_impostor_mean(x, found.impostors[0]) for x in (drawn.centres, drawn.photos))
    if not kind:
        ready: Callable[[], Index] = lambda: build_index(gallery)  # noqa: E731
        return _timed(ready, lambda x: nearest(about, x, NEAREST, memory_bytes=asked.memory_bytes)[1])
    return _timed(lambda: factory_index(gallery, kind, setting), lambda index: index.search(about, NEAREST)[1])


def _timed(ready: Callable[[], Any], find: Callable[[Any], Rows]) -> Answer:
    start = time.monotonic()
    gallery = ready()
    begun, cpu = time.monotonic(), _cpu()
    rows = find(gallery)
    return Answer(rows, begun - start, time.monotonic() - begun, _cpu() - cpu)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def draw(asked: Asked) -> Drawn:
    """Persons, and photos of which some show one of them."""
    _, queries, dim, seed, _ = asked
    rng = np.random.default_rng([seed, 0])
    people, added = _people(asked.persons, dim, rng)
    centres = _unit(people, (added / np.float32(PHOTOS**0.5))[:, None], rng)
    who = rng.integers(0, asked.persons, queries)
    whom = np.where((np.arange(queries) < STRANGERS * queries)[:, None], np.float32(0), people[who])
    photo = np.exp(rng.normal(0, PHOTO_SPREAD, queries)).astype(np.float32)
    return Drawn(centres, _unit(whom, (added[who] * photo)[:, None], rng))


def calibration(asked: Asked) -> Calibration:
    """How strangers look, from photos of other people."""
    rng = np.random.default_rng([asked.seed, 1])
    others, added = _people(IDENTITIES, asked.dim, rng)
    photos, names = _unit(others.repeat(FACES, 0), added.repeat(FACES)[:, None], rng), np.arange(IDENTITIES)
    return calibrate([photos], identity=names.repeat(FACES))


def _people(n: int, dim: int, rng: np.random.Generator) -> tuple[Vectors, Vectors]:
    """Directions [n, dim], and how much a photo adds to each [n]."""
    return rng.standard_normal((n, dim), np.float32), (PHOTO_NOISE * np.exp(rng.normal(0, PERSON_SPREAD, n))).astype(
        np.float32
    )


def _unit(people: Vectors, added: Vectors, rng: np.random.Generator) -> Vectors:
    x = rng.standard_normal(people.shape, np.float32)
    x *= added
    x += people
    x *= spectrum(people.shape[1])
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return x
