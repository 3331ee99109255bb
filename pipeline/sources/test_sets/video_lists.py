"""Test sets of videos, each video a folder of its frames.

splits.txt                  YouTube Faces: a head, then split, number, person/video, person/video, 1 or 0
train_gt.txt, val_gt.txt    iQIYI-VID: a person, and the videos of that person
"""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import UserError
from pipeline.sources import is_folder
from pipeline.sources import number as number_of

MOST_SPLITS = 100
SPLITS, KNOWN, SOUGHT = "splits.txt", "train_gt.txt", "val_gt.txt"
FRAMES = ("", "aligned_images_DB", "frame_images_DB")  # where YouTube Faces keeps them


class VideoPair(NamedTuple):
    """Two videos as person/video, whether they show one person, and the fold."""

    a: str
    b: str
    same: bool
    fold: int


class Videos(NamedTuple):
    """A set: the folder of the videos' folders; pairs to tell apart, or known and sought videos by person."""

    frames: Path
    pairs: list[VideoPair]
    known: dict[str, list[str]]
    sought: dict[str, list[str]]


def recognise(path: str | Path) -> bool:
    """Whether a folder holds such a set."""
    root = Path(path)
    return (root / SPLITS).is_file() or ((root / SOUGHT).is_file() and (root / KNOWN).is_file())


def read_lists(path: str | Path) -> Videos:
    """The lists of a set. Raises UserError for one that is none, and for a video without a folder of frames."""
    root = Path(path).absolute()
    if (root / SPLITS).is_file():
        pairs = _pairs(root / SPLITS)
        frames = _frames(root, FRAMES, pairs[0].a)
        _whole(root / SPLITS, frames, (v for p in pairs for v in (p.a, p.b)))
        return Videos(frames, pairs, {}, {})
    known, sought = (_people(root / name) for name in (KNOWN, SOUGHT))
    first = next(iter(sought.values()))[0]
    frames = _frames(root, ("", *sorted(f.name for f in root.iterdir() if f.is_dir())), first)
    for name, people in ((KNOWN, known), (SOUGHT, sought)):
        _whole(root / name, frames, (v for videos in people.values() for v in videos))
    return Videos(frames, [], known, sought)


def _pairs(file: Path) -> list[VideoPair]:
    found = []
    for number, line in enumerate(_lines(file), start=1):
        words = [word.strip() for word in line.split(",")]
        videos = [word for word in words if "/" in word]
        split = number_of(words[0])
        if number == 1 and split is None:
            continue  # the head
        if len(videos) != 2 or split is None or not 0 < split <= MOST_SPLITS or words[-1] not in ("0", "1"):
            raise UserError(
                f"{file} line {number}: expected split, number, person/video twice and 1 or 0, found {line[:80]!r}"
            )
        found.append(VideoPair(videos[0], videos[1], words[-1] == "1", split - 1))
    if not found:
        raise UserError(f"{file} lists no pairs of videos")
    return found


def _people(file: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for number, line in enumerate(_lines(file), start=1):
        person, *videos = line.split()
        if not videos:
            raise UserError(f"{file} line {number}: expected a person and videos, found {line[:80]!r}")
        found.setdefault(person, []).extend(video.removesuffix(".mp4") for video in videos)
    if not found:
        raise UserError(f"{file} lists nobody")
    return found


def _lines(file: Path) -> list[str]:
    return [line for line in file.read_text("utf-8", "replace").splitlines() if line.strip()]


def _frames(root: Path, below: Iterable[str], first: str) -> Path:
    found = next((root / b for b in below if is_folder(root / b / first)), None)
    if found is None:
        raise UserError(f"{root} holds no folder {first[:80]}: a video's frames lie in a folder of its name")
    return found


def _whole(file: Path, frames: Path, videos: Iterable[str]) -> None:
    lost = next((v for v in videos if not is_folder(frames / v)), None)
    if lost is not None:
        raise UserError(
            f"{file} names the video {lost[:80]}, of which {frames} holds no frames: a test set must be whole"
        )
