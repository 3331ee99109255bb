"""The labels table: resolve() once over the whole data set, then dealt back to the shards of the photos."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline import schema
from pipeline.noise.calibration import read_calibration
from pipeline.noise.policy import judge
from pipeline.noise.stages import Noise
from pipeline.refined.account import account
from pipeline.refined.resolve import resolve
from pipeline.refined.verdicts import hear, implied, noise_of
from pipeline.refinement import Account, Refinement, latest, publish
from pipeline.tables import storage
from pipeline.tables.build import Workers
from pipeline.tables.build import build as build_table
from pipeline.tables.table import Shard, Table, read_shard, read_shards

ACCOUNTED = ("face_id", "claimed", "identity", "reason")
PERSON_COLUMNS = ("person", "identity", "cluster", "size", "medoid")


class Labelling(NamedTuple):
    """The labels of all photos, the tables they rest on, and the account; the last two where people answered."""

    labels: Table
    decisions: Table
    account: Account
    answers: Table | None = None
    findings_with_people: Table | None = None

    def updated(self, refinement: Refinement) -> Refinement:
        """The refinement with these labels in place of its own."""
        return replace(refinement, **self._asdict())


def label(
    root: str,
    photos: Table,
    noise: Noise,
    *,
    undecided: str,
    min_faces: int,
    said: pa.Table | None = None,
    workers: Workers = None,
    build: Callable[..., Table] = build_table,
) -> Labelling:
    """The labels of all photos, shard by shard beside them, and what they rest on.

    undecided: what happens to photos that should go to people: "keep" or "drop". min_faces: an identity with fewer
    photos left is removed as too_few. said: verdicts of people (columns as ANSWERS), which stand in place of the
    policy's. build: what makes a table, to be watched.
    """
    run: dict[str, Any] = {"workers": workers, "unnamed": {"root": root}}
    answers, heard = hear(root, said, noise, workers=workers) if said is not None and len(said) else (None, None)
    findings = heard or noise.findings
    part = (
        tuple(photos.shards),
        tuple(noise.clusters.shards),
        tuple(noise.persons.shards),
        tuple(findings.shards),
    )
    limits = dict(sorted(noise.thresholds.items()))
    people: dict[str, Any] = {"answers": answers.shards} if answers else {}
    decisions = build(
        root,
        "decisions",
        decide_shard,
        list(findings.shards),
        schema=schema.DECISIONS,
        version=2,
        params={"calibration": noise.calibration.shards[0], "limits": limits, **people},
        **run,
    )
    whole = build(
        root,
        "resolved",
        resolve_shard,
        [part],
        schema=schema.LABELS,
        params={"decisions": decisions.shards, "undecided": undecided, "min_faces": min_faces},
        **run,
    )
    slices, start = [], 0
    for shard in photos.shards:
        slices.append((whole.shards[0], start, shard.rows))
        start += shard.rows
    made = build(root, "labels", slice_shard, slices, schema=schema.LABELS, **run)
    return Labelling(made, decisions, account(made.batches(ACCOUNTED), ingested=len(photos)), answers, heard)


def label_again(root: str, said: pa.Table, *, workers: Workers = None) -> Refinement:
    """The root's refinement with what people said by now, published where it differs from before."""
    refinement = latest(root)
    labelling = label(
        root,
        refinement.photos,
        noise_of(refinement),
        undecided=refinement.options.undecided,
        min_faces=refinement.options.min_faces,
        said=said,
        workers=workers,
    )
    updated = labelling.updated(refinement)
    return refinement if updated.tables == refinement.tables else publish(root, updated)


def decide_shard(
    part: Shard, *, root: str, calibration: Shard, limits: Mapping[str, float], answers: Sequence[Shard] = ()
) -> pa.Table:
    """The decisions on one shard of findings: people's where there is one, else the policy's.

    The policy's carry no time: the same findings, the same decisions.
    """
    findings = read_shard(root, part)
    verdicts = judge(findings, dict(limits), read_calibration(root, calibration))
    ids = findings["finding_id"]
    decided = pa.table(
        {
            "finding_id": ids,
            "verdict": pa.array(verdicts, pa.string()),
            "who": pa.array(["policy"]).take(pa.array(np.zeros(len(ids), np.int32))),
        }
    )
    for field in list(schema.DECISIONS)[3:]:
        decided = decided.append_column(field, pa.nulls(len(ids), field.type))
    people = {d["finding_id"]: d for shard in answers for d in read_shard(root, shard).to_pylist()}
    people |= {found: row | {"finding_id": found} for found, row in implied(findings, people).items()} if people else {}
    there = pc.is_in(ids, value_set=pa.array(sorted(people), pa.string()))
    said = [{c: people[found][c] for c in schema.DECISIONS.names} for found in ids.filter(there).to_pylist()]
    both = pa.concat_tables(
        [decided.filter(pc.invert(there)).cast(schema.DECISIONS), pa.Table.from_pylist(said, schema=schema.DECISIONS)]
    )
    order = np.argsort(np.asarray(there), kind="stable")  # of the rows: first those that only the policy speaks of
    return both.take(pa.array(np.argsort(order)))


def resolve_shard(
    part: tuple[Sequence[Shard], Sequence[Shard], Sequence[Shard], Sequence[Shard]],
    *,
    decisions: Sequence[Shard],
    undecided: str,
    min_faces: int,
    root: str,
) -> pa.Table:
    """The labels of a whole data set; part: the shards of its photos, clusters, persons and findings."""
    photos, clusters, persons, findings = part
    claims = _read(root, photos, ("face_id", "key", "identity"))
    claims = claims.append_column("cluster", _read(root, clusters, ("cluster",))["cluster"])
    verdicts = _read(root, decisions, ("verdict",))["verdict"].to_pylist()
    found = _read(root, findings, schema.FINDINGS.names)
    return resolve(
        claims, _read(root, persons, PERSON_COLUMNS), found, verdicts, undecided=undecided, min_faces=min_faces
    )


def _read(root: str, shards: Sequence[Shard], columns: Sequence[str]) -> pa.Table:
    return pa.concat_tables(read_shards(root, shards, columns))


def slice_shard(part: tuple[Shard, int, int], *, root: str) -> pa.Table:
    """Rows start to start + rows of a shard; only the row groups that hold them are read."""
    whole, start, rows = part
    files, base = storage.open_root(root)
    with files.open_input_file(f"{base}/{whole.path}") as stream:
        file = pq.ParquetFile(stream)
        groups: list[int] = []
        begin = skip = 0
        for i in range(file.metadata.num_row_groups):
            end = begin + file.metadata.row_group(i).num_rows
            if end > start and begin < start + rows:
                skip = start - begin if not groups else skip
                groups.append(i)
            begin = end
        return file.read_row_groups(groups).slice(skip, rows) if groups else schema.LABELS.empty_table()
