"""find_noise() runs the stages of finding noise in order; each makes a table.

The keys of `params` are part of the tables' addresses and must not be renamed. The function of each stage explains its
parameters.
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
from pipeline.noise.pictures.related_faces import Connections
from pipeline.noise.policy import Rates, Thresholds, thresholds
from pipeline.noise.relations import relation_shard
from pipeline.noise.scores.fusion import Calibration
from pipeline.noise.search.search_memory import SearchSize, block_memory
from pipeline.noise.suspects import suspect_shard
from pipeline.tables.build import Workers
from pipeline.tables.build import build as build_table
from pipeline.tables.table import Shard, Table, read_shards

# findings are reported at this multiple of the policy's rates; people are asked about those that the policy leaves
REPORTED = 10.0
TestSets = Sequence[tuple[Table, Sequence[Table]]]  # of each: its faces, and their embeddings by each embedder


class Noise(NamedTuple):
    """The tables and thresholds of finding noise that later stages need."""

    calibration: Table
    copies: Table
    clusters: Table
    persons: Table
    findings: Table
    thresholds: Thresholds


def find_noise(
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
    """Find the noise in a data set.

    faces, embeddings: of the data set; a table of embeddings for each embedder, the better embedder first. tests: faces
    and embeddings, by the same embedders, of each test set. memory_bytes: the limit for searches among all persons,
    which changes no result. build: the function that makes a table; benchmarks give one that measures.
    """
    run = _Run(root, faces, embeddings, tests, rates or Rates(), workers, memory_bytes, build)
    table = run.make("calibration", calibration_shard, [run.all_embeddings()], schema=CALIBRATION)
    calibration = table.shards[0]
    score_calibration = read_calibration(root, calibration)
    copies = _copies(run, calibration)
    clusters = _clusters(run, calibration, copies)
    dims = tuple(len(impostors.mean) for impostors in score_calibration.impostors)
    persons = _persons(run, calibration, dims, copies, clusters)
    counts = _count(score_calibration, persons, dims)
    strays = _strays(run, calibration, counts, clusters, persons)
    relations = _relations(run, calibration, counts, persons)
    detected = [
        _suspects(run, calibration, copies, clusters, persons),
        strays,
        relations,
        _conflicts(run, calibration, copies, Connections([*strays.shards, *relations.shards], persons.shards)),
    ]
    if known.has_unnamed_photos(embeddings[0]):
        detected.append(_known(run, calibration, counts, persons))
    parts = [tuple(shard for findings in detected for shard in findings.shards)]
    findings = run.make("findings", findings_shard, parts)
    limits = thresholds(score_calibration, persons=counts.persons, tests=run.test_photos(), rates=run.rates)
    return Noise(table, copies, clusters, persons, findings, limits)


@dataclass(frozen=True)
class _Run:
    """The inputs that all stages share, and how their tables are built."""

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
        """Build the table of one stage; its function gets the root as an argument, too."""
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

    def parts_of(self, *tables: Table, embeddings: bool = False) -> list[tuple[Any, ...]]:
        """For each shard of the data set the shards of these tables, after those of each embedder if `embeddings`."""
        by_shard = list(zip(*self.all_embeddings(), strict=True))
        return list(zip(*([by_shard] if embeddings else []), *(t.shards for t in tables), strict=True))

    def test_photos(self) -> int:
        """The number of photos in all test sets."""
        return sum(len(embeddings[0]) for _, embeddings in self.tests)

    def block_memory(self, search: SearchSize, k: int) -> int | None:
        """How much memory the blocks of a search may take; logs the need of a large search."""
        return block_memory(search, k, memory_bytes=self.memory_bytes, workers=self.workers)


class _Counts(NamedTuple):
    """Numbers that the memory of a search depends on."""

    persons: int  # in the gallery: those that comparable() accepts
    strays: int  # the largest possible number of faces that belong to none of these
    dims: tuple[int, ...]  # the length of each embedder's vectors


def _copies(run: _Run, calibration: Shard) -> Table:
    params = {"calibration": calibration, "alike": CANDIDATE_FAR, "least": run.rates.same_picture}
    parts = list(zip(run.faces.shards, zip(*run.all_embeddings(), strict=True), strict=True))
    return run.make("copies", copy_shard, parts, schema=COPIES, version=3, params=params)


def _clusters(run: _Run, calibration: Shard, copies: Table) -> Table:
    params = {"calibration": calibration, "link": FALSE_LINKS, "join": run.rates.outlier, "absorb": ABSORB_FAR}
    parts = run.parts_of(copies, embeddings=True)
    return run.make("clusters", cluster_shard, parts, schema=CLUSTERS, version=2, params=params)


def _persons(run: _Run, calibration: Shard, dims: tuple[int, ...], copies: Table, clusters: Table) -> Table:
    params = {"calibration": calibration, "faces": SECOND_FACES, "share": SECOND_SHARE}
    parts = run.parts_of(copies, clusters, embeddings=True)
    return run.make("persons", person_shard, parts, schema=persons_schema(dims), params=params)


def _suspects(run: _Run, calibration: Shard, copies: Table, clusters: Table, persons: Table) -> Table:
    params = {"calibration": calibration, "odd": run.rates.odd, "poor_px": run.rates.poor_px}
    return run.make("suspects", suspect_shard, run.parts_of(run.faces, copies, clusters, persons), params=params)


def _strays(run: _Run, calibration: Shard, counts: _Counts, clusters: Table, persons: Table) -> Table:
    params = {
        "calibration": calibration,
        "persons": persons.shards,
        "rate": REPORTED * run.rates.misplaced,
        "alone": strays.FACE_FAR,
    }
    size = SearchSize("strays", counts.strays, counts.persons, 0, counts.dims)
    memory = run.block_memory(size, strays.NEAREST)
    parts = run.parts_of(clusters, persons, embeddings=True)
    return run.make("strays", strays.stray_shard, parts, version=3, params=params, unhashed={"memory_bytes": memory})


def _relations(run: _Run, calibration: Shard, counts: _Counts, persons: Table) -> Table:
    rates = run.rates
    params = {
        "calibration": calibration,
        "merge": REPORTED * rates.merge,
        "overlap": REPORTED * rates.overlap,
        "odd_pairs": rates.merge_frr,
        "odd_photo": rates.overlap_frr,
    }
    size = SearchSize("relations", counts.persons, counts.persons, run.test_photos(), counts.dims)
    memory = run.block_memory(size, NEIGHBOURS + 1)
    all_shards = tuple(persons.shards), _test_embeddings(run)
    parts = [(i, *all_shards) for i in range(len(persons.shards))]
    return run.make("relations", relation_shard, parts, version=4, params=params, unhashed={"memory_bytes": memory})


def _test_embeddings(run: _Run) -> tuple[tuple[Shard, ...], ...]:
    """For each embedder all shards of the test sets' embeddings."""
    return tuple(
        tuple(shard for _, embeddings in run.tests for shard in embeddings[e].shards)
        for e in range(len(run.embeddings))
    )


def _conflicts(run: _Run, calibration: Shard, copies: Table, connections: Connections) -> Table:
    params = {"calibration": calibration, "alike": CANDIDATE_FAR, "least": run.rates.same_picture}
    data = FaceShards(run.faces.shards, copies.shards, run.all_embeddings())
    tests = [FaceShards(faces.shards, [], tuple(t.shards for t in embeddings)) for faces, embeddings in run.tests]
    return run.make("conflicts", conflict_shard, [(data, tests, connections)], version=2, params=params)


def _known(run: _Run, calibration: Shard, counts: _Counts, persons: Table) -> Table:
    params = {"calibration": calibration, "persons": persons.shards, "rate": REPORTED * run.rates.misplaced}
    size = SearchSize("known", len(run.embeddings[0]), counts.persons, 0, counts.dims)
    memory = run.block_memory(size, known.NEAREST)
    parts = list(zip(*run.all_embeddings(), strict=True))
    return run.make("known", known.known_shard, parts, version=3, params=params, unhashed={"memory_bytes": memory})


def findings_shard(part: Sequence[Shard], *, root: str) -> pa.Table:
    """All findings in one shard; part: the shards of all stages that make findings."""
    return combine_findings(read_shards(root, part))


def _count(score_calibration: Calibration, persons: Table, dims: tuple[int, ...]) -> _Counts:
    count, faces = 0, 0
    for rows in persons.batches(["cluster", "size", "of", "cohesion", "cohesion_second"]):
        compared = comparable(rows, score_calibration)
        cluster, of, size = (rows[c].to_numpy() for c in ("cluster", "of", "size"))
        count += int(compared.sum())
        faces += int(of[cluster == 0].sum()) - int(size[compared].sum())
    return _Counts(count, faces, dims)
