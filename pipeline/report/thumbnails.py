"""Faces as a page holds them: read for what is shown alone, made small, and counted against a budget in bytes."""

from base64 import b64encode
from collections import Counter
from collections.abc import Sequence

import cv2
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.faces.picture import UnreadablePhoto, decode
from pipeline.refinement import Refinement
from pipeline.tables.table import Table, read_shard

SIDE, QUALITY = 80, 78  # pixels of a face on the page: 2 KB
LEAST = 1000  # bytes: no face is smaller


def thumbnails(dones: Sequence[Refinement], faces: Sequence[str], most_bytes: int) -> dict[str, str]:
    """The faces by id, as addresses that hold their pictures, the first ones first, until the budget is spent.

    A face that comes several times costs as often: a page writes it each time. They are looked for in the refinements
    one after the other, among what they refined and among their test sets.
    """
    order = list(dict.fromkeys(faces))[: most_bytes // LEAST]  # what could never fit is not read
    made: dict[str, str] = {}
    for table in (t for done in dones for t in _tables(done)):
        values = pa.array([f for f in order if f not in made], pa.string())
        for shard, ids in enumerate(table.batches(["face_id"]) if len(values) else ()):
            if pc.any(pc.is_in(ids["face_id"], value_set=values)).as_py():
                made |= _small(table, shard, values)
    found, spent, times = {}, 0, Counter(faces)
    for face in order:
        spent += times[face] * len(made.get(face, ""))
        if spent <= most_bytes and face in made:
            found[face] = made[face]
    return found


def _tables(done: Refinement) -> list[Table]:
    return [done.faces, *done.test_faces]


def _small(table: Table, shard: int, wanted: pa.Array) -> dict[str, str]:
    rows = read_shard(table.root, table.shards[shard], ["face_id", "jpeg"])
    rows = rows.filter(pc.is_in(rows["face_id"], value_set=wanted))
    return {f: _address(j) for f, j in zip(rows["face_id"].to_pylist(), rows["jpeg"].to_pylist(), strict=True) if j}


def _address(jpeg: bytes) -> str:
    """A face as an address that holds it, made small; empty for what is no picture."""
    try:
        face = cv2.resize(decode(jpeg), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    except UnreadablePhoto:
        return ""
    data = bytes(cv2.imencode(".jpg", face, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1])
    return "data:image/jpeg;base64," + b64encode(data).decode()
