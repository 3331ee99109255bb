"""The tombstones of a root: by them a photo that was erased on request is known when it comes in again.

ROOT/erasures/key holds a random key that only the owner can read. Each erasure adds one file NNNN.tombstones.json:

    photos: for each photo a keyed digest of its bytes (HMAC-SHA-256), and the keyed perceptual hash of its picture
    faces:  the same hash of further faces of the person, in photos that stay

Neither holds a vector, a name or a path. What is in these files is part of the addresses of faces and candidates; a
root without an erasure keeps its addresses.
"""

import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pyarrow import fs

from pipeline.errors import UserError
from pipeline.faces.sketch import SIDE
from pipeline.faces.tombstones.picture_hash import BITS, Hash, is_near, mirrored_hash, picture_hash
from pipeline.schema import digest
from pipeline.tables import storage
from pipeline.tables.digests import is_as_sealed, sealed

FOLDER = "erasures"
KEY_FILE = f"{FOLDER}/key"
SUFFIX = ".tombstones.json"
FAILURE = "erased: removed on request"  # the `failure` of the photo's row of faces
PLAIN = bytes(BITS // 8).hex()  # the hash of all plain pictures, which earlier versions kept


class PhotoTombstone(NamedTuple):
    """What is kept of an erased photo, in hexadecimal; picture "": the photo could not be read, or is plain."""

    bytes: str
    picture: str


@dataclass(frozen=True)
class Tombstones:
    """The tombstones of a root. digest: of all of them; earlier: of those before each erasure, the oldest first."""

    key: bytes = field(repr=False)
    digest: str
    earlier: tuple[str, ...]
    files: frozenset[str] = field(repr=False)  # keyed digests of photos' bytes
    pictures: NDArray[np.uint8] = field(repr=False, compare=False)  # hashes [n, BITS / 8] of whole photos
    faces: NDArray[np.uint8] = field(repr=False, compare=False)  # of further faces

    def holds_file(self, sha: str, box: Sequence[float] | None = None) -> bool:
        """Whether a photo with this SHA-256 was erased; box: of the face that it is about, where the source says it."""
        return file_digest(self.key, sha) in self.files or (
            box is not None and file_digest(self.key, sha, box) in self.files
        )

    def holds_picture(self, picture: NDArray[np.uint8]) -> bool:
        """Whether a picture [h, w, 3] is that of an erased photo, perhaps re-encoded, resized or mirrored."""
        return any(is_near(h(picture, self.key), self.pictures) for h in (picture_hash, mirrored_hash))

    def holds_face(self, sketch: bytes) -> bool:
        """Whether a further face with this sketch was erased."""
        return is_near(face_hash(self.key, sketch), self.faces)


def file_digest(key: bytes, sha: str, box: Sequence[float] | None = None) -> str:
    """The keyed digest of a photo's bytes, from their SHA-256; with a box, of this face of the photo alone."""
    of_face = "" if box is None else " " + " ".join(float(side).hex() for side in box)
    return hmac.new(key, (sha + of_face).encode(), sha256).hexdigest()


def face_hash(key: bytes, sketch: bytes) -> Hash:
    """The keyed perceptual hash of an aligned face, from its sketch."""
    return picture_hash(np.frombuffer(sketch, np.uint8).reshape(SIDE, SIDE), key)


def read_tombstones(root: str) -> Tombstones | None:
    """The tombstones of a root; None where nothing was erased.

    Raises UserError where a file is damaged or the key is gone: erased photos would come in again.
    """
    names = [name for name in storage.list_files(root, FOLDER) if name.endswith(SUFFIX) and "/." not in name]
    if not names:
        return None
    photos: list[PhotoTombstone] = []
    faces: list[str] = []
    digests = [""]
    for name in names:
        of_photos, of_faces = _read(root, name)
        photos += of_photos
        faces += of_faces
        digests.append(digest("tombstones", digests[-1], *(word for photo in of_photos for word in photo), *of_faces))
    pictures = sorted({photo.picture for photo in photos} - {"", PLAIN})
    key = existing_key(root)
    files = frozenset(photo.bytes for photo in photos)
    return Tombstones(key, digests[-1], tuple(digests[1:-1]), files, _hashes(pictures), _hashes(sorted(set(faces))))


def write_tombstones(root: str, erasure: str, photos: Sequence[PhotoTombstone], faces: Sequence[str]) -> None:
    """Write the tombstones of an erasure with this number; they are sorted, so that none tells which photo it is of."""
    value = {"photos": [list(photo) for photo in sorted(set(photos))], "faces": sorted(set(faces))}
    storage.put_json(root, f"{FOLDER}/{erasure}{SUFFIX}", sealed(value))


def make_key(root: str) -> bytes:
    """The key of a root, which is drawn now if it has none; in a folder of this machine only the owner can read it."""
    if storage.get(root, KEY_FILE) is None:
        storage.put(root, KEY_FILE, secrets.token_hex(32).encode() + b"\n")
    files, base = storage.open_root(root)
    if isinstance(files, fs.LocalFileSystem):
        from pathlib import Path

        Path(base, KEY_FILE).chmod(0o600)
    return existing_key(root)


def existing_key(root: str) -> bytes:
    """The key of a root. Raises UserError where it is gone or damaged."""
    try:
        key = bytes.fromhex((storage.get(root, KEY_FILE) or b"").decode().strip())
    except ValueError:
        key = b""
    if len(key) != 32:
        raise UserError(
            f"{root}/{KEY_FILE} is gone or damaged: put it back from a backup; without it photos that were erased on "
            "request would come in again"
        )
    return key


def _read(root: str, name: str) -> tuple[list[PhotoTombstone], list[str]]:
    value: dict[str, Any] = storage.get_json(root, name) or {}
    try:
        photos = [PhotoTombstone(str(of_bytes), str(picture)) for of_bytes, picture in value["photos"]]
        faces = [str(face) for face in value["faces"]]
        _hashes([*(photo.picture for photo in photos if photo.picture), *faces])
        if not is_as_sealed(value):
            raise ValueError("other content than was written")
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{root}/{name} is damaged ({error!r}): put it back from a backup; without it photos that were erased on "
            "request would come in again"
        ) from None
    return photos, faces


def _hashes(words: Sequence[str]) -> NDArray[np.uint8]:
    """Hashes in hexadecimal as [n, BITS / 8]."""
    return np.frombuffer(b"".join(bytes.fromhex(word) for word in words), np.uint8).reshape(-1, BITS // 8)
