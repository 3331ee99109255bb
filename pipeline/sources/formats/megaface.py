"""MegaFace: FaceScrub's folders of actors as probes, and the million distractors from Flickr, in one tree or in two.

A probe lies in its actor's folder (Aaron_Eckhart/Aaron_Eckhart_1.png); a distractor lies under its photographer
(375/37531198@N00/4174611825_0.jpg) and claims no identity. Optional files: the box in a distractor's .json or in
*face_info.txt says which of a photo's faces is the subject; *_features_list.json* (the development kit's) and *_lst
(InsightFace's test pack) list the photos of the set. Where there are such lists, other photos are counted and left out.
"""

import json
import math
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from pipeline.errors import UserError
from pipeline.sources.files import FolderOptions, file_stamp
from pipeline.sources.formats import image_folder
from pipeline.sources.formats.folder_walk import listing, walk
from pipeline.sources.photo import Box, Photo
from pipeline.sources.photo_names import folded_path, path_tails
from pipeline.sources.survey import Survey, examples
from pipeline.sources.text_lists import lines_of

LIST_FOLDERS = ("", "templatelists", "devkit/templatelists")
DISTRACTOR = re.compile(r"(?:^|/)\d{1,3}/\d+@N\d+/[^/]+$")


class Part(NamedTuple):
    """Some folders of a tree; the name, size and modification time of each file that lists photos or boxes."""

    folders: image_folder.Part | image_folder.PartWithOptions
    lists: tuple[tuple[str, int, int], ...]


class Lists(NamedTuple):
    """The photos and boxes that the files beside the photos list, by their folded paths.

    Where no list names a probe, all probes belong to the set; the same holds for distractors.
    """

    probes: frozenset[str]
    distractors: frozenset[str]
    boxes: dict[str, Box]


def parts(path: str | Path, *, options: FolderOptions = image_folder.AS_USUAL) -> list[Part]:
    """Groups of folders with photos in them; options.identity_level has no meaning here.

    Raises UserError as image_folder.parts does, and for a list that cannot be read.
    """
    root = image_folder.folder(path)
    lists = tuple((name, *file_stamp(root / name)) for name in _list_files(root))
    _lists(str(root), lists)
    return [Part(folders, lists) for folders in image_folder.parts(root, options=options)]


def index(part: Part) -> Iterator[Photo]:
    """The listed photos of a part with their boxes; a .json that cannot be read gives no box."""
    folders, options = image_folder.with_options(part.folders)
    root, lists = Path(folders.root), _lists(folders.root, part.lists)
    for name in folders.folders:
        entries = listing(root, name, follow_links=options.follow_links).entries
        names = {e.name for e in entries}
        for entry in entries:
            if not entry.ignored and _belongs(entry.name, lists):
                box = _box(root / f"{entry.name}.json") if f"{entry.name}.json" in names else None
                box = box or lists.boxes.get(_comparable_name(entry.name))
                yield image_folder.photo_of(entry, _identity(entry.name))._replace(box=box)


read = image_folder.read


def survey(path: str | Path, *, options: FolderOptions = image_folder.AS_USUAL) -> Survey:
    """The numbers of files that are not photos, photos in no list and listed photos that are missing, by reason.

    Raises UserError where lists leave no probe or no distractor of those that are there.
    """
    root = image_folder.folder(path)
    names = _list_files(root)
    lists = _lists(str(root), tuple((name, *file_stamp(root / name)) for name in names))
    walked = walk(root, follow_links=options.follow_links)
    photos = {e.name for _, entries, _ in walked for e in entries if not e.ignored}
    boxes = {f"{photo}.json" for photo in photos}
    counts = dict(
        image_folder.survey(root, options=options, expected=lambda name: name in boxes or name in names).ignored
    )
    unlisted = sorted(photo for photo in photos if not _belongs(photo, lists))
    _refuse_lists_that_leave_none(root, photos, unlisted, lists)
    counts["not in a list"] = len(unlisted)
    present = {tail for photo in photos for tail in path_tails(folded_path(photo))}
    missing = sorted((lists.probes | lists.distractors) - present)
    counts["listed, not there"] = len(missing)
    warnings = [f"{len(missing)} photos that its lists name are not there: {examples(missing)}"] if missing else []
    return Survey({reason: count for reason, count in counts.items() if count}, warnings)


def _refuse_lists_that_leave_none(root: Path, photos: set[str], unlisted: Sequence[str], lists: Lists) -> None:
    """Raise UserError where lists name none of the probes, or none of the distractors, that are there."""
    for kind, listed, wanted in (("probes", lists.probes, False), ("distractors", lists.distractors, True)):
        there = [photo for photo in photos if bool(DISTRACTOR.search(photo)) == wanted]
        left_out = [photo for photo in unlisted if bool(DISTRACTOR.search(photo)) == wanted]
        if there and len(left_out) == len(there):
            raise UserError(
                f"the lists in {root} name none of its {len(there)} {kind}: there is {examples(left_out)}, "
                f"they name {examples(sorted(listed))}: remove the lists, or give those of these photos"
            )


def _identity(name: str) -> str | None:
    return None if DISTRACTOR.search(name) else PurePosixPath(name).parent.name or None


def _belongs(name: str, lists: Lists) -> bool:
    """Whether a photo belongs to the set by these lists, which may spell it otherwise (see photo_names.py)."""
    listed = lists.distractors if DISTRACTOR.search(name) else lists.probes
    return not listed or any(tail in listed for tail in path_tails(folded_path(name)))


def _comparable_name(name: str) -> str:
    """A probe's folder and file name as lists are compared; boxes are listed by these two."""
    return "/".join(folded_path(name).split("/")[-2:])


def _box(path: Path) -> Box | None:
    """The box of a distractor's .json in pixels, or a box around the .json's landmarks; None where it has neither."""
    try:
        content = json.loads(path.read_bytes())
        if content.get("bounding_box"):
            x, y, width, height = (float(content["bounding_box"][k]) for k in ("x", "y", "width", "height"))
            box = (x, y, x + width, y + height)
        else:
            box = _box_around([(float(p["x"]), float(p["y"])) for p in content["landmarks"].values()])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None
    return box if all(map(math.isfinite, box)) and box[0] < box[2] and box[1] < box[3] else None


def _box_around(points: list[tuple[float, float]]) -> Box:
    """A square around the landmarks of eyes and nose, three times their spread: about the box that a detector gives."""
    half = 1.5 * max(math.dist(a, b) for a in points for b in points)
    x, y = (sum(p[i] for p in points) / len(points) for i in (0, 1))
    return x - half, y - half, x + half, y + half


def _list_files(root: Path) -> list[str]:
    patterns = ("*features_list.json*", "*_lst", "*face_info.txt")
    files = {f for folder in LIST_FOLDERS for pattern in patterns for f in (root / folder).glob(pattern) if f.is_file()}
    return sorted(str(f.relative_to(root)) for f in files)


@lru_cache(maxsize=2)
def _lists(root: str, files: tuple[tuple[str, int, int], ...]) -> Lists:
    names: set[str] = set()
    boxes: dict[str, Box] = {}
    for file, *_ in files:
        path = Path(root, file)
        if file.endswith("face_info.txt"):
            boxes |= _boxes(path)
        elif file.endswith("_lst"):
            names.update(folded_path(line) for _, line in lines_of(path))
        else:
            names.update(map(folded_path, _paths(path)))
    distractors = frozenset(name for name in names if DISTRACTOR.search(name))
    return Lists(frozenset(names - distractors), distractors, boxes)


def _paths(path: Path) -> list[str]:
    try:
        content: Any = json.loads(path.read_bytes())  # UTF-8 or UTF-16: json recognises both
        return [str(name) for name in content["path"]]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(f"{path} holds no list of photos under path ({error}): repair it or remove it") from None


def _boxes(path: Path) -> dict[str, Box]:
    """The boxes of a face_info.txt. A line is a photo (its name may hold blanks), x1,y1,x2,y2 in pixels, landmarks."""
    boxes: dict[str, Box] = {}
    for number, line in lines_of(path):
        try:
            name, corners, *_ = line.replace("\t", " ").rsplit(" ", 2)
            x1, y1, x2, y2 = (float(word) for word in corners.split(","))
            if not all(map(math.isfinite, (x1, y1, x2, y2))):
                raise ValueError(corners)
        except ValueError:
            raise UserError(
                f"{path} line {number}: expected a photo, x1,y1,x2,y2 and landmarks, "
                f"found {line[:60]!r}: repair it or remove it"
            ) from None
        if x1 < x2 and y1 < y2:  # a box without area is left out
            boxes[_comparable_name(name)] = (x1, y1, x2, y2)
    return boxes
