"""find_noise() runs the stages of finding noise in order; each makes a table.

The keys of `params` are part of the tables' addresses and must not be renamed. The function of each stage explains its
parameters.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from pipeline.noise import known, strays
from pipeline.noise.calibration import read_calibration
from pipeline.noise.conflicts import conflict_shard
from pipeline.noise.copies import CANDIDATE_FAR
from pipeline.noise.face_quality.hubs import findings_shard
from pipeline.noise.face_quality.quality import QualityTables
from pipeline.noise.outliers.mixture_table import read_mixtures
from pipeline.noise.person_gallery import NEIGHBOURS
from pipeline.noise.pictures.face_digests import FaceShards
from pipeline.noise.pictures.related_faces import Connections
from pipeline.noise.policy import Rates, Thresholds, thresholds
from pipeline.noise.relations import relation_shard
from pipeline.noise.running.mixture_stages import (
    GroupedTables,
    build_group_effects,
    build_group_mixture,
    build_mixture,
)
from pipeline.noise.running.person_stages import build_persons, vector_lengths
from pipeline.noise.running.ratio_stages import build_ratio_suspects
from pipeline.noise.running.stage_run import References, StageRun, TestSets
from pipeline.noise.search.gallery_counts import GalleryCounts, count_gallery
from pipeline.noise.search.search_memory import SearchSize
from pipeline.noise.suspects import DOUBTFUL, suspect_shard
from pipeline.tables.build import Workers
from pipeline.tables.build import build as build_table
from pipeline.tables.table import Shard, Table

# findings are reported at this multiple of the policy's rates; people are asked about those that the policy leaves
REPORTED = 10.0
REPORTED_OVERLAPS = 0.01  # expected false overlaps for each person: the policy removes none that is less certain


class Noise(NamedTuple):
    """The tables and thresholds of finding noise that later stages need."""

    calibration: Table
    copies: Table
    clusters: Table
    persons: Table
    findings: Table
    thresholds: Thresholds
    quality: Table | None = None  # None: faces have no quality, and none is weak
    groups: Table | None = None  # this and the next two: None without groups
    group_calibration: Table | None = None
    group_effects: Table | None = None  # what the calibrations of the groups change


def find_noise(
    root: str,
    faces: Table,
    embeddings: Sequence[Table],
    *,
    tests: TestSets = (),
    references: References = (),
    companions: References = (),
    rates: Rates | None = None,
    quality: QualityTables | None = None,
    groups: Table | None = None,
    textures: Table | None = None,
    workers: Workers = None,
    memory_bytes: int | None = None,
    build: Callable[..., Table] = build_table,
) -> Noise:
    """Find the noise in a data set.

    faces, embeddings: of the data set; a table of embeddings for each embedder, the better embedder first. tests: faces
    and embeddings, by the same embedders, of each test set. references: tables of embeddings, for each embedder, of
    faces of other people, which only the calibration uses. companions: likewise, of faces beside the persons of few
    identities. quality: from which the quality of each face is computed; without it no face is weak. groups: the groups
    of identities (groups/group_calibration.py), whose noise is then decided by calibrations of their own. textures: of
    the faces, with which outliers are decided by likelihood ratios (likelihood_ratio/), as a weak embedder needs it.
    memory_bytes: the limit for searches among all persons, which changes no result. build: the function that makes a
    table; benchmarks give one that measures.
    """
    run = StageRun(root, faces, embeddings, tests, rates or Rates(), workers, memory_bytes, build, textures=textures)
    run, found_persons = build_persons(run, references, quality, groups, companions)
    table, copies, clusters, persons, group_calibration, _ = found_persons
    calibration = table.shards[0]
    score_calibration = read_calibration(root, calibration)
    counts = count_gallery(score_calibration, persons, vector_lengths(score_calibration))
    mixture = build_mixture(run, calibration, clusters, copies, persons)
    group_mixture = build_group_mixture(run, calibration, mixture, clusters, copies, persons) if run.groups else None
    strays = _strays(run, calibration, counts, clusters, persons)
    relations = _relations(run, calibration, counts, persons)
    detected = [
        _suspects(run, calibration, (mixture, group_mixture), copies, clusters, persons),
        strays,
        relations,
        _conflicts(run, calibration, copies, Connections([*strays.shards, *relations.shards], persons.shards)),
    ]
    if known.has_unnamed_photos(embeddings[0]):
        detected.append(_known(run, calibration, counts, persons))
    findings = _findings(run, detected, clusters, persons)
    limits = thresholds(
        score_calibration,
        persons=counts.persons,
        tests=run.test_photos(),
        rates=run.rates,
        mixture=read_mixtures(root, mixture, calibration).get(-1),
        overlaps=relations.read(["kind", "score", "second"]),  # of persons; those of pictures are sure
    )
    noise = Noise(table, copies, clusters, persons, findings, limits, *run.quality)
    if group_mixture is None:
        return noise
    found = GroupedTables(calibration, clusters, persons, mixture, group_mixture)
    effects = build_group_effects(run, found, copies, limits)
    return noise._replace(groups=groups, group_calibration=group_calibration, group_effects=effects)


def _findings(run: StageRun, detected: Sequence[Table], clusters: Table, persons: Table) -> Table:
    """The findings of the stages' tables in one."""
    parts = [tuple(shard for findings in detected for shard in findings.shards)]
    params = {"clusters": clusters.shards, "persons": persons.shards}
    return run.make("findings", findings_shard, parts, params=params)


def _suspects(run: StageRun, calibration: Shard, mixtures: tuple[Shard, Shard | None], *tables: Table) -> Table:
    """The suspects; with textures their outliers are by likelihood ratios. tables: copies, clusters and persons."""
    params = {"calibration": calibration, "mixture": mixtures[0], "odd": run.rates.odd, "poor_px": run.rates.poor_px}
    params["doubtful"] = DOUBTFUL
    params = run.grouped(params)
    if run.groups:
        params["group_mixture"] = mixtures[1]
    parts = run.parts_of(run.faces, *tables, *run.quality)
    suspects = run.make("suspects", suspect_shard, parts, version=2, params=params)
    return suspects if run.textures is None else build_ratio_suspects(run, run.textures, tables[:2], suspects)


def _strays(run: StageRun, calibration: Shard, counts: GalleryCounts, clusters: Table, persons: Table) -> Table:
    params = {
        "calibration": calibration,
        "persons": persons.shards,
        "rate": REPORTED * run.rates.misplaced,
        "alone": strays.FACE_FAR,
    }
    params = run.grouped(params)
    size = SearchSize("strays", counts.strays, counts.persons, 0, counts.dims)
    memory = run.block_memory(size, strays.NEAREST)
    parts = run.parts_of(clusters, persons, *run.quality, embeddings=True)
    return run.make("strays", strays.stray_shard, parts, version=3, params=params, unhashed={"memory_bytes": memory})


def _relations(run: StageRun, calibration: Shard, counts: GalleryCounts, persons: Table) -> Table:
    rates = run.rates
    params = {
        "calibration": calibration,
        "merge": REPORTED * rates.merge,
        "overlap": REPORTED_OVERLAPS,
        "odd_pairs": rates.merge_frr,
        "odd_photo": rates.overlap_frr,
    }
    params = run.grouped(params)
    size = SearchSize("relations", counts.persons, counts.persons, run.test_photos(), counts.dims)
    memory = run.block_memory(size, NEIGHBOURS + 1)
    all_shards = tuple(persons.shards), _test_embeddings(run)
    parts = [(i, *all_shards) for i in range(len(persons.shards))]
    return run.make("relations", relation_shard, parts, version=6, params=params, unhashed={"memory_bytes": memory})


def _test_embeddings(run: StageRun) -> tuple[tuple[Shard, ...], ...]:
    """For each embedder all shards of the test sets' embeddings."""
    return tuple(
        tuple(shard for _, embeddings in run.tests for shard in embeddings[e].shards)
        for e in range(len(run.embeddings))
    )


def _conflicts(run: StageRun, calibration: Shard, copies: Table, connections: Connections) -> Table:
    params = {"calibration": calibration, "alike": CANDIDATE_FAR, "least": run.rates.same_picture}
    data = FaceShards(run.faces.shards, copies.shards, run.all_embeddings())
    tests = [FaceShards(faces.shards, [], tuple(t.shards for t in embeddings)) for faces, embeddings in run.tests]
    return run.make("conflicts", conflict_shard, [(data, tests, connections)], version=5, params=params)


def _known(run: StageRun, calibration: Shard, counts: GalleryCounts, persons: Table) -> Table:
    params = {"calibration": calibration, "persons": persons.shards, "rate": REPORTED * run.rates.misplaced}
    size = SearchSize("known", len(run.embeddings[0]), counts.persons, 0, counts.dims)
    memory = run.block_memory(size, known.NEAREST)
    parts = run.parts_of(*run.quality, embeddings=True)
    return run.make("known", known.known_shard, parts, version=3, params=params, unhashed={"memory_bytes": memory})
