"""The rows of photos that are to be erased: where they lie in the source, what is stored of them, their tombstones."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from flows.erase.selection import Selection
from pipeline.errors import UserError
from pipeline.faces.extract import DecodedPhoto, decode_photo
from pipeline.faces.picture import UnreadablePhoto, decode
from pipeline.faces.tombstones.picture_hash import is_plain, picture_hash
from pipeline.faces.tombstones.tombstones import PhotoTombstone, face_hash, file_digest
from pipeline.progress import stage_progress
from pipeline.refinement import Refinement
from pipeline.sources.index import PhotoRow, SourceLocation
from pipeline.tables.face_rows import rows_of_faces
from pipeline.tables.table import Table


class FoundPhoto(NamedTuple):
    """A photo that is to be erased; identity: as claimed, followed by the new one or by the reason of removal.

    sha: of its bytes as they were when it was read; score: None where it was not found by it; jpeg: the aligned face.
    """

    row: PhotoRow
    identity: str
    sha: str | None
    score: float | None
    jpeg: bytes | None

    def path(self, locations: Mapping[str, SourceLocation]) -> str:
        """Where the photo lies in the user's source."""
        base, file = locations[self.row.source].path, self.row.file
        place = f"{base.rstrip('/')}/{file}" if file else base
        return place if not self.row.offset else f"{place} (photo {self.row.key})"


def found_photos(refinement: Refinement, selection: Selection) -> list[FoundPhoto]:
    """The photos of a selection, the surest first; those that were not found by a score come last."""
    ids = pa.array(sorted(selection.photos), pa.string())
    labels = {row[0]: _identity(*row[1:]) for row in _labels(refinement, selection.photos)}
    faces = dict(_faces(refinement.main_faces or refinement.faces, selection.photos))
    found = []
    for rows in refinement.photos.batches():
        for row in rows.filter(pc.is_in(rows["face_id"], value_set=ids)).to_pylist():
            photo = PhotoRow(**row)
            sha, jpeg = faces[photo.face_id]
            found.append(FoundPhoto(photo, labels[photo.face_id], sha, selection.photos[photo.face_id], jpeg))
    return sorted(found, key=lambda f: (f.score is None, -(f.score or 0.0), f.row.key))


def photo_tombstones(refinement: Refinement, photos: Sequence[FoundPhoto], key: bytes) -> list[PhotoTombstone]:
    """The tombstones of photos. They are read once more for the hash of the picture, as far as they can be."""
    locations = source_locations(refinement)
    tombstones = []
    with stage_progress("tombstones", total=len(photos), unit="photos") as advance:
        for photo in photos:
            if photo.sha is not None:
                picture = _picture(refinement, photo, locations, key)
                tombstones.append(PhotoTombstone(file_digest(key, photo.sha, photo.row.box), picture))
            advance(1)
    return tombstones


def face_tombstones(refinement: Refinement, further: Collection[str], key: bytes) -> list[str]:
    """The tombstones of further faces in photos that stay."""
    if refinement.candidates is None or not further:
        return []
    rows = rows_of_faces(refinement.candidates, further, ["sketch"])
    return [face_hash(key, sketch).tobytes().hex() for (sketch,) in rows]


def source_locations(refinement: Refinement) -> dict[str, SourceLocation]:
    """Where the sources of a refinement lie."""
    return {name: SourceLocation(*place) for name, place in refinement.options.sources.items()}


def _picture(refinement: Refinement, photo: FoundPhoto, locations: Mapping[str, SourceLocation], key: bytes) -> str:
    """The hash of a photo's picture in hexadecimal; "" for one that cannot be read, is plain, or is about a face."""
    if photo.row.box is not None:
        return ""
    try:
        decoded = decode_photo(photo.row, aligned=refinement.options.aligned, locations=locations)
        if not isinstance(decoded, DecodedPhoto) or decoded.row.sha != photo.sha:
            return ""
        image = decode(decoded.data, decoded.shrink) if decoded.image is None else decoded.image
    except (UserError, UnreadablePhoto):
        return ""
    of_picture = picture_hash(image, key)
    return "" if is_plain(of_picture) else of_picture.tobytes().hex()


def _labels(refinement: Refinement, ids: Collection[str]) -> list[tuple[str, str | None, str | None, str]]:
    return list(rows_of_faces(refinement.labels, ids, ["face_id", "claimed", "identity", "reason"]))


def _faces(table: Table, ids: Collection[str]) -> list[tuple[str, tuple[str | None, bytes | None]]]:
    rows = rows_of_faces(table, ids, ["face_id", "sha", "jpeg"])
    return [(face_id, (sha, jpeg)) for face_id, sha, jpeg in rows]


def _identity(claimed: str | None, identity: str | None, reason: str) -> str:
    name = claimed or "(unnamed)"
    return name if identity == claimed else f"{name} -> {identity or reason}"
