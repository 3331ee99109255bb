"""The first stages of finding noise: calibration, qualities, copies, clusters and persons."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from pipeline.noise.calibration import CALIBRATION, calibration_shard, read_calibration
from pipeline.noise.clusters import ABSORB_FAR, CLUSTERS, FALSE_LINKS, cluster_shard
from pipeline.noise.copies import CANDIDATE_FAR, COPIES, copy_shard
from pipeline.noise.face_quality.quality import RECALIBRATED, QualityTables, build_quality, weak_share
from pipeline.noise.groups.calibrations import GroupShards
from pipeline.noise.groups.group_calibration import GROUP_CALIBRATION, group_calibration_shard
from pipeline.noise.persons import LARGE_SECOND_PERSON, SECOND_PERSON, person_shard, persons_schema
from pipeline.noise.policy import Rates
from pipeline.noise.running.stage_run import References, StageRun
from pipeline.noise.scores.fusion import Calibration
from pipeline.tables.build import Workers
from pipeline.tables.build import build as build_table
from pipeline.tables.table import Shard, Table


class PersonTables(NamedTuple):
    """The tables of the first stages, up to the persons of the data set."""

    calibration: Table
    copies: Table
    clusters: Table
    persons: Table
    group_calibration: Table | None = None  # None: without groups
    grouped: GroupShards | None = None  # likewise


def find_persons(
    root: str,
    faces: Table,
    embeddings: Sequence[Table],
    *,
    references: References = (),
    quality: QualityTables | None = None,
    groups: Table | None = None,
    workers: Workers = None,
) -> PersonTables:
    """The first stages of find_noise() alone, which finds their tables where faces and embeddings are the same."""
    run = StageRun(root, faces, embeddings, (), Rates(), workers, None, build_table)
    return build_persons(run, references, quality, groups)[1]


def build_persons(
    run: StageRun,
    references: References,
    quality: QualityTables | None,
    groups: Table | None = None,
    companions: References = (),
) -> tuple[StageRun, PersonTables]:
    """The first stages; with a table of qualities or of groups the run has it from then on."""
    table = _calibration(run, references, companions)
    if quality:
        qualities = build_quality(run.make, quality, run.faces, run.embeddings, calibration=table.shards[0])
        run = replace(run, quality=(qualities,))
        if weak_share(qualities) >= RECALIBRATED:
            table = _calibration(run, references, companions)
    calibration = table.shards[0]
    copies = _copies(run, calibration)
    of_groups = None
    if groups:
        of_groups = _group_calibration(run, groups, calibration)
        run = replace(run, groups=GroupShards(groups.shards[0], of_groups.shards[0]))
    clusters, persons = cluster_persons(run, calibration, copies)
    return run, PersonTables(table, copies, clusters, persons, of_groups, run.groups)


def cluster_persons(run: StageRun, calibration: Shard, copies: Table) -> tuple[Table, Table]:
    """The tables clusters and persons."""
    clusters = _clusters(run, calibration, copies)
    dims = vector_lengths(read_calibration(run.root, calibration))
    return clusters, _persons(run, calibration, dims, copies, clusters)


def vector_lengths(calibration: Calibration) -> tuple[int, ...]:
    """The length of each embedder's vectors."""
    return tuple(len(impostors.mean) for impostors in calibration.impostors)


def _calibration(run: StageRun, references: References, companions: References) -> Table:
    params: dict[str, Any] = {}
    for name, tables in (("references", references), ("companions", companions)):
        if tables:
            params[name] = tuple([s for given in tables for s in given[e].shards] for e in range(len(run.embeddings)))
    if run.quality:
        params["quality"] = run.quality[0].shards
    return run.make(
        "calibration", calibration_shard, [run.all_embeddings()], schema=CALIBRATION, version=3, params=params
    )


def _group_calibration(run: StageRun, groups: Table, calibration: Shard) -> Table:
    params: dict[str, Any] = {"groups": groups.shards[0], "calibration": calibration}
    if run.quality:
        params["quality"] = run.quality[0].shards
    parts = [run.all_embeddings()]
    return run.make(
        "group_calibration", group_calibration_shard, parts, schema=GROUP_CALIBRATION, version=2, params=params
    )


def _copies(run: StageRun, calibration: Shard) -> Table:
    params = {"calibration": calibration, "alike": CANDIDATE_FAR, "least": run.rates.same_picture}
    parts = list(zip(run.faces.shards, zip(*run.all_embeddings(), strict=True), strict=True))
    return run.make("copies", copy_shard, parts, schema=COPIES, version=5, params=params)


def _clusters(run: StageRun, calibration: Shard, copies: Table) -> Table:
    params = {"calibration": calibration, "link": FALSE_LINKS, "join": run.rates.outlier, "absorb": ABSORB_FAR}
    params = run.grouped(params)
    parts = run.parts_of(copies, *run.quality, embeddings=True)
    return run.make("clusters", cluster_shard, parts, schema=CLUSTERS, version=3, params=params)


def _persons(run: StageRun, calibration: Shard, dims: tuple[int, ...], copies: Table, clusters: Table) -> Table:
    params = run.grouped({"calibration": calibration, "few": SECOND_PERSON, "many": LARGE_SECOND_PERSON})
    parts = run.parts_of(copies, clusters, *run.quality, embeddings=True)
    return run.make("persons", person_shard, parts, schema=persons_schema(dims), params=params)
