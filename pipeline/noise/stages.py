"""The stages of finding noise in their order, each a table: calibration, copies, clusters, persons, findings."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import pyarrow as pa

from pipeline import schema
from pipeline.noise.calibration import CALIBRATION, calibration_shard, read_calibration
from pipeline.noise.clusters import ABSORB, CLUSTERS, LINK, cluster_shard
from pipeline.noise.conflicts import Source, conflict_shard
from pipeline.noise.copies import ALIKE, COPIES, copy_shard
from pipeline.noise.findings import combine_findings
from pipeline.noise.known import has_unnamed, known_shard
from pipeline.noise.persons import NEIGHBOURS, SECOND_FACES, SECOND_SHARE, comparable, person_shard, persons_schema
from pipeline.noise.policy import Rates, Thresholds, thresholds
from pipeline.noise.relations import relation_shard
from pipeline.noise.search.search_memory import Search, blocks_bytes
from pipeline.noise.strays import ALONE, NEAREST, stray_shard
from pipeline.noise.suspects import suspect_shard
from pipeline.tables.build import Workers
from pipeline.tables.build import build as build_table
from pipeline.tables.table import Shard, Table, read_shards

ASK = 10.0  # findings reach this many times the rates at which the policy acts: the part that people are asked about
Tests = Sequence[tuple[Table, Sequence[Table]]]


class Noise(NamedTuple):
    """What is known of a data set's noise: everything the labels need."""

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
    tests: Tests = (),
    rates: Rates | None = None,
    workers: Workers = None,
    memory_bytes: int | None = None,
    build: Callable[..., Table] = build_table,
) -> Noise:
    """The noise of a data set: faces and their embeddings, one table for each embedder, the better one first.

    tests: faces and embeddings, by the same embedders, of each test set. memory_bytes: for the searches among all
    persons, which take it in smaller blocks and find the same. build: what makes a table, to be watched.
    """
    rates = rates or Rates()
    make = partial(build, root, workers=workers, unnamed={"root": root})
    views = list(zip(*(t.shards for t in embeddings), strict=True))
    calibration = make("calibration", calibration_shard, [tuple(t.shards for t in embeddings)], schema=CALIBRATION)
    model = calibration.shards[0]
    copies = make(
        "copies",
        copy_shard,
        _beside(faces.shards, views),
        schema=COPIES,
        version=2,
        params={"calibration": model, "alike": ALIKE, "least": rates.same_picture},
    )
    clusters = make(
        "clusters",
        cluster_shard,
        _beside(views, copies.shards),
        schema=CLUSTERS,
        version=2,
        params={"calibration": model, "link": LINK, "join": rates.outlier, "absorb": ABSORB},
    )
    dims = [len(v.mean) for v in read_calibration(root, model).views]
    persons = make(
        "persons",
        person_shard,
        _beside(views, copies.shards, clusters.shards),
        schema=persons_schema(dims),
        params={"calibration": model, "faces": SECOND_FACES, "share": SECOND_SHARE},
    )
    suspects = make(
        "suspects",
        suspect_shard,
        _beside(faces.shards, copies.shards, clusters.shards, persons.shards),
        schema=schema.FINDINGS,
        params={"calibration": model, "odd": rates.odd, "poor_px": rates.poor_px},
    )
    many, strayed = _counted(root, model, persons)
    test_photos = sum(len(t) for _, (t, *_) in tests)

    def search(stage: str, queries: int, k: int, tests: int = 0) -> dict[str, Any]:
        blocks = blocks_bytes(
            Search(stage, queries, many, tests, tuple(dims)), k, memory_bytes=memory_bytes, workers=workers
        )
        return {"root": root, "memory_bytes": blocks}

    strays = make(
        "strays",
        stray_shard,
        _beside(views, clusters.shards, persons.shards),
        schema=schema.FINDINGS,
        version=3,
        params={"calibration": model, "persons": persons.shards, "rate": ASK * rates.misplaced, "alone": ALONE},
        unnamed=search("strays", strayed, NEAREST),
    )
    every = tuple(persons.shards), _pooled(tests, len(embeddings))
    relations = make(
        "relations",
        relation_shard,
        [(i, *every) for i in range(len(persons.shards))],
        version=4,
        schema=schema.FINDINGS,
        params={
            "calibration": model,
            "merge": ASK * rates.merge,
            "overlap": ASK * rates.overlap,
            "odd_pairs": rates.odd_pairs,
            "odd_photo": rates.odd_photo,
        },
        unnamed=search("relations", many, NEIGHBOURS + 1, test_photos),
    )
    pictures = [_source(faces, copies, embeddings), [_source(f, None, e) for f, e in tests]]
    conflicts = make(
        "conflicts",
        conflict_shard,
        [pictures],
        schema=schema.FINDINGS,
        params={"calibration": model, "alike": ALIKE, "least": rates.same_picture},
    )
    made = [suspects, strays, relations, conflicts]
    if has_unnamed(embeddings[0]):
        made.append(
            make(
                "known",
                known_shard,
                views,
                schema=schema.FINDINGS,
                version=3,
                params={"calibration": model, "persons": persons.shards, "rate": ASK * rates.misplaced},
                unnamed=search("known", len(embeddings[0]), NEAREST),
            )
        )
    parts = tuple(shard for table in made for shard in table.shards)
    findings = make("findings", gather_shard, [parts], schema=schema.FINDINGS)
    return Noise(
        calibration,
        copies,
        clusters,
        persons,
        findings,
        thresholds(read_calibration(root, model), persons=many, tests=test_photos, rates=rates),
    )


def gather_shard(part: Sequence[Shard], *, root: str) -> pa.Table:
    """All findings as one table."""
    return combine_findings(read_shards(root, part))


def _beside(*columns: Sequence[Any]) -> list[tuple[Any, ...]]:
    return list(zip(*columns, strict=True))


def _pooled(tests: Tests, embedders: int) -> tuple[tuple[Shard, ...], ...]:
    """The shards of all test sets' embeddings, for each embedder."""
    return tuple(tuple(shard for _, views in tests for shard in views[e].shards) for e in range(embedders))


def _source(faces: Table, copies: Table | None, embeddings: Sequence[Table]) -> Source:
    none: list[Shard] = []
    return Source(faces.shards, copies.shards if copies else none, tuple(t.shards for t in embeddings))


def _counted(root: str, model: Shard, persons: Table) -> tuple[int, int]:
    """How many persons there are to compare with, and at most how many faces are none of theirs."""
    found, many, faces = read_calibration(root, model), 0, 0
    for rows in persons.batches(["cluster", "size", "of", "cohesion", "cohesion_second"]):
        somebody = comparable(rows, found)
        first, of, size = (rows[c].to_numpy() for c in ("cluster", "of", "size"))
        many += int(somebody.sum())
        faces += int(of[first == 0].sum()) - int(size[somebody].sum())
    return many, faces
