"""Photos whose bytes could not be read when the faces table was made, and can be now.

That a file has no permission, was away for a moment, or needs a decoder that was not installed, is no property of the
photo; but the table that records it is found again as long as the photos table is the same. So such photos are looked
for in every run, and their shards are made again.
"""

from collections.abc import Mapping, Sequence

import pyarrow.compute as pc

from pipeline.faces.picture import MAX_FILE_BYTES, lacks_decoder
from pipeline.faces.rows.face_row import PhotosReadAgain
from pipeline.faces.tombstones.tombstones import FAILURE
from pipeline.sources.index import PhotoRow, SourceLocation, read_photo
from pipeline.sources.photo import PhotoChanged, SourceUnreachable
from pipeline.tables.table import Shard, Table, read_shard


def parts_read_again(
    photos: Table, faces: Table, source_paths: Mapping[str, SourceLocation]
) -> Sequence[Shard | PhotosReadAgain]:
    """The shards of photos as parts of a faces table, with the ids of the photos that can be read by now.

    faces: the faces table that was made from these shards. Where no photo can be read that could not be before, the
    parts are the shards.
    """
    parts: list[Shard | PhotosReadAgain] = []
    for photo_shard, face_shard in zip(photos.shards, faces.shards, strict=True):
        rows = read_shard(faces.root, face_shard, ["failure", "sha"])
        failed = pc.and_(pc.is_valid(rows["failure"]), pc.not_equal(rows["failure"], FAILURE))
        unread = pc.and_(failed, pc.is_null(rows["sha"])).fill_null(False)  # sha: of the bytes, once they came
        again: list[str] = []
        if pc.any(unread).as_py():
            candidates = read_shard(photos.root, photo_shard).filter(unread).to_pylist()
            again = [row["face_id"] for row in candidates if _can_be_read(PhotoRow(**row), source_paths)]
        parts.append(PhotosReadAgain(photo_shard, tuple(again)) if again else photo_shard)
    return parts


def _can_be_read(photo: PhotoRow, source_paths: Mapping[str, SourceLocation]) -> bool:
    if photo.failure or photo.length > MAX_FILE_BYTES:
        return False
    try:
        data = read_photo(photo, source_paths)
    except (PhotoChanged, SourceUnreachable):
        return False
    return not lacks_decoder(data)
