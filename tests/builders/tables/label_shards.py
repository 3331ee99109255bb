"""Shards of labels, and of the faces of the same photos, for tables of five identities; a refined table of any rows."""

import cv2
import numpy as np
import pyarrow as pa

from pipeline import schema
from pipeline.tables.build import build
from pipeline.tables.table import Table

IDENTITIES = ["ann", "bob", "../../escape", "d/e", "zoe"]


def grey_jpeg(n: int) -> bytes:
    picture = np.full((112, 112, 3), n, np.uint8)
    return cv2.imencode(".jpg", picture)[1].tobytes()


def labels_shard(part: int, *, each: int) -> pa.Table:
    """Shard `part` of labels: `each` photos of every identity; every third photo is removed."""
    rows = []
    for i, name in enumerate(IDENTITIES):
        for k in range(each):
            is_removed = k % 3 == 2
            face = f"{part}-{i}-{k}"
            rows.append(
                {
                    "face_id": face,
                    "key": f"{name}/{face}.jpg",
                    "claimed": name,
                    "identity": None if is_removed else name,
                    "reason": "outlier" if is_removed else "",
                }
            )
    return pa.Table.from_pylist(rows, schema=schema.LABELS)


def faces_shard(part: int, *, each: int) -> pa.Table:
    """Shard `part` of faces: those of the photos of labels_shard()."""
    rows = [
        {"face_id": r["face_id"], "jpeg": grey_jpeg(10 * part + i)}
        for i, r in enumerate(labels_shard(part, each=each).to_pylist())
    ]
    return pa.Table.from_pylist(rows, schema=schema.FACES)


def refined_of(root: str, pictures: dict[str, list[bytes]], *, shards: int = 1) -> tuple[Table, Table]:
    """A refined table of these identities' pictures, in an order that mixes them, and its identities table."""
    rows = [
        {
            "face_id": schema.face_id("s", f"{name}/{i}"),
            "key": f"{name}/{i}",
            "identity": name,
            "label": label,
            "jpeg": jpeg,
        }
        for label, name in enumerate(sorted(pictures))
        for i, jpeg in enumerate(pictures[name])
    ]
    rows.sort(key=lambda row: str(row["face_id"]))
    parts = [rows[i * len(rows) // shards : (i + 1) * len(rows) // shards] for i in range(shards)]
    counts = [{"label": i, "identity": n, "photos": len(pictures[n])} for i, n in enumerate(sorted(pictures))]
    return (
        build(root, "refined", refined_rows, parts, schema=schema.REFINED),
        build(root, "identities", identity_rows, [counts], schema=schema.IDENTITIES),
    )


def refined_rows(part: list[dict[str, object]]) -> pa.Table:
    return pa.Table.from_pylist(part, schema=schema.REFINED)


def identity_rows(part: list[dict[str, object]]) -> pa.Table:
    return pa.Table.from_pylist(part, schema=schema.IDENTITIES)
