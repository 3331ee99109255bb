"""WebDataset: .tar and .tar.gz files whose samples are members side by side that share a name up to the first dot.

Where what follows the first dot is no ending that is known here, as in George_W._Bush_0001.jpg, the last dot counts. A
sample has a picture (key.jpg, or any member that begins like a picture), or several, and their label: key.cls (a
number), key.json (with a field label, identity, class, cls or name), key.txt, or else the folder of its key. A sample
without a picture is a photo that cannot be read. One idea: a photo is the byte range of its member in the archive, so
nothing is unpacked, and no name in the archive becomes a path. A .tar.gz is streamed once to list its photos, and read
from the checkpoints that this leaves (gzip_content.py).
"""

import io
import json
import re
import shlex
import tarfile
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

from pipeline.errors import UserError
from pipeline.sources.files import existing_path, read_bytes
from pipeline.sources.formats.containers import Container, containers, survey_beside
from pipeline.sources.formats.gzip_content import DamagedContent, GzipContent
from pipeline.sources.photo import Photo, PhotoChanged, distinct_keys
from pipeline.sources.photo_kinds import DATA_SUFFIXES, HEAD_BYTES, SUFFIXES, is_picture
from pipeline.sources.survey import Survey

SUFFIX = ".tar"
PICTURES = frozenset(suffix.removeprefix(".") for suffix in SUFFIXES)
LABELS = ("cls", "json", "txt", "identity", "label")  # in the order in which they are believed
LABEL_FIELDS = ("identity", "label", "person", "name", "class", "cls")  # of a json
MAX_LABEL = 1 << 20  # bytes of a label's member
GZIPPED = (".tar.gz", ".tgz")
UNPACK = {  # any other compressed archive, and the command that makes the .tar of it
    ".tar.bz2": "bunzip2 -k",
    ".tar.xz": "unxz -k",
    ".tar.zst": "unzstd",
}
HIDDEN = re.compile(r"(?:^|/)(?:__MACOSX/|\.(?!\.?(?:/|$)))")  # what file managers add to archives


class Member(NamedTuple):
    """A file in an archive: its sample and the ending behind it, and where its bytes lie.

    head: all of a label, the first bytes of what may be a picture, else nothing.
    """

    sample: str
    ending: str  # in small letters
    offset: int
    size: int
    head: bytes


def parts(path: str | Path) -> list[Container]:
    """A part for each archive at a path: the file itself, or those below a folder. Raises UserError without one."""
    root = existing_path(path)
    packed = _packed(root)
    if packed and (root.is_file() or not any(f.name.endswith((SUFFIX, *GZIPPED)) for f in root.rglob("*"))):
        raise UserError(
            f"{packed[0]} is compressed, so its photos have no place in the file: make a .tar of it with "
            f"{_command(packed[0])}"
        )
    found = containers(path, SUFFIX, also=GZIPPED, hint="give WebDataset's shards")
    return [part for part in found if not part.file or not _is_second(part.path)]


def index(part: Container) -> Iterator[Photo]:
    """A photo for each sample that has a picture, in the order of the archive."""
    yield from distinct_keys(_photos(part))


def read(path: str | Path, photo: Photo) -> bytes:
    """The bytes of a photo; raises PhotoChanged when the archive was changed since it was indexed."""
    is_gzipped = (photo.file or str(path)).endswith(GZIPPED)
    return read_bytes(path, photo, read=_unpacked) if is_gzipped else read_bytes(path, photo)


def survey(path: str | Path) -> Survey:
    """The number of files beside the archives; a warning where some of these are archives that are not read."""
    root = existing_path(path)
    beside = survey_beside(path, SUFFIX, also=GZIPPED)
    seconds = sum(map(_is_second, root.rglob("*"))) if root.is_dir() else 0
    ignored = {**beside.ignored, **({"compressed copy of a .tar beside it": seconds} if seconds else {})}
    packed = _packed(root)
    if not packed:
        return Survey(ignored, beside.warnings)
    left_out = f"{len(packed)} compressed archives are left out: make a .tar of each with {_command(packed[0])}"
    return Survey(ignored, [*beside.warnings, left_out])


def _is_second(file: Path) -> bool:
    """Whether a file is a compressed archive whose .tar lies beside it, as `gunzip -k` leaves it."""
    ending = next((ending for ending in GZIPPED if file.name.endswith(ending)), None)
    return ending is not None and file.with_name(file.name.removesuffix(ending) + SUFFIX).is_file()


def _unpacked(stream: BinaryIO, photo: Photo) -> bytes:
    """The bytes of a photo in a compressed archive. Raises PhotoChanged where it is damaged."""
    content = io.BufferedReader(GzipContent(stream))
    try:
        content.seek(photo.offset)
        return content.read(photo.length)
    except DamagedContent as error:
        raise PhotoChanged(f"{Path(photo.file or stream.name).name} is damaged: {error}") from None


def _packed(root: Path) -> list[Path]:
    """The compressed archives at a path, sorted."""
    files = [root] if root.is_file() else root.rglob("*")
    return sorted(f for f in files if f.name.lower().endswith(tuple(UNPACK)))


def _command(file: Path) -> str:
    """The command that makes a .tar of a compressed one."""
    command = next(command for ending, command in UNPACK.items() if file.name.lower().endswith(ending))
    return f"`{command} {shlex.quote(str(file))}`"


def _photos(part: Container) -> Iterator[Photo]:
    archive = part.path
    for sample, members in groupby(_members(archive), key=lambda member: member.sample):
        by_ending = {member.ending: member for member in members}
        pictures = [member for member in by_ending.values() if _is_picture(member)]
        label = next((by_ending[e] for e in LABELS if e in by_ending), None)
        identity = _identity(label.ending, label.head) if label else None
        identity = _named_identity(by_ending.get("json")) or identity
        identity = identity or sample.rpartition("/")[0] or None
        if not pictures:
            failure = f"unreadable: its sample has no picture ({', '.join(by_ending)[:80]})"
            yield Photo(f"{part.file or archive.name}/{sample}", identity, part.file, failure=failure)
        for picture in pictures:
            key = f"{part.file or archive.name}/{sample}.{picture.ending}".removesuffix(".")
            yield Photo(key, identity, part.file, picture.offset, picture.size, part.modified)


def _is_picture(member: Member) -> bool:
    """Whether a member is a picture by its ending, or by its first bytes where its ending says nothing."""
    if member.ending in PICTURES or member.ending in LABELS or f".{member.ending}" in DATA_SUFFIXES:
        return member.ending in PICTURES
    return is_picture(member.head)


def _head_bytes(ending: str, size: int) -> int:
    """How many bytes of a member must be known to list the photos."""
    if ending in LABELS:
        return size if size <= MAX_LABEL else 0
    return 0 if ending in PICTURES or f".{ending}" in DATA_SUFFIXES else min(HEAD_BYTES, size)


def _members(archive: Path) -> Iterator[Member]:
    """The files of an archive. Raises UserError where it is damaged or cut off."""
    try:
        with open(archive, "rb") as stream:
            is_gzipped = archive.name.endswith(GZIPPED)
            content = io.BufferedReader(GzipContent(stream)) if is_gzipped else stream
            yield from _listed(content)
            while is_gzipped and content.read(tarfile.RECORDSIZE):  # up to the checksum at its end
                pass
    except (tarfile.TarError, OSError, ValueError, DamagedContent) as error:
        raise UserError(f"{archive} is damaged or no .tar ({error}): repair it or leave it out") from None


class _Headers:
    """What tarfile reads of an archive: headers. One that claims to be very long would fill the memory."""

    def __init__(self, content: BinaryIO) -> None:
        self.seek, self.tell, self._content = content.seek, content.tell, content

    def read(self, size: int) -> bytes:
        """The next bytes. Raises ValueError where it is too many."""
        if size > MAX_LABEL:
            raise ValueError(f"a header of {size} bytes")
        return self._content.read(size)


def _listed(content: BinaryIO) -> Iterator[Member]:
    """The files of an archive, from its beginning to its end. Raises TarError or ValueError where it is damaged."""
    with tarfile.open(fileobj=cast("Any", _Headers(content)), mode="r:") as opened:
        tar = cast("Any", opened)  # whose documentation leaves out members, fileobj and offset
        while (entry := tar.next()) is not None:
            tar.members.clear()  # a list of all members would grow with the archive
            if entry.isreg() and not entry.issparse() and not HIDDEN.search(entry.name):
                sample, ending = _sample_and_ending(_text(entry.name))
                content.seek(entry.offset_data)
                head = content.read(_head_bytes(ending, entry.size))
                yield Member(sample, ending, entry.offset_data, entry.size, head)
        # a header that is damaged or cut off ends the loop, too, as if it were the end of the archive
        content.seek(tar.offset)
        if content.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            raise ValueError(f"no member begins at byte {tar.offset}, and no end")


def _sample_and_ending(name: str) -> tuple[str, str]:
    """The sample that a member belongs to, and its ending in small letters."""
    folder, slash, file = name.rpartition("/")
    stem, _, ending = file.partition(".")
    last_stem, _, last = file.rpartition(".")
    if ending.lower() not in (*PICTURES, *LABELS) and last.lower() in (*PICTURES, *LABELS):
        stem, ending = last_stem, last
    return f"{folder}{slash}{stem}".removeprefix("./"), ending.lower()


def _text(name: str) -> str:
    """A name as valid Unicode: bytes that are not UTF-8 are written as \\xNN."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _identity(ending: str, content: bytes) -> str | None:
    """The identity in a label's member; None where it holds none."""
    text = content.decode("utf-8", "backslashreplace").strip()
    if ending != "json":
        return text or None
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict):
        return str(fields) if isinstance(fields, int | str) else None
    values = (fields[name] for name in LABEL_FIELDS if isinstance(fields.get(name), int | str))
    return next((str(value) for value in values if str(value)), None)


def _named_identity(member: Member | None) -> str | None:
    """The text in the field `identity` of a sample's json: a name, which says more than the number in its .cls."""
    if member is None:
        return None
    try:
        fields = json.loads(member.head.decode("utf-8", "backslashreplace"))
    except (ValueError, RecursionError):
        return None
    name = fields.get("identity") if isinstance(fields, dict) else None
    return name if isinstance(name, str) and name else None
