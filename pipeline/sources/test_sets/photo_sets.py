"""Test sets: InsightFace's .bin files, photos with a list of pairs (see pair_lists), and plain folders of photos.

The same parts, index and read as every source has, and `pairs`, the verification questions. A .bin is a pickle of JPEGs
in a row and of which pairs are one person; its photos lie in the file as they are and are read from there.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from pipeline.errors import UserError
from pipeline.sources import Changed, Photo, existing, is_file, is_folder, read_bytes, stamp
from pipeline.sources.formats import image_folder
from pipeline.sources.test_sets import pair_lists
from pipeline.sources.test_sets.pair_lists import FOLDS, Listed
from pipeline.sources.test_sets.verification_bin import Bin, load


class Pair(NamedTuple):
    """Two photos by their keys, whether they are said to be one person, the fold of the question, and the person of
    the first where its folder does not say."""

    a: str
    b: str
    same: bool
    fold: int
    who: str | None = None


class BinPart(NamedTuple):
    """A .bin file with its size and modification time."""

    root: str
    file: str
    size: int
    modified: int


class FolderPart(NamedTuple):
    """Some folders of photos, where their root lies below the test set's path, and how many of a photo's folders name
    its person (0: all)."""

    below: str
    folders: image_folder.Part
    person: int = 0


def parts(path: str | Path) -> list[BinPart | FolderPart]:
    """The parts of a test set: a .bin, a folder of them, a list of pairs or its folder, or a folder of photos.

    Raises UserError for anything else, and for a list whose photos are not found.
    """
    root = existing(path)
    if bins := _bins(root):
        return [BinPart(str(root), name, *stamp(root / name)) for name in bins]
    listed = pair_lists.find(root)
    folder, below = _photo_root(root, listed)
    person = listed.person if listed else 0
    return [FolderPart(below, part, person) for part in image_folder.parts(folder / below, flat=True)]


def index(part: BinPart | FolderPart) -> Iterator[Photo]:
    """The photos of a part: by their folder's name, or name:number and nobody's in a .bin.

    Raises UserError for a .bin that holds anything but photos and answers.
    """
    if isinstance(part, BinPart):
        yield from _bin_photos(part)
        return
    for photo in image_folder.index(part.folders):
        identity = photo.identity
        if part.person and identity is not None:
            identity = "/".join(identity.split("/")[: part.person])
        file = f"{part.below}/{photo.file}" if part.below else photo.file
        yield photo._replace(file=file, identity=identity)


def read(path: str | Path, photo: Photo) -> bytes:
    """A photo's bytes; raises Changed when its file vanished or is another than was indexed."""
    root = Path(path)
    file = root / photo.file
    if file.suffix == ".bin":
        return _numbered(file, photo) if photo.offset < 0 else read_bytes(path, photo)
    return read_bytes(pair_lists.photo_folder(root), photo, whole=True)


def pairs(path: str | Path) -> list[Pair]:
    """The verification questions of one .bin or one list of pairs, in their order, with keys as `index` gives them.

    Raises UserError when there are none, or a photo they ask about is not there.
    """
    root = existing(path)
    if bins := _bins(root):
        if len(bins) > 1:
            raise UserError(f"{root} holds {len(bins)} .bin files: give one of {', '.join(bins)}")
        file = root / bins[0]
        same = load(file).same
        return [
            Pair(f"{file.stem}:{2 * i}", f"{file.stem}:{2 * i + 1}", s, fold)
            for i, (s, fold) in enumerate(zip(same, _folds(len(same)), strict=True))
        ]
    if (listed := pair_lists.find(root)) is None:
        raise UserError(f"{root} holds no .bin and no list of pairs, such as a pairs.txt: give a test set with pairs")
    folder, below = _photo_root(root, listed)
    there = {}
    for _, entries in image_folder.walk(folder / below):
        for e in entries:
            if not e.ignored:
                there[e.name] = there[str(PurePosixPath(e.name).with_suffix(""))] = e.name
    return [_found(question, there) for question in listed.questions]


def _bins(root: Path) -> list[str]:
    if root.is_file():
        return [""] if root.suffix == ".bin" else []
    return sorted(f.name for f in root.glob("*.bin") if not f.name.startswith("."))


def _bin_photos(part: BinPart) -> Iterator[Photo]:
    file = Path(part.root, part.file)
    content, whole, place = load(file), file.read_bytes(), 0
    for i, photo in enumerate(content.photos):
        found = whole.find(photo, place)
        if found < 0:
            found = whole.find(photo)  # a photo that comes twice is pickled once
        place = max(place, found)
        # What an old text pickle spells out in another way lies nowhere as it is: told by a negative offset.
        yield Photo(f"{file.stem}:{i}", None, part.file, found if found >= 0 else ~i, len(photo), part.modified)


def _numbered(file: Path, photo: Photo) -> bytes:
    try:
        unchanged = file.stat().st_mtime_ns == photo.modified
        content = load(file) if unchanged else Bin([], [])
    except (OSError, UserError) as error:
        raise Changed(f"{file.name} cannot be read: {error}") from None
    if not unchanged:
        raise Changed(f"{file.name} changed since it was indexed")
    return content.photos[~photo.offset]


def _folds(count: int) -> Iterable[int]:
    """Folds in a row, the first ones larger by one when they do not divide, as scikit-learn's KFold cuts them."""
    size, more = divmod(count, FOLDS)
    return [fold for fold in range(FOLDS) for _ in range(size + (fold < more))]


def _photo_root(root: Path, listed: Listed | None) -> tuple[Path, str]:
    """The folder of a test set, and where its photos lie below it: where the first that its list names is."""
    if listed is None:
        return (root.parent if root.is_file() else root), ""
    folder, first = listed.folder, listed.questions[0].a
    above = first.partition("/")[0] if "/" in first else ""
    for below in ("", "Data/Images", *sorted(f.name for f in folder.iterdir() if f.is_dir())):
        if is_folder(folder / below / above) if above else _is_photo(folder / below, first):
            return folder, below
    where = "and no folder beside it is called so" if above else "which is in no folder beside it"
    raise UserError(f"{listed.file} asks about {(above or first)[:80]}, {where}: put the photos there")


def _is_photo(folder: Path, name: str) -> bool:
    return is_file(folder / name) or any(is_file(folder / f"{name}{suffix}") for suffix in image_folder.SUFFIXES)


def _found(question: pair_lists.Question, there: dict[str, str]) -> Pair:
    for name in (question.a, question.b):
        if name not in there:
            raise UserError(f"{question.place} asks about {name[:80]}, which is not there: a test set must be whole")
    return Pair(there[question.a], there[question.b], question.same, question.fold, question.who)
