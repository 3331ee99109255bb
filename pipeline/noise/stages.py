"""find_noise() runs the stages of finding noise in order; each makes a table.

The keys of `params` are part of the tables' addresses and must not be renamed. The function of each stage explains its
parameters.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import pyarrow as pa

from pipeline import schema
from pipeline.noise import known, strays
from pipeline.noise.calibration import CALIBRATION, calibration_shard, read_calibration
from pipeline.noise.clusters import ABSORB_FAR, CLUSTERS, FALSE_LINKS, cluster_shard
from pipeline.noise.conflicts import conflict_shard
from pipeline.noise.copies import CANDIDATE_FAR, COPIES, copy_shard
from pipeline.noise.face_quality.hubs import findings_shard
from pipeline.noise.face_quality.quality import RECALIBRATED, QualityTables, build_quality, weak_share
from pipeline.noise.outliers.mixture_table import MIXTURE, mixture_shard, read_mixtures
from pipeline.noise.person_gallery import NEIGHBOURS
from pipeline.noise.persons import LARGE_SECOND_PERSON, SECOND_PERSON, person_shard, persons_schema
from pipeline.noise.pictures.face_digests import FaceShards
from pipeline.noise.pictures.related_faces import Connections
from pipeline.noise.policy import Rates, Thresholds, thresholds
from pipeline.noise.relations import relation_shard
from pipeline.noise.scores.fusion import Calibration
from pipeline.noise.search.gallery_counts import GalleryCounts, count_gallery
from pipeline.noise.search.search_memory import SearchSize, block_memory
from pipeline.noise.suspects import DOUBTFUL, suspect_shard
from pipeline.tables.build import Workers
from pipeline.tables.build import build as build_table
from pipeline.tables.table import Shard, Table

# findings are reported at this multiple of the policy's rates; people are asked about those that the policy leaves
REPORTED = 10.0
REPORTED_OVERLAPS = 0.01  # expected false overlaps for each person: the policy removes none that is less certain
TestSets = Sequence[tuple[Table, Sequence[Table]]]  # of each: its faces, and their embeddings by each embedder

References = Sequence[Sequence[Table]]  # sets of faces that are no part of the data; of each its embeddings by embedder


class PersonTables(NamedTuple):
    """The tables of the first stages, up to the persons of the data set."""

    calibration: Table
    copies: Table
    clusters: Table
    persons: Table


class Noise(NamedTuple):
    """The tables and thresholds of finding noise that later stages need."""

    calibration: Table
    copies: Table
    clusters: Table
    persons: Table
    findings: Table
    thresholds: Thresholds
    quality: Table | None = None  # None: faces have no quality, and none is weak


def find_noise(
    root: str,
    faces: Table,
    embeddings: Sequence[Table],
    *,
    tests: TestSets = (),
    references: References = (),
    rates: Rates | None = None,
    quality: QualityTables | None = None,
    workers: Workers = None,
    memory_bytes: int | None = None,
    build: Callable[..., Table] = build_table,
) -> Noise:
    """Find the noise in a data set.

    faces, embeddings: of the data set; a table of embeddings for each embedder, the better embedder first. tests: faces
    and embeddings, by the same embedders, of each test set. references: tables of embeddings, for each embedder, of
    faces of other people, which only the calibration uses. quality: from which the quality of each face is computed;
    without it no face is weak. memory_bytes: the limit for searches among all persons, which changes no result. build:
    the function that makes a table; benchmarks give one that measures.
    """
    run = _Run(root, faces, embeddings, tests, rates or Rates(), workers, memory_bytes, build)
    run, (table, copies, clusters, persons) = _find_persons(run, references, quality)
    calibration = table.shards[0]
    score_calibration = read_calibration(root, calibration)
    counts = count_gallery(score_calibration, persons, _dims(score_calibration))
    parts = [tuple(run.parts_of(clusters, copies, persons))]
    mixture = run.make("mixture", mixture_shard, parts, schema=MIXTURE, params={"calibration": calibration}).shards[0]
    strays = _strays(run, calibration, counts, clusters, persons)
    relations = _relations(run, calibration, counts, persons)
    detected = [
        _suspects(run, calibration, mixture, copies, clusters, persons),
        strays,
        relations,
        _conflicts(run, calibration, copies, Connections([*strays.shards, *relations.shards], persons.shards)),
    ]
    if known.has_unnamed_photos(embeddings[0]):
        detected.append(_known(run, calibration, counts, persons))
    parts = [tuple(shard for findings in detected for shard in findings.shards)]
    params = {"clusters": clusters.shards, "persons": persons.shards}
    findings = run.make("findings", findings_shard, parts, params=params)
    limits = thresholds(
        score_calibration,
        persons=counts.persons,
        tests=run.test_photos(),
        rates=run.rates,
        mixture=read_mixtures(root, mixture, calibration).get(-1),
        findings=findings.read(["kind", "score", "second"]),
    )
    return Noise(table, copies, clusters, persons, findings, limits, *run.quality)


def find_persons(
    root: str,
    faces: Table,
    embeddings: Sequence[Table],
    *,
    references: References = (),
    quality: QualityTables | None = None,
    workers: Workers = None,
) -> PersonTables:
    """The first stages of find_noise() alone, which finds their tables where faces and embeddings are the same."""
    run = _Run(root, faces, embeddings, (), Rates(), workers, None, build_table)
    return _find_persons(run, references, quality)[1]


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
    quality: tuple[Table, ...] = ()  # the table of qualities, where there is one

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


def _find_persons(run: _Run, references: References, quality: QualityTables | None) -> tuple[_Run, PersonTables]:
    """The first stages; with a table of qualities the run has it from then on."""
    table = _calibration(run, references)
    if quality:
        qualities = build_quality(run.make, quality, run.faces, run.embeddings, calibration=table.shards[0])
        run = replace(run, quality=(qualities,))
        if weak_share(qualities) >= RECALIBRATED:
            table = _calibration(run, references)
    calibration = table.shards[0]
    copies = _copies(run, calibration)
    clusters = _clusters(run, calibration, copies)
    dims = _dims(read_calibration(run.root, calibration))
    return run, PersonTables(table, copies, clusters, _persons(run, calibration, dims, copies, clusters))


def _dims(calibration: Calibration) -> tuple[int, ...]:
    """The length of each embedder's vectors."""
    return tuple(len(impostors.mean) for impostors in calibration.impostors)


def _calibration(run: _Run, references: References) -> Table:
    further = tuple([shard for tables in references for shard in tables[e].shards] for e in range(len(run.embeddings)))
    params: dict[str, Any] = {"references": further} if references else {}
    if run.quality:
        params["quality"] = run.quality[0].shards
    return run.make(
        "calibration", calibration_shard, [run.all_embeddings()], schema=CALIBRATION, version=2, params=params
    )


def _copies(run: _Run, calibration: Shard) -> Table:
    params = {"calibration": calibration, "alike": CANDIDATE_FAR, "least": run.rates.same_picture}
    parts = list(zip(run.faces.shards, zip(*run.all_embeddings(), strict=True), strict=True))
    return run.make("copies", copy_shard, parts, schema=COPIES, version=3, params=params)


def _clusters(run: _Run, calibration: Shard, copies: Table) -> Table:
    params = {"calibration": calibration, "link": FALSE_LINKS, "join": run.rates.outlier, "absorb": ABSORB_FAR}
    parts = run.parts_of(copies, *run.quality, embeddings=True)
    return run.make("clusters", cluster_shard, parts, schema=CLUSTERS, version=3, params=params)


def _persons(run: _Run, calibration: Shard, dims: tuple[int, ...], copies: Table, clusters: Table) -> Table:
    params = {"calibration": calibration, "few": SECOND_PERSON, "many": LARGE_SECOND_PERSON}
    parts = run.parts_of(copies, clusters, *run.quality, embeddings=True)
    return run.make("persons", person_shard, parts, schema=persons_schema(dims), params=params)


def _suspects(run: _Run, calibration: Shard, mixture: Shard, *tables: Table) -> Table:
    params = {"calibration": calibration, "mixture": mixture, "odd": run.rates.odd, "poor_px": run.rates.poor_px}
    params["doubtful"] = DOUBTFUL
    parts = run.parts_of(run.faces, *tables, *run.quality)
    return run.make("suspects", suspect_shard, parts, version=2, params=params)


def _strays(run: _Run, calibration: Shard, counts: GalleryCounts, clusters: Table, persons: Table) -> Table:
    params = {
        "calibration": calibration,
        "persons": persons.shards,
        "rate": REPORTED * run.rates.misplaced,
        "alone": strays.FACE_FAR,
    }
    size = SearchSize("strays", counts.strays, counts.persons, 0, counts.dims)
    memory = run.block_memory(size, strays.NEAREST)
    parts = run.parts_of(clusters, persons, *run.quality, embeddings=True)
    return run.make("strays", strays.stray_shard, parts, version=3, params=params, unhashed={"memory_bytes": memory})


def _relations(run: _Run, calibration: Shard, counts: GalleryCounts, persons: Table) -> Table:
    rates = run.rates
    params = {
        "calibration": calibration,
        "merge": REPORTED * rates.merge,
        "overlap": REPORTED_OVERLAPS,
        "odd_pairs": rates.merge_frr,
        "odd_photo": rates.overlap_frr,
    }
    size = SearchSize("relations", counts.persons, counts.persons, run.test_photos(), counts.dims)
    memory = run.block_memory(size, NEIGHBOURS + 1)
    all_shards = tuple(persons.shards), _test_embeddings(run)
    parts = [(i, *all_shards) for i in range(len(persons.shards))]
    return run.make("relations", relation_shard, parts, version=5, params=params, unhashed={"memory_bytes": memory})


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
    return run.make("conflicts", conflict_shard, [(data, tests, connections)], version=3, params=params)


def _known(run: _Run, calibration: Shard, counts: GalleryCounts, persons: Table) -> Table:
    params = {"calibration": calibration, "persons": persons.shards, "rate": REPORTED * run.rates.misplaced}
    size = SearchSize("known", len(run.embeddings[0]), counts.persons, 0, counts.dims)
    memory = run.block_memory(size, known.NEAREST)
    parts = run.parts_of(*run.quality, embeddings=True)
    return run.make("known", known.known_shard, parts, version=3, params=params, unhashed={"memory_bytes": memory})
