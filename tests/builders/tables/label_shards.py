"""Shards of labels, and of the faces of the same photos, for tables of five identities."""

import cv2
import numpy as np
import pyarrow as pa

from pipeline import schema

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
