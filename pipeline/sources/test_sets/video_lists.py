"""Lists of test sets of videos, in which each video is a folder of its frames.

splits.txt                  YouTube Faces: a header, then split, number, person/video, person/video, 1 or 0
train_gt.txt, val_gt.txt    iQIYI-VID: a line for each person with their videos; train: queries, val: gallery
"""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import UserError
from pipeline.sources.files import is_folder
from pipeline.sources.text_lists import csv_rows, numbered_lines, whole_number

MAX_SPLITS = 100
SPLITS, QUERIES, GALLERY = "splits.txt", "train_gt.txt", "val_gt.txt"
FRAME_FOLDERS = ("", "aligned_images_DB", "frame_images_DB")  # where YouTube Faces keeps the folders of frames


class VideoPair(NamedTuple):
    """Two videos, each as person/video, whether they show one person, and the fold."""

    a: str
    b: str
    same: bool
    fold: int


class VideoSet(NamedTuple):
    """A set of videos: pairs to verify, or the query videos and the gallery videos of each person to search."""

    frames: Path  # the folder that holds a folder of frames for each video
    pairs: list[VideoPair]
    queries: dict[str, list[str]]
    gallery: dict[str, list[str]]


def is_video_set(path: str | Path) -> bool:
    """Whether a path is a folder with the lists of YouTube Faces or iQIYI-VID."""
    root = Path(path)
    return (root / SPLITS).is_file() or ((root / GALLERY).is_file() and (root / QUERIES).is_file())


def read_lists(path: str | Path) -> VideoSet:
    """The lists of a set. Raises UserError for a list of another form, and for a video without a folder of frames."""
    root = Path(path).absolute()
    if (root / SPLITS).is_file():
        pairs = _pairs(root / SPLITS)
        frames = _frame_folder(root, FRAME_FOLDERS, pairs[0].a)
        _check_videos(root / SPLITS, frames, (v for p in pairs for v in (p.a, p.b)))
        return VideoSet(frames, pairs, {}, {})
    queries, gallery = (_videos_by_person(root / name) for name in (QUERIES, GALLERY))
    first = next(iter(gallery.values()))[0]
    frames = _frame_folder(root, ("", *sorted(f.name for f in root.iterdir() if f.is_dir())), first)
    for name, videos_by_person in ((QUERIES, queries), (GALLERY, gallery)):
        _check_videos(root / name, frames, (v for videos in videos_by_person.values() for v in videos))
    return VideoSet(frames, [], queries, gallery)


def _pairs(file: Path) -> list[VideoPair]:
    pairs = []
    for number, words in csv_rows(file):
        line = ", ".join(words)
        videos = [word for word in words if "/" in word]
        split = whole_number(words[0])
        if number == 1 and split is None:
            continue  # the header
        if len(videos) != 2 or split is None or not 0 < split <= MAX_SPLITS or words[-1] not in ("0", "1"):
            raise UserError(
                f"{file} line {number}: expected split, number, person/video twice and 1 or 0, found {line[:80]!r}"
            )
        pairs.append(VideoPair(videos[0], videos[1], words[-1] == "1", split - 1))
    if not pairs:
        raise UserError(f"{file} lists no pairs of videos: fetch the list again")
    return pairs


def _videos_by_person(file: Path) -> dict[str, list[str]]:
    videos_by_person: dict[str, list[str]] = {}
    for number, (person, *videos) in numbered_lines(file):
        if not videos:
            raise UserError(f"{file} line {number}: expected a person and videos, found {person[:80]!r}")
        videos_by_person.setdefault(person, []).extend(video.removesuffix(".mp4") for video in videos)
    if not videos_by_person:
        raise UserError(f"{file} lists no person: fetch the list again")
    return videos_by_person


def _frame_folder(root: Path, candidates: Iterable[str], first: str) -> Path:
    """The first of the candidate folders below root that holds the video `first`."""
    folder = next((root / name for name in candidates if is_folder(root / name / first)), None)
    if folder is None:
        raise UserError(f"{root} holds no folder {first[:80]}: a video's frames lie in a folder of its name")
    return folder


def _check_videos(file: Path, frames: Path, videos: Iterable[str]) -> None:
    missing = next((v for v in videos if not is_folder(frames / v)), None)
    if missing is not None:
        raise UserError(
            f"{file} names the video {missing[:80]}, of which {frames} holds no frames: a test set must be complete"
        )
