"""What one shard gives by itself: photos without a face, copies, outliers, and names without one dominant person.

Reads what the tables say and puts it as findings; no pixels, no vectors.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.noise.calibration import read_calibration
from pipeline.noise.findings import combine_findings, findings_table
from pipeline.noise.persons import comparable
from pipeline.noise.score_norm import Calibration, level
from pipeline.tables.columns import texts
from pipeline.tables.table import Shard, read_shard

PERSON_COLUMNS = (
    "person",
    "identity",
    "cluster",
    "size",
    "of",
    "medoid",
    "cohesion",
    "cohesion_second",
    "likeness",
    "second",
)


def suspect_shard(
    part: tuple[Shard, Shard, Shard, Shard], *, root: str, calibration: Shard, odd: float, poor_px: float
) -> pa.Table:
    """The findings of one shard; part: its faces, copies, clusters and persons.

    odd: share of strangers that a face of the person's own must beat in each embedder's eyes, or it is reported;
    poor_px: size of a face in its photo under which it is reported as poor.
    """
    faces, copies, clusters, persons = part
    face = read_shard(root, faces, ["face_id", "identity", "size_px", "failure"])
    copy = read_shard(root, copies, ["face_id", "copy_of", "correlation"])
    where, who = read_shard(root, clusters), read_shard(root, persons, PERSON_COLUMNS)
    found = read_calibration(root, calibration)
    return combine_findings(
        [*_failed(face, poor_px), _copied(copy), _outliers(where, who, found, odd), _mixed(who, found), _splits(who)]
    )


def _failed(face: pa.Table, poor_px: float) -> Iterator[pa.Table]:
    failure, ids = texts(face["failure"]), texts(face["face_id"])
    reason = np.array([None if f is None else f.split(":")[0] for f in failure], object)
    for kind in ("unreadable", "no_face"):
        at = np.flatnonzero(reason == kind)
        yield findings_table(kind, ids[at], [None] * len(at), [np.ones(len(at))], failure[at])
    size = face["size_px"].to_numpy(zero_copy_only=False).astype(np.float64)
    at = np.flatnonzero(size < poor_px)
    yield findings_table(
        "poor", ids[at], [None] * len(at), [size[at]], [f"the face is {s:.0f} pixels wide" for s in size[at]]
    )


def _copied(copy: pa.Table) -> pa.Table:
    rows = copy.filter(copy["copy_of"].is_valid())
    r = rows["correlation"].to_numpy(zero_copy_only=False)
    evidence = ["equal bytes" if v >= 1 else f"the faces correlate {v:.3f} when registered" for v in r.tolist()]
    return findings_table("duplicate", rows["face_id"].to_pylist(), rows["copy_of"].to_pylist(), [r], evidence)


def _outliers(where: pa.Table, who: pa.Table, found: Calibration, odd: float) -> pa.Table:
    """Faces outside the person's group, and faces inside that one embedder finds odd, of names that have a person."""
    several = who.filter(pc.greater(who["size"], 1))["person"].combine_chunks()
    has = np.asarray(pc.is_in(where["identity"], value_set=several))
    group = where["cluster"].fill_null(-1).to_numpy()
    z = [where[c].to_numpy(zero_copy_only=False).astype(np.float64) for c in ("core", "second")[: len(found.tails)]]
    with np.errstate(invalid="ignore"):
        strange = np.logical_or.reduce([c < level(tail, odd) for c, tail in zip(z, found.tails, strict=True)])
    at = np.flatnonzero(has & ((group > 0) | ((group == 0) & strange)))
    evidence = [_words([c[i] for c in z], int(group[i])) for i in at]
    return findings_table(
        "outlier", texts(where["face_id"])[at], texts(where["identity"])[at], [c[at] for c in z], evidence
    )


def _words(z: list[float], group: int) -> str:
    seen = "likeness to the person " + ", by the second embedder ".join(f"{v:.1f}" for v in z)
    return seen + (f"; group {group}" if group else "; inside the person's group")


def _mixed(who: pa.Table, found: Calibration) -> pa.Table:
    """Names of which nobody can be sure who they are: no two faces alike, or hardly."""
    first = (who["cluster"].to_numpy() == 0) & (who["of"].to_numpy() > 1)
    rows = who.filter(pa.array(first & ~comparable(who, found)))
    words = [
        f"the likest {max(n, 2)} of {of} faces are hardly alike"
        for n, of in zip(rows["size"].to_pylist(), rows["of"].to_pylist(), strict=True)
    ]
    z = [rows[c].to_numpy(zero_copy_only=False) for c in ("cohesion", "cohesion_second")[: len(found.tails)]]
    return findings_table("mixed", rows["identity"].to_pylist(), [None] * len(rows), z, words)


def _splits(who: pa.Table) -> pa.Table:
    """Names with a further person."""
    cluster, size = who["cluster"].to_numpy(), who["size"].to_numpy()
    at = np.flatnonzero(cluster > 0)
    first = np.maximum.accumulate(np.where(cluster == 0, np.arange(len(cluster)), 0))[at]
    words = [f"{m} faces and {n} faces" for m, n in zip(size[first], size[at], strict=True)]
    z = [who[c].to_numpy(zero_copy_only=False)[at] for c in ("likeness", "second")]
    return findings_table("split", texts(who["medoid"])[first], texts(who["medoid"])[at], z, words)
