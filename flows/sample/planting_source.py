"""The photos in which noise is planted: those of any source that `refinery refine` takes, which are believed clean."""

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

from pipeline.errors import UserError
from pipeline.faces.picture import UnreadablePhoto, decode
from pipeline.sample.cases.edited_duplicates import FindFace
from pipeline.sample.cases.picture_edits import Box
from pipeline.sample.planting.picture_bytes import MIN_SIDE, FacePhoto
from pipeline.schema import face_id
from pipeline.sources.files import existing_path
from pipeline.sources.index import Source
from pipeline.sources.kinds import source_format, source_parts
from pipeline.sources.photo import Photo, PhotoChanged
from pipeline.sources.photo_kinds import SUFFIXES

log = logging.getLogger("refinery")
FILE_KINDS = ("image-folder", "megaface", "photo-list")  # of which every photo is a file of its own


@dataclass
class SourcePhotos:
    """The photos of some sources that claim an identity, by number, and what their pictures show."""

    sources: Sequence[Source]
    photos: Sequence[tuple[int, Photo]]  # with the number of the source
    unusable: int  # photos without an identity, or that cannot be read
    find_face: FindFace
    _boxes: dict[int, Box | None] = field(default_factory=dict)  # of the faces of photos that were looked at

    def of_persons(self) -> dict[str, list[int]]:
        """The numbers of each person's photos. With several sources a person is called "source/identity"."""
        persons = defaultdict[str, list[int]](list)
        for number, (source, photo) in enumerate(self.photos):
            prefix = f"{self.sources[source].name}/" if len(self.sources) > 1 else ""
            persons[f"{prefix}{photo.identity}"].append(number)
        return dict(persons)

    def by_face_id(self) -> dict[str, int]:
        """The number of each photo by its face_id in tables of these sources."""
        return {face_id(self.sources[s].name, photo.key): n for n, (s, photo) in enumerate(self.photos)}

    def read(self, number: int) -> bytes:
        """The bytes of a photo. Raises PhotoChanged where they are not those that were indexed."""
        source, photo = self.photos[number]
        return source_format(self.sources[source].kind).read(self.sources[source].path, photo)

    def file(self, number: int) -> Path | None:
        """The file that is this photo, None where a file holds many photos."""
        source, photo = self.photos[number]
        kind, path = self.sources[source].kind, Path(self.sources[source].path)
        if kind not in FILE_KINDS:
            return None
        return (path if path.is_dir() else path.parent) / photo.file

    def suffix(self, number: int) -> str:
        """The end of a photo's file name; ".jpg" for one that folders of photos would not take."""
        suffix = Path(self.photos[number][1].key).suffix.lower()
        return suffix if suffix in SUFFIXES else ".jpg"

    def can_be_edited(self, number: int) -> bool:
        """Whether a photo is a picture, large enough, with a face."""
        if number not in self._boxes:
            try:
                pixels = decode(self.read(number))
                self._boxes[number] = self.find_face(pixels) if min(pixels.shape[:2]) >= MIN_SIDE else None
            except (UnreadablePhoto, PhotoChanged):
                self._boxes[number] = None
        return self._boxes[number] is not None

    def face_photo(self, number: int) -> FacePhoto:
        """A photo that can be edited, with its face. Raises PhotoChanged where it changed since."""
        data, box = self.read(number), self._boxes[number]
        assert box is not None, number  # noqa: S101  can_be_edited() was asked
        return FacePhoto(data, decode(data), box)

    def digest(self) -> str:
        """A digest of what is in the sources: keys, identities, sizes and times of all photos."""
        hasher = blake2b(digest_size=16)
        for source, photo in self.photos:
            hasher.update(repr((source, *photo)).encode("utf-8", "surrogateescape") + b"\0")
        return hasher.hexdigest()


def index_sources(sources: Sequence[Source], find_face: FindFace) -> SourcePhotos:
    """The photos of these sources, in one order. Raises UserError where none claims an identity."""
    photos, others = list[tuple[int, Photo]](), 0
    for number, source in enumerate(sources):
        existing_path(source.path)
        for part in source_parts(source.kind, source.path, source.options):
            for photo in source_format(source.kind).index(part):
                if photo.identity and not photo.failure:
                    photos.append((number, photo))
                else:
                    others += 1
    if not photos:
        raise UserError(f"no photo of {', '.join(s.path for s in sources)} claims an identity: give another source")
    photos.sort(key=lambda entry: (entry[0], entry[1].key, entry[1].file, entry[1].offset))
    if boxed := sum(photo.box is not None for _, photo in photos):
        log.warning("the source marks the face in %d photos; the planted folder does not keep these boxes", boxed)
    return SourcePhotos(sources, photos, others, find_face)
