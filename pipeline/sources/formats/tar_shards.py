"""WebDataset: .tar files in which the members of a sample lie side by side and share a name up to the first dot.

A sample has a picture (key.jpg) and its label: key.cls (a number), key.json (with a field label, identity, class, cls
or name), key.txt, or else the folder of its key. One idea: a photo is the byte range of its member, so nothing is
unpacked, and no name in the archive becomes a path.
"""

import json
import tarfile
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple, cast

from pipeline.errors import UserError
from pipeline.sources.files import existing_path, file_stamp, read_bytes
from pipeline.sources.photo import Photo, distinct_keys
from pipeline.sources.survey import Survey

PICTURES = ("jpg", "jpeg", "png", "webp", "bmp", "ppm", "pgm", "gif", "tif", "tiff", "avif")
LABELS = ("cls", "json", "txt", "identity", "label")  # in the order in which they are believed
LABEL_FIELDS = ("identity", "label", "person", "name", "class", "cls")  # of a json
MAX_LABEL = 1 << 20  # bytes of a label's member
PACKED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")


class Part(NamedTuple):
    """One .tar file, its size and modification time."""

    root: str
    file: str
    size: int
    modified: int


class Member(NamedTuple):
    """A file in an archive: its sample and the ending behind it, and where its bytes lie."""

    sample: str
    ending: str  # in small letters
    offset: int
    size: int


def parts(path: str | Path) -> list[Part]:
    """A part for each .tar file at a path: the file itself, or those below a folder. Raises UserError without one."""
    root = existing_path(path)
    files = [root] if root.is_file() else sorted(root.rglob("*.tar"))
    packed = [f for f in ([root] if root.is_file() else root.rglob("*")) if f.name.lower().endswith(PACKED)]
    if packed and (root.is_file() or not files):
        raise UserError(
            f"{packed[0]} is compressed, so its photos have no place in the file: unpack it to a .tar first"
        )
    if not files:
        raise UserError(f"{root} holds no .tar file: give WebDataset's shards")
    return [Part(str(root), str(f.relative_to(root)) if f != root else "", *file_stamp(f)) for f in files]


def index(part: Part) -> Iterator[Photo]:
    """A photo for each sample that has a picture, in the order of the archive."""
    yield from distinct_keys(_photos(part))


def read(path: str | Path, photo: Photo) -> bytes:
    """The bytes of a photo; raises PhotoChanged when the archive was changed since it was indexed."""
    return read_bytes(path, photo)


def survey(path: str | Path) -> Survey:
    """The number of files beside the archives."""
    root = existing_path(path)
    others = sum(f.is_file() and f.suffix != ".tar" for f in root.rglob("*")) if root.is_dir() else 0
    return Survey({"no .tar file": others} if others else {})


def _photos(part: Part) -> Iterator[Photo]:
    archive = Path(part.root, part.file) if part.file else Path(part.root)
    with open(archive, "rb") as stream:
        for sample, members in groupby(_members(archive), key=lambda member: member.sample):
            by_ending = {member.ending: member for member in members}
            picture = next((by_ending[e] for e in PICTURES if e in by_ending), None)
            if picture is None:
                continue
            label = next((by_ending[e] for e in LABELS if e in by_ending), None)
            content = b""
            if label and label.size <= MAX_LABEL:
                stream.seek(label.offset)
                content = stream.read(label.size)
            identity = _identity(label.ending, content) if label else None
            yield Photo(
                f"{archive.name}/{sample}.{picture.ending}",
                identity or sample.rpartition("/")[0] or None,
                part.file,
                picture.offset,
                picture.size,
                part.modified,
            )


def _members(archive: Path) -> Iterator[Member]:
    """The files of an archive. Raises UserError where it is damaged or cut off."""
    try:
        with tarfile.open(archive, "r:") as tar:
            while (entry := tar.next()) is not None:
                cast("Any", tar).members.clear()  # a list of all members would grow with the archive
                if entry.isreg() and not entry.issparse():
                    folder, _, name = entry.name.rpartition("/")
                    stem, _, ending = name.partition(".")
                    sample = f"{folder}/{stem}" if folder else stem
                    yield Member(_text(sample), _text(ending).lower(), entry.offset_data, entry.size)
    except (tarfile.TarError, OSError, ValueError) as error:
        raise UserError(f"{archive} is damaged or no .tar ({error}): repair it or leave it out") from None


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
