"""Small pictures of faces for a page; together they are not larger than a given number of bytes."""

from base64 import b64encode
from collections import Counter
from collections.abc import Sequence

import cv2
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.faces.picture import UnreadablePhoto, decode
from pipeline.refinement import Refinement
from pipeline.tables.table import Table, read_shard

SIDE_PX, JPEG_QUALITY = 112, 75  # about 3 KB for each face, which can be enlarged
MIN_BYTES = 1000  # a face is never smaller


def thumbnails(refinements: Sequence[Refinement], faces: Sequence[str], *, max_bytes: int) -> dict[str, str]:
    """Data URLs (data:image/jpeg;...) of the first faces that fit into max_bytes, by face_id.

    faces: face_ids; a face that comes several times counts as often, because the page contains it as often. Faces are
    looked up in the refinements one after another, in each first among its photos and then in its test sets.
    """
    order = list(dict.fromkeys(faces))[: max_bytes // MIN_BYTES]  # further faces cannot fit and are not read
    addresses: dict[str, str] = {}
    for table in (t for r in refinements for t in (r.faces, *r.test_faces)):
        missing = pa.array([f for f in order if f not in addresses], pa.string())
        for shard, ids in enumerate(table.batches(["face_id"]) if len(missing) else ()):
            if pc.any(pc.is_in(ids["face_id"], value_set=missing)).as_py():
                addresses |= _of_shard(table, shard, missing)
    within_budget, spent, times = {}, 0, Counter(faces)
    for face in order:
        spent += times[face] * len(addresses.get(face, ""))
        if spent <= max_bytes and face in addresses:
            within_budget[face] = addresses[face]
    return within_budget


def _of_shard(table: Table, shard: int, face_ids: pa.Array) -> dict[str, str]:
    rows = read_shard(table.root, table.shards[shard], ["face_id", "jpeg"])
    rows = rows.filter(pc.is_in(rows["face_id"], value_set=face_ids))
    return {f: _address(j) for f, j in zip(rows["face_id"].to_pylist(), rows["jpeg"].to_pylist(), strict=True) if j}


def _address(jpeg: bytes) -> str:
    """The face as a small JPEG in a data URL; empty where the bytes are not a picture."""
    try:
        face = cv2.resize(decode(jpeg), (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
    except UnreadablePhoto:
        return ""
    data = bytes(cv2.imencode(".jpg", face, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1])
    return "data:image/jpeg;base64," + b64encode(data).decode()
