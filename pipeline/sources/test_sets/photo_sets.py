"""Test sets of photos: InsightFace's .bin files, photos with a list of pairs, and plain folders of people.

The functions of kinds.SourceFormat, and one more: `pairs` gives the pairs to verify. A .bin is a pickle of JPEGs, two
for each pair, and of whether each pair is genuine; a photo's bytes are read from their place in the .bin.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from pipeline.errors import UserError
from pipeline.sources.files import existing_path, file_stamp, is_file, is_folder, read_bytes, unreachable
from pipeline.sources.formats import image_folder
from pipeline.sources.formats.folder_walk import walk
from pipeline.sources.photo import Photo, PhotoChanged, SourceUnreachable
from pipeline.sources.photo_kinds import SUFFIXES
from pipeline.sources.photo_names import folded_path, path_tails
from pipeline.sources.survey import examples
from pipeline.sources.test_sets.listed_pairs import FOLDS, ListedPair, PairList
from pipeline.sources.test_sets.pair_lists import find_pair_list, photo_folder
from pipeline.sources.test_sets.verification_bin import load


class Pair(NamedTuple):
    """Two photos by their keys, whether they show one person, and the fold.

    person: the person of photo a, where its folder does not name the person.
    """

    a: str
    b: str
    same: bool
    fold: int
    person: str | None = None


class BinPart(NamedTuple):
    """A .bin file with its size and modification time."""

    root: str
    file: str
    size: int
    modified: int


class FolderPart(NamedTuple):
    """Some folders of photos below a test set's path."""

    subfolder: str  # of the photos, below the test set's folder; "": that folder itself
    folders: image_folder.Part
    person_folders: int = 0  # the number of leading folders of a photo's path that name its person; 0: all


def parts(path: str | Path) -> list[BinPart | FolderPart]:
    """The parts of a test set: a .bin, a folder of them, a list of pairs or its folder, or a folder of photos.

    Raises UserError for anything else, and for a list whose photos are not found.
    """
    root = existing_path(path)
    if bins := _bins(root):
        return [BinPart(str(root), name, *file_stamp(root / name)) for name in bins]
    listed = find_pair_list(root)
    folder, subfolder = _photo_root(root, listed)
    person_folders = listed.person_folders if listed else 0
    return [
        FolderPart(subfolder, part, person_folders) for part in image_folder.plain_parts(folder / subfolder, flat=True)
    ]


def index(part: BinPart | FolderPart) -> Iterator[Photo]:
    """The photos of a part. The identity is the photo's folder; in a .bin there is none, and the key is file:number.

    Raises UserError for a .bin that holds anything but photos and pairs.
    """
    if isinstance(part, BinPart):
        yield from _bin_photos(part)
        return
    for photo in image_folder.index(part.folders):
        identity = photo.identity
        if part.person_folders and identity is not None:
            identity = "/".join(identity.split("/")[: part.person_folders])
        file = f"{part.subfolder}/{photo.file}" if part.subfolder else photo.file
        yield photo._replace(file=file, identity=identity)


def read(path: str | Path, photo: Photo) -> bytes:
    """The bytes of a photo; raises PhotoChanged when its file vanished or was changed since it was indexed."""
    root = Path(path)
    file = root / photo.file
    if file.suffix == ".bin":
        return _bin_photo(file, photo) if photo.offset < 0 else read_bytes(path, photo)
    return read_bytes(photo_folder(root), photo, whole_file=True)


def pairs(path: str | Path) -> list[Pair]:
    """The pairs to verify of one .bin or one list of pairs, in their order, with photos by the keys of `index`.

    Raises UserError when there are none, or a photo of a pair is missing.
    """
    root = existing_path(path)
    if bins := _bins(root):
        if len(bins) > 1:
            raise UserError(f"{root} holds {len(bins)} .bin files: give one of {', '.join(bins)}")
        file = root / bins[0]
        same = load(file).same
        return [
            Pair(f"{file.stem}:{2 * i}", f"{file.stem}:{2 * i + 1}", s, fold)
            for i, (s, fold) in enumerate(zip(same, _folds(len(same)), strict=True))
        ]
    if (listed := find_pair_list(root)) is None:
        raise UserError(f"{root} holds no .bin and no list of pairs, such as a pairs.txt: give a test set with pairs")
    folder, subfolder = _photo_root(root, listed)
    names = [e.name for _, entries, _ in walk(folder / subfolder) for e in entries if not e.ignored]
    return _with_keys(listed.pairs, names, folder / subfolder)


def _bins(root: Path) -> list[str]:
    if root.is_file():
        return [""] if root.suffix == ".bin" else []
    return sorted(f.name for f in root.glob("*.bin") if not f.name.startswith("."))


def _bin_photos(part: BinPart) -> Iterator[Photo]:
    file = Path(part.root, part.file)
    content, file_bytes, search_from = load(file), file.read_bytes(), 0
    for i, photo in enumerate(content.photos):
        offset = file_bytes.find(photo, search_from)
        if offset < 0:
            offset = file_bytes.find(photo)  # a photo of several pairs is pickled once
        search_from = max(search_from, offset)
        # An old text pickle escapes bytes, so the photo's bytes are not in the file as such: its offset is ~number.
        yield Photo(f"{file.stem}:{i}", None, part.file, offset if offset >= 0 else ~i, len(photo), part.modified)


def _bin_photo(file: Path, photo: Photo) -> bytes:
    """A photo of a .bin whose bytes are escaped there; photo.offset is ~number."""
    try:
        unchanged = file.stat().st_mtime_ns == photo.modified
    except OSError as error:
        raise unreachable(error, file) from None
    if not unchanged:
        raise PhotoChanged(f"{file.name} changed since it was indexed")
    try:
        return load(file).photos[~photo.offset]
    except UserError as error:  # it was read when it was indexed, and has not changed since
        raise SourceUnreachable(str(error)) from None


def _folds(count: int) -> Iterable[int]:
    """The fold of each pair, in order; the first folds are larger by one where needed, as in scikit-learn's KFold."""
    size, larger_folds = divmod(count, FOLDS)
    return [fold for fold in range(FOLDS) for _ in range(size + (fold < larger_folds))]


def _photo_root(root: Path, listed: PairList | None) -> tuple[Path, str]:
    """The folder of a test set, and the subfolder that holds its photos, found by the first photo of the list."""
    if listed is None:
        return (root.parent if root.is_file() else root), ""
    folder, first = listed.folder, listed.pairs[0].a
    for tail in path_tails(first):  # a list may begin with folders of the machine that it was written on
        top_folder = tail.partition("/")[0] if "/" in tail else ""
        for subfolder in _subfolders(folder):
            if _has_folder(folder / subfolder, top_folder) if top_folder else _is_photo(folder / subfolder, tail):
                return folder, subfolder
    top_folder = first.partition("/")[0] if "/" in first else ""
    reason = "and there is no such folder" if top_folder else "which is not"
    raise UserError(f"{listed.file} lists {(top_folder or first)[:80]}, {reason} beside it: put the photos there")


def _subfolders(folder: Path) -> Iterator[str]:
    """Where photos may lie below a list's folder: there, or one or two folders down."""
    yield from ("", "Data/Images")
    first_level = sorted(f.name for f in folder.iterdir() if f.is_dir())
    yield from first_level
    for name in first_level:
        yield from sorted(f"{name}/{f.name}" for f in (folder / name).iterdir() if f.is_dir())


def _has_folder(parent: Path, name: str) -> bool:
    """Whether a folder is there under this name, or under one that differs only in spelling (see photo_names)."""
    if is_folder(parent / name):
        return True
    folded = folded_path(name)
    return is_folder(parent) and any(folded_path(f.name) == folded and f.is_dir() for f in parent.iterdir())


def _is_photo(folder: Path, name: str) -> bool:
    return is_file(folder / name) or any(is_file(folder / f"{name}{suffix}") for suffix in SUFFIXES)


def _with_keys(pairs: Sequence[ListedPair], names: Sequence[str], folder: Path) -> list[Pair]:
    """The pairs with the keys of their photos, names; a list may spell a photo otherwise (see photo_names).

    folder: that holds the photos. Raises UserError when a photo of a pair is missing.
    """
    keys = {str(PurePosixPath(name).with_suffix("")): name for name in names} | {name: name for name in names}
    listed = dict.fromkeys(photo for pair in pairs for photo in (pair.a, pair.b))
    if unknown := [photo for photo in listed if photo not in keys]:
        folded = {folded_path(name): name for name in names}
        tails = {photo: next((t for t in path_tails(folded_path(photo)) if t in folded), "") for photo in unknown}
        keys |= {photo: folded[tail] for photo, tail in tails.items() if tail}
    if missing := [photo for photo in listed if photo not in keys]:
        place = next(pair.place for pair in pairs if missing[0] in (pair.a, pair.b))
        others = f", nor are {len(missing) - 1} others: {examples(missing[1:])}" if missing[1:] else ""
        what = "which is a link that leads elsewhere" if _is_photo(folder, missing[0]) else "which is not there"
        raise UserError(f"{place} lists {missing[0][:80]}, {what}{others}: a test set must be complete")
    return [Pair(keys[pair.a], keys[pair.b], pair.same, pair.fold, pair.person) for pair in pairs]
