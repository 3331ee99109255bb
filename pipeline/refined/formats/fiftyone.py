"""All photos, kept and removed, as samples that FiftyOne shows: boxes of faces, fates, findings and their decisions.

The file is samples.json of FiftyOne's type LegacyFiftyOneDataset, whose fields FiftyOne infers. A sample points to the
user's photo. Where photos lie inside larger files, it points to a copy of the aligned face. Paths are those of this
machine, so the folder is for looking, not for publishing. Memory: the findings about photos, and one shard of photos.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.faces.align import SIZE, TEMPLATE, similarity_transform
from pipeline.faces.picture_formats.pillow import upright_size
from pipeline.json_values import finite_or_null
from pipeline.refined.account import UnbalancedAccountError
from pipeline.refined.formats.photo_findings import PhotoFindings
from pipeline.refined.formats.shard_plan import face_file
from pipeline.refined.review_summary import ReviewSummary
from pipeline.refinement import Refinement
from pipeline.sources.kinds import photo_file
from pipeline.tables.digests import content_digest, digest_of_file
from pipeline.tables.prefetch import READ_THREADS, prefetch
from pipeline.tables.table import Shard, Table, read_shard

FACES, SAMPLES = "faces", "samples.json"
MAIN, FURTHER = "the face of the data set", "another face in the photo"
WHOLE = [0.0, 0.0, 1.0, 1.0]
# columns that are read of photos, labels and faces
PHOTO = ("source", "file")
LABEL = ("face_id", "key", "claimed", "identity", "reason", "score")
FACE = ("jpeg", "landmarks", "failure", "score")  # the last one: the detector's confidence
Landmarks = Sequence[float]  # x, y of five points in the photo's pixels
Size = tuple[int, int] | None  # width and height of a photo; None: it cannot be read


class PhotoCounts(NamedTuple):
    """What became of the photos: kept ones, removed ones by reason; and how many FiftyOne cannot show.

    missing: photos whose file is not where it was, or is no picture. hidden: photos that are no sample: they lie inside
    a larger file and show no face, or were erased on request.
    """

    kept: int
    removed: dict[str, int]
    missing: int
    hidden: int


def count_photos(refinement: Refinement, counts: Counter[str]) -> PhotoCounts:
    """The counts of written_samples(). Raises UnbalancedAccountError where they are not those of the refinement."""
    account = refinement.account
    removed = {reason: counts[f"removed: {reason}"] for reason in account.removed}
    if counts["kept"] != account.kept or removed != account.removed:
        raise UnbalancedAccountError(f"{account.kept} photos kept, {account.removed} removed, but exported: {counts}")
    return PhotoCounts(counts["kept"], removed, counts["missing"], counts["hidden"])


def written_samples(
    refinement: Refinement, review: ReviewSummary, folder: Path, tick: Callable[[int], None], counts: Counter[str]
) -> Iterator[tuple[str, str | None]]:
    """Writes samples.json and the copies of faces while it is read; yields the path and digest of each file.

    counts: gets the number of photos by fate, and of those that are missing or hidden.
    """
    findings = PhotoFindings(refinement, review)
    further = _shards(refinement, refinement.candidates)
    former = _shards(refinement, refinement.main_faces)
    with open(folder / SAMPLES, "w", encoding="utf-8") as stream:
        stream.write('{"samples": [')
        separator = "\n"
        for i, photos in enumerate(refinement.photos.shards):
            rows = _photo_rows(refinement, i, photos)
            others = _other_faces(refinement.root, rows, further[i], former[i])
            for row, size in zip(rows, _sizes(rows), strict=True):
                counts["kept" if row["identity"] is not None else f"removed: {row['reason']}"] += 1
                counts["missing"] += bool(row["path"]) and size is None
                if row["reason"] == "erased" or (not row["path"] and row["jpeg"] is None):
                    counts["hidden"] += 1
                    continue
                if not row["path"]:  # the sample shows the face alone, which has no place in it
                    row |= {"path": f"{FACES}/{face_file(row['face_id'], row['jpeg'])}", "landmarks": None}
                    others.pop(row["face_id"], None)
                    (folder / FACES).mkdir(exist_ok=True)
                    (folder / row["path"]).write_bytes(row["jpeg"])
                    yield row["path"], content_digest(row["jpeg"])
                sample = _sample(row, size, others.get(row["face_id"], []), findings.of(row["face_id"]))
                stream.write(f"{separator}{json.dumps(finite_or_null(sample), allow_nan=False)}")
                separator = ",\n"
            tick(len(rows))
        stream.write("\n]}\n")
    yield SAMPLES, digest_of_file(str(folder), SAMPLES)


def _shards(refinement: Refinement, table: Table | None) -> Sequence[Shard | None]:
    """The shards of a table that has one for each shard of photos; None for each where there is no such table."""
    return table.shards if table is not None and len(table) else [None] * len(refinement.photos.shards)


def _photo_rows(refinement: Refinement, i: int, photos: Shard) -> list[dict[str, Any]]:
    """The photos of shard i with their labels, their faces, and the path of their file; "" where it holds others."""
    root, sources = refinement.root, refinement.options.sources
    labels, faces = (
        read_shard(root, t.shards[i], c) for t, c in ((refinement.labels, LABEL), (refinement.faces, FACE))
    )
    tables = (labels, faces.rename_columns([*FACE[:-1], "confidence"]), read_shard(root, photos, PHOTO))
    columns = {name: table[name] for table in tables for name in table.schema.names}
    rows: list[dict[str, Any]] = pa.table(columns).to_pylist()
    for row in rows:
        kind, path = sources.get(row["source"], ("", ""))
        row["path"] = photo_file(kind, path, row["file"]) if kind and row["file"] else ""
    return rows


def _sizes(rows: Sequence[dict[str, Any]]) -> Iterator[Size]:
    """The sizes of the photos that have a file of their own; several are read at a time."""
    paths = (row["path"] for row in rows)
    return prefetch(lambda path: upright_size(path) if path else None, paths, threads=READ_THREADS, per_thread=16)


def _other_faces(
    root: str, rows: Sequence[dict[str, Any]], further: Shard | None, former: Shard | None
) -> dict[str, list[tuple[Landmarks, float]]]:
    """By face_id the landmarks and confidence of the photo's faces besides the one of the data set.

    further: a shard of the candidates; former: of the faces by the detector's rule, of which another may be in force.
    """
    current = {row["face_id"]: row["landmarks"] for row in rows}
    others: dict[str, list[tuple[Landmarks, float]]] = {}
    for shard, key in ((former, "face_id"), (further, "photo")):
        if shard is not None:
            found = read_shard(root, shard, [key, "landmarks", "score"])
            for face, marks, score in zip(*(found[c].to_pylist() for c in found.schema.names), strict=True):
                if marks is not None and marks != current.get(face):
                    others.setdefault(face, []).append((marks, score))
    return others


def _sample(
    row: dict[str, Any], size: Size, others: Sequence[tuple[Landmarks, float]], findings: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """One sample as FiftyOne reads it; an absent value is left out."""
    is_kept, reason = row["identity"] is not None, row["reason"]
    fate = f"removed: {reason}" if not is_kept else f"relabelled: {reason}" if reason else "kept"
    fields = {
        "filepath": str(row["path"]),
        "tags": [*(["relabelled"] if is_kept and reason else []), "kept" if is_kept else "removed"],
        "fate": fate,
        "reason": reason or None,
        "score": row["score"],
        "failure": row["failure"],
        "face_id": row["face_id"],
        "source": row["source"],
        "key": row["key"],
        "claimed": _label(row["claimed"]),
        "identity": _label(row["identity"]),
        "faces": _detections(row, size, others),
        "findings": {"_cls": "Classifications", "classifications": [_finding(f) for f in findings]}
        if findings
        else None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _label(identity: str | None) -> dict[str, Any] | None:
    return None if identity is None else {"_cls": "Classification", "label": identity}


def _finding(finding: dict[str, Any]) -> dict[str, Any]:
    return {"_cls": "Classification"} | {name: value for name, value in finding.items() if value is not None}


def _detections(row: dict[str, Any], size: Size, others: Sequence[tuple[Landmarks, float]]) -> dict[str, Any] | None:
    """The boxes of the faces of a photo, relative to its size; the whole picture where that is an aligned face."""
    name = row["identity"] if row["identity"] is not None else row["claimed"]
    found = [(name, MAIN, row["landmarks"], row["confidence"])] if row["jpeg"] is not None else []
    found += [(FURTHER, FURTHER, *face) for face in others]
    boxes = []
    for label, role, marks, confidence in found:
        box = WHOLE if marks is None else relative_box(marks, size)
        if box is not None:
            values = {"label": label, "bounding_box": box, "confidence": confidence, "role": role}
            boxes.append({"_cls": "Detection"} | {key: value for key, value in values.items() if value is not None})
    return {"_cls": "Detections", "detections": boxes} if boxes else None


def relative_box(landmarks: Landmarks, size: Size) -> list[float] | None:
    """The upright square that becomes the aligned face, without what lies outside of the photo; None: there is none.

    Convention: x, y of the corner at the top left, width, height, all as shares of the photo's sides, as in FiftyOne.
    """
    if size is None:
        return None
    try:
        matrix = similarity_transform(TEMPLATE, np.asarray(landmarks, np.float64).reshape(5, 2))
    except ValueError:
        return None
    centre = matrix[:, :2] @ (SIZE / 2, SIZE / 2) + matrix[:, 2]
    half = SIZE / 2 * float(np.hypot(matrix[0, 0], matrix[1, 0]))
    low, high = (np.clip(corner / size, 0.0, 1.0) for corner in (centre - half, centre + half))
    return [round(float(value), 6) for value in (*low, *(high - low))] if (high > low).all() else None
