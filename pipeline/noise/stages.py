"""The stages of finding noise in their order, each a table: calibration, copies, clusters, persons, findings.

Keys of `params` are in the tables' addresses, so they keep their names; each stage's function says what they mean.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pyarrow as pa

from pipeline import schema
from pipeline.noise import known, strays
from pipeline.noise.calibration import CALIBRATION, calibration_shard, read_calibration
from pipeline.noise.clusters import ABSORB_FAR, CLUSTERS, FALSE_LINKS, cluster_shard
from pipeline.noise.conflicts import conflict_shard
from pipeline.noise.copies import CANDIDATE_FAR, COPIES, copy_shard
from pipeline.noise.findings import combine_findings
from pipeline.noise.person_gallery import NEIGHBOURS, comparable
from pipeline.noise.persons import SECOND_FACES, SECOND_SHARE, person_shard, persons_schema
from pipeline.noise.pictures.face_digests import FaceShards
from pipeline.noise.policy import Rates, Thresholds, thresholds
from pipeline.noise.relations import relation_shard
from pipeline.noise.scores.fusion import Calibration
from pipeline.noise.search.search_memory import SearchSize, block_memory
from pipeline.noise.suspects import suspect_shard
from pipeline.tables.build import Workers
from pipeline.tables.build import build as build_table
from pipeline.tables.table import Shard, Table, read_shards

REPORTED = 10.0  # findings reach this many times the rates at which the policy acts: people are asked about the others
TestSets = Sequence[tuple[Table, Sequence[Table]]]  # the faces of each, and their embeddings by each embedder


class Noise(NamedTuple):
    """What is known of a data set's noise: everything that labels need."""

    calibration: Table
    copies: Table
    clusters: Table
    persons: Table
    findings: Table
    thresholds: Thresholds


def find(
    root: str,
    faces: Table,
    embeddings: Sequence[Table],
    *,
    tests: TestSets = (),
    rates: Rates | None = None,
    workers: Workers = None,
    memory_bytes: int | None = None,
    build: Callable[..., Table] = build_table,
) -> Noise:
    """The noise of a data set: faces and their embeddings, one table for each embedder, the better one first.

    tests: faces and embeddings, by the same embedders, of each test set. memory_bytes: for the searches among all
    persons, which take it in smaller blocks and find the same. build: what makes a table, to be timed or watched.
    """
    run = _Run(root, faces, embeddings, tests, rates or Rates(), workers, memory_bytes, build)
    calibration = run.make("calibration", calibration_shard, [run.all_embeddings()], schema=CALIBRATION)
    model = calibration.shards[0]
    scores = read_calibration(root, model)
    copies = _copies(run, model)
    clusters = _clusters(run, model, copies)
    persons = _persons(run, model, scores, copies, clusters)
    counts = _count(scores, persons)
    tables = [
        _suspects(run, model, copies, clusters, persons),
        _strays(run, model, scores, counts, clusters, persons),
        _relations(run, model, scores, counts, persons),
        _conflicts(run, model, copies),
    ]
    if known.has_unnamed(embeddings[0]):
        tables.append(_known(run, model, scores, counts, persons))
    parts = [tuple(shard for table in tables for shard in table.shards)]
    findings = run.make("findings", gather_shard, parts)
    limits = thresholds(scores, persons=counts.persons, tests=run.test_photos(), rates=run.rates)
    return Noise(calibration, copies, clusters, persons, findings, limits)


@dataclass(frozen=True)
class _Run:
    """What all stages are made from, and how their tables are built."""

    root: str
    faces: Table
    embeddings: Sequence[Table]
    tests: TestSets
    rates: Rates
    workers: Workers
    memory_bytes: int | None
    build: Callable[..., Table]

    def make(
        self,
        name: str,
        function: Callable[..., pa.Table],
        parts: Sequence[Any],
        *,
        schema: pa.Schema = schema.FINDINGS,
        version: int = 1,
        params: dict[str, Any] | None = None,
        unhashed: Mapping[str, Any] | None = None,
    ) -> Table:
        """The table of one stage; its function also gets the root."""
        return self.build(
            self.root,
            name,
            function,
            parts,
            schema=schema,
            version=version,
            params=params,
            unhashed={"root": self.root, **(unhashed or {})},
            workers=self.workers,
        )

    def all_embeddings(self) -> tuple[list[Shard], ...]:
        """For each embedder all shards of embeddings."""
        return tuple(t.shards for t in self.embeddings)

    def beside(self, *tables: Table, embeddings: bool = False) -> list[tuple[Any, ...]]:
        """For each shard of the data the shards of these tables, after those of each embedder's embeddings."""
        views = list(zip(*self.all_embeddings(), strict=True))
        return list(zip(*([views] if embeddings else []), *(t.shards for t in tables), strict=True))

    def test_photos(self) -> int:
        """The number of photos in all test sets."""
        return sum(len(embeddings[0]) for _, embeddings in self.tests)

    def block_memory(self, search: SearchSize, k: int) -> int | None:
        """What the blocks of a search may take; announces a large search."""
        return block_memory(search, k, memory_bytes=self.memory_bytes, workers=self.workers)


class _Counts(NamedTuple):
    """How many persons can be compared with, and at most how many faces are none of theirs."""

    persons: int
    strays: int


def _copies(run: _Run, model: Shard) -> Table:
    params = {"calibration": model, "alike": CANDIDATE_FAR, "least": run.rates.same_picture}
    parts = list(zip(run.faces.shards, zip(*run.all_embeddings(), strict=True), strict=True))
    return run.make("copies", copy_shard, parts, schema=COPIES, version=2, params=params)


def _clusters(run: _Run, model: Shard, copies: Table) -> Table:
    params = {"calibration": model, "link": FALSE_LINKS, "join": run.rates.outlier, "absorb": ABSORB_FAR}
    parts = run.beside(copies, embeddings=True)
    return run.make("clusters", cluster_shard, parts, schema=CLUSTERS, version=2, params=params)


def _persons(run: _Run, model: Shard, scores: Calibration, copies: Table, clusters: Table) -> Table:
    params = {"calibration": model, "faces": SECOND_FACES, "share": SECOND_SHARE}
    parts = run.beside(copies, clusters, embeddings=True)
    return run.make("persons", person_shard, parts, schema=persons_schema(_dims(scores)), params=params)


def _suspects(run: _Run, model: Shard, copies: Table, clusters: Table, persons: Table) -> Table:
    params = {"calibration": model, "odd": run.rates.odd, "poor_px": run.rates.poor_px}
    return run.make("suspects", suspect_shard, run.beside(run.faces, copies, clusters, persons), params=params)


def _strays(run: _Run, model: Shard, scores: Calibration, counts: _Counts, clusters: Table, persons: Table) -> Table:
    params = {
        "calibration": model,
        "persons": persons.shards,
        "rate": REPORTED * run.rates.misplaced,
        "alone": strays.FACE_FAR,
    }
    size = SearchSize("strays", counts.strays, counts.persons, 0, _dims(scores))
    memory = run.block_memory(size, strays.NEAREST)
    parts = run.beside(clusters, persons, embeddings=True)
    return run.make("strays", strays.stray_shard, parts, version=3, params=params, unhashed={"memory_bytes": memory})


def _relations(run: _Run, model: Shard, scores: Calibration, counts: _Counts, persons: Table) -> Table:
    rates = run.rates
    params = {
        "calibration": model,
        "merge": REPORTED * rates.merge,
        "overlap": REPORTED * rates.overlap,
        "odd_pairs": rates.odd_pairs,
        "odd_photo": rates.odd_photo,
    }
    size = SearchSize("relations", counts.persons, counts.persons, run.test_photos(), _dims(scores))
    memory = run.block_memory(size, NEIGHBOURS + 1)
    every = tuple(persons.shards), _test_embeddings(run)
    parts = [(i, *every) for i in range(len(persons.shards))]
    return run.make("relations", relation_shard, parts, version=4, params=params, unhashed={"memory_bytes": memory})


def _test_embeddings(run: _Run) -> tuple[tuple[Shard, ...], ...]:
    """For each embedder the shards of all test sets' embeddings."""
    return tuple(
        tuple(shard for _, embeddings in run.tests for shard in embeddings[e].shards)
        for e in range(len(run.embeddings))
    )


def _conflicts(run: _Run, model: Shard, copies: Table) -> Table:
    params = {"calibration": model, "alike": CANDIDATE_FAR, "least": run.rates.same_picture}
    data = FaceShards(run.faces.shards, copies.shards, run.all_embeddings())
    tests = [FaceShards(faces.shards, [], tuple(t.shards for t in embeddings)) for faces, embeddings in run.tests]
    return run.make("conflicts", conflict_shard, [(data, tests)], params=params)


def _known(run: _Run, model: Shard, scores: Calibration, counts: _Counts, persons: Table) -> Table:
    params = {"calibration": model, "persons": persons.shards, "rate": REPORTED * run.rates.misplaced}
    size = SearchSize("known", len(run.embeddings[0]), counts.persons, 0, _dims(scores))
    memory = run.block_memory(size, known.NEAREST)
    parts = list(zip(*run.all_embeddings(), strict=True))
    return run.make("known", known.known_shard, parts, version=3, params=params, unhashed={"memory_bytes": memory})


def gather_shard(part: Sequence[Shard], *, root: str) -> pa.Table:
    """All findings as one table."""
    return combine_findings(read_shards(root, part))


def _dims(scores: Calibration) -> tuple[int, ...]:
    """The length of each embedder's vectors."""
    return tuple(len(m.mean) for m in scores.impostors)


def _count(scores: Calibration, persons: Table) -> _Counts:
    count, faces = 0, 0
    for rows in persons.batches(["cluster", "size", "of", "cohesion", "cohesion_second"]):
        compared = comparable(rows, scores)
        cluster, of, size = (rows[c].to_numpy() for c in ("cluster", "of", "size"))
        count += int(compared.sum())
        faces += int(of[cluster == 0].sum()) - int(size[compared].sum())
    return _Counts(count, faces)
