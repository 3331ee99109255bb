"""Where the photos of the shown faces come from: source, key, and the address of the file if it has one of its own."""

from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from pipeline.refinement import Refinement
from pipeline.tables.face_rows import rows_of_faces

FOLDER_SOURCES = ("image-folder", "megaface")  # kinds of sources in which every photo is a file


class ShownPhoto(NamedTuple):
    """A photo whose face is shown: its source, its key there, and the file:// address of its file; "" for none."""

    source: str
    key: str
    address: str

    @property
    def name(self) -> str:
        """The photo in words: its source and its key."""
        return f"{self.source}: {self.key}"


def shown_photos(refinement: Refinement, face_ids: Collection[str]) -> dict[str, ShownPhoto]:
    """The photos of these faces, by face_id; faces of test sets are not among them."""
    sources = refinement.options.sources
    photos = {}
    for face, source, key, file in rows_of_faces(refinement.photos, face_ids, ("face_id", "source", "key", "file")):
        kind, path = sources.get(source, ("", ""))
        address = Path(path, file).absolute().as_uri() if kind in FOLDER_SOURCES and file else ""
        photos[face] = ShownPhoto(source, key, address)
    return photos
