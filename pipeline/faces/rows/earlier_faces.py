"""Rows of faces that an earlier run made: those of unchanged photos are copied, and no photo is read for them."""

from collections.abc import Sequence

import pyarrow as pa

from pipeline.faces.rows.face_row import FaceRow, PartWithTombstones, photos_of
from pipeline.faces.tombstones.tombstones import FAILURE, Tombstones
from pipeline.sources.index import PhotoRow
from pipeline.tables.table import Shard, read_shard


def earlier_faces(
    root: str,
    photos: Sequence[PhotoRow],
    reuse: Sequence[tuple[Shard | PartWithTombstones, Shard]],
    tombstones: Tombstones | None = None,
) -> dict[str, FaceRow]:
    """By face_id the rows that an earlier run made from unchanged files, except those of unreadable photos.

    Photos that were erased on request since then have empty rows.
    """
    photo_of_face = {photo.face_id: photo for photo in photos}
    faces = {}
    for part, made in reuse:
        earlier_photos, _ = photos_of(part)
        earlier = (PhotoRow(**row) for row in read_shard(root, earlier_photos).to_pylist())
        unchanged = [_same_file(photo_of_face.get(photo.face_id), photo) for photo in earlier]
        if any(unchanged):
            for row in read_shard(root, made).filter(pa.array(unchanged)).to_pylist():
                face = FaceRow(**row)
                if not (face.failure or "").startswith("unreadable"):
                    faces[face.face_id] = face._replace(identity=photo_of_face[face.face_id].identity)
    return _without_erased(faces, photos, tombstones)


def _without_erased(
    faces: dict[str, FaceRow], photos: Sequence[PhotoRow], tombstones: Tombstones | None
) -> dict[str, FaceRow]:
    """Rows by face_id, with empty ones for photos that were erased since the rows were made."""
    if tombstones is None:
        return faces
    box = {photo.face_id: photo.box for photo in photos}
    return {
        i: FaceRow(i, face.identity, failure=FAILURE) if face.sha and tombstones.holds_file(face.sha, box[i]) else face
        for i, face in faces.items()
    }


def _same_file(photo: PhotoRow | None, earlier: PhotoRow) -> bool:
    """Whether two rows are the same unchanged photo. Its identity may differ, as the face does not depend on it."""
    return photo is not None and photo._replace(identity=None) == earlier._replace(identity=None)
