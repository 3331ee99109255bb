"""The labels table: resolve() once over the whole data set, then dealt back to the shards of the photos."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import schema, storage
from pipeline.build import Workers, build
from pipeline.noise.calibration import read_calibration
from pipeline.noise.policy import judge
from pipeline.noise.stages import Noise
from pipeline.refined.resolve import resolve
from pipeline.table import Shard, Table, read_shard

PERSON_COLUMNS = ("person", "identity", "cluster", "size", "medoid")


def label(
    root: str, photos: Table, noise: Noise, *, undecided: str, min_faces: int, workers: Workers = None
) -> tuple[Table, Table]:
    """The labels of all photos, shard by shard beside them, and the decisions that the policy made on the findings.

    undecided: what happens to photos that should go to people: "keep" or "drop". min_faces: an identity with fewer
    photos left is removed as too_few.
    """
    part = (
        tuple(photos.shards),
        tuple(noise.clusters.shards),
        tuple(noise.persons.shards),
        tuple(noise.findings.shards),
    )
    run: dict[str, Any] = {"workers": workers, "carry": {"root": root}}
    limits = dict(sorted(noise.thresholds.items()))
    decisions = build(root, "decisions", decide_shard, list(noise.findings.shards), schema=schema.DECISIONS,
                      calibration=noise.calibration.shards[0], limits=limits, **run)  # fmt: skip
    whole = build(root, "resolved", resolve_shard, [part], schema=schema.LABELS, decisions=decisions.shards,
                  undecided=undecided, min_faces=min_faces, **run)  # fmt: skip
    slices, start = [], 0
    for shard in photos.shards:
        slices.append((whole.shards[0], start, shard.rows))
        start += shard.rows
    return build(root, "labels", slice_shard, slices, schema=schema.LABELS, **run), decisions


def decide_shard(part: Shard, *, root: str, calibration: Shard, limits: Mapping[str, float]) -> pa.Table:
    """The policy's decisions on one shard of findings. They carry no time: the same findings, the same decisions."""
    findings = read_shard(root, part)
    verdicts = judge(findings, dict(limits), read_calibration(root, calibration))
    n, when = len(findings), schema.DECISIONS.field("at").type
    who = pa.array(["policy"] * n, pa.string())
    nothing = (pa.nulls(n, pa.string()), pa.nulls(n, when), pa.nulls(n, pa.float32()))
    verdict = pa.array(verdicts, pa.string())
    return pa.table([findings["finding_id"], verdict, who, *nothing], schema=schema.DECISIONS)


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
    return pa.concat_tables(read_shard(root, shard, columns) for shard in shards)


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
