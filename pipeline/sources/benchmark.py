"""Test sets: InsightFace's .bin files, LFW's pairs.txt with its folders, and plain folders of photos.

The same parts, index and read as every source has, and `pairs`, the verification questions. A .bin is a pickle of JPEGs
in a row and of which pairs are one person; its photos lie in the file as they are and are read from there.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from pipeline.errors import UserError
from pipeline.sources import Changed, Photo, existing, image_folder, read_bytes, stamp
from pipeline.sources.verification_bin import Bin, load

FOLDS = 10  # of a .bin, as in InsightFace's evaluation


class Pair(NamedTuple):
    """Two photos by their keys, whether they are said to be one person, and the fold of the question."""

    a: str
    b: str
    same: bool
    fold: int


class BinPart(NamedTuple):
    """A .bin file with its size and modification time."""

    root: str
    file: str
    size: int
    modified: int


class FolderPart(NamedTuple):
    """Some folders of photos, and where their root lies below the test set's path."""

    below: str
    folders: image_folder.Part


def parts(path: str | Path) -> list[BinPart | FolderPart]:
    """The parts of a test set: a .bin, a folder of them, a pairs.txt or its folder, or a folder of photos.

    Raises UserError for anything else, and for a pairs.txt whose photos are not found.
    """
    root = existing(path)
    if bins := _bins(root):
        return [BinPart(str(root), name, *stamp(root / name)) for name in bins]
    folder, below = _photo_root(root)
    return [FolderPart(below, part) for part in image_folder.parts(folder / below, flat=True)]


def index(part: BinPart | FolderPart) -> Iterator[Photo]:
    """The photos of a part: by their folder's name, or name:number and nobody's in a .bin.

    Raises UserError for a .bin that holds anything but photos and answers.
    """
    if isinstance(part, BinPart):
        yield from _bin_photos(part)
        return
    for photo in image_folder.index(part.folders):
        yield photo._replace(file=f"{part.below}/{photo.file}") if part.below else photo


def read(path: str | Path, photo: Photo) -> bytes:
    """A photo's bytes; raises Changed when its file vanished or is another than was indexed."""
    root = Path(path)
    file = root / photo.file
    if file.suffix == ".bin":
        return _numbered(file, photo) if photo.offset < 0 else read_bytes(path, photo)
    return read_bytes(root.parent if root.is_file() else root, photo, whole=True)


def pairs(path: str | Path) -> list[Pair]:
    """The verification questions of one .bin or one pairs.txt, in their order, with keys as `index` gives them.

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
    folder, below = _photo_root(root)
    if (listed := _pairs_file(root)) is None:
        raise UserError(f"{root} holds no .bin and no pairs.txt: give a test set with pairs")
    there = {
        str(PurePosixPath(e.name).with_suffix("")): e.name
        for _, entries in image_folder.walk(folder / below)
        for e in entries
        if not e.ignored
    }
    return [_found(question, there, listed) for question in _questions(listed)]


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


def _pairs_file(root: Path) -> Path | None:
    file = root if root.is_file() else root / "pairs.txt"
    return file if file.is_file() else None


def _photo_root(root: Path) -> tuple[Path, str]:
    """The folder of a test set, and where its photos lie below it: where the first name of its pairs.txt is."""
    folder = root.parent if root.is_file() else root
    listed = _pairs_file(root)
    if listed is None:
        return folder, ""
    name = _questions(listed)[0][0].partition("/")[0]
    for below in ("", *sorted(f.name for f in folder.iterdir() if f.is_dir())):
        if (folder / below / name).is_dir():
            return folder, below
    raise UserError(f"{listed} asks about {name}, and no folder beside it is called so: put the photos there")


def _questions(listed: Path) -> list[tuple[str, str, bool, int, int]]:
    """The rows of an LFW pairs.txt: two photos as name/name_number, same, fold and line.

    Its head says how many folds there are (one when it does not) and how many pairs of each kind a fold has.
    """
    lines = listed.read_text("utf-8", "replace").splitlines()
    rows = [(number, words) for number, line in enumerate(lines, start=1) if (words := line.split())]
    head = [int(w) for w in rows[0][1]] if rows and all(w.isdigit() for w in rows[0][1]) else []
    folds, each = (head if len(head) == 2 else [1, *head]) if len(head) in (1, 2) else (0, 0)
    if not folds or not each or len(rows) - 1 != 2 * folds * each:
        raise UserError(f"{listed} is no pairs.txt of LFW: expected a head such as 10 300 and "
                        f"{2 * folds * each or 6000} pairs, found {max(0, len(rows) - 1)}")  # fmt: skip
    return [(*_question(listed, number, words), i // (2 * each), number) for i, (number, words) in enumerate(rows[1:])]


def _question(listed: Path, number: int, words: list[str]) -> tuple[str, str, bool]:
    try:
        first, *between, last = words
        middle, other = (between[0], first) if len(words) == 3 else (between[0], between[1])
        if len(words) not in (3, 4):
            raise ValueError
        return f"{first}/{first}_{int(middle):04}", f"{other}/{other}_{int(last):04}", len(words) == 3
    except (ValueError, IndexError):
        raise UserError(f"{listed} line {number}: expected a name and two numbers or two names with a number each, "
                        f"found {' '.join(words)[:60]!r}") from None  # fmt: skip


def _found(question: tuple[str, str, bool, int, int], there: dict[str, str], listed: Path) -> Pair:
    a, b, same, fold, number = question
    for name in (a, b):
        if name not in there:
            raise UserError(f"{listed} line {number} asks about {name}, which is not there: a test set must be whole")
    return Pair(there[a], there[b], same, fold)
