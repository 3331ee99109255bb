"""TinyFace's layout: probes, their mates in the gallery, and distractors, with the person of each photo in two lists.

    Testing_Set/Probe/, Gallery_Match/, Gallery_Distractor/    the photos
    Testing_Set/probe_img_ID_pairs.mat                         the variables probe_set (photos) and probe_ids (persons)
    Testing_Set/gallery_match_img_ID_pairs.mat                 gallery_set and gallery_ids

Cheng, Zhu and Gong, "Low-Resolution Face Recognition" (ACCV 2018), section 4. Crops that were aligned beforehand may
lie in folders of the same names, with the two lists beside them.
"""

from pathlib import Path
from typing import NamedTuple

from pipeline.errors import UserError
from pipeline.sources.files import is_folder
from pipeline.sources.test_sets.matlab import load

PROBES, MATES, DISTRACTORS = "Probe", "Gallery_Match", "Gallery_Distractor"
FILES = {PROBES: ("probe", "probe_img_ID_pairs.mat"), MATES: ("gallery", "gallery_match_img_ID_pairs.mat")}
FOLDERS = ("", "Testing_Set", "tinyface/Testing_Set")  # where the lists lie below the path
MAX_BYTES = 32 << 20  # of a list: the 4,443 photos take a fraction of it


class TinyFaceLists(NamedTuple):
    """The folder of the lists, and the number of the person of each probe and mate, by photo (Probe/1_2.jpg)."""

    folder: Path
    probes: dict[str, int]
    mates: dict[str, int]


def is_tinyface(path: str | Path) -> bool:
    """Whether a path is a folder with TinyFace's lists."""
    return _folder(path) is not None


def read_lists(path: str | Path) -> TinyFaceLists:
    """The lists of a set. Raises UserError for a list of another form, and for a folder of photos that is missing."""
    folder = _folder(path)
    if folder is None:
        raise UserError(f"{path} holds no {' and '.join(f for _, f in FILES.values())}: give TinyFace's Testing_Set")
    if missing := [name for name in (PROBES, MATES, DISTRACTORS) if not is_folder(folder / name)]:
        raise UserError(f"{folder} holds no folder {missing[0]}: give TinyFace's Testing_Set with all its photos")
    probes, mates = (_persons(folder, photos) for photos in (PROBES, MATES))
    if not set(probes.values()) & set(mates.values()):
        raise UserError(f"no probe of {folder} has a mate in its gallery: fetch both lists of the same version")
    return TinyFaceLists(folder, probes, mates)


def _folder(path: str | Path) -> Path | None:
    root = Path(path).absolute()
    folders = (root / below for below in FOLDERS)
    return next((f for f in folders if all((f / name).is_file() for _, name in FILES.values())), None)


def _persons(folder: Path, photos: str) -> dict[str, int]:
    """The person of each listed photo of a folder."""
    prefix, name = FILES[photos]
    try:
        listed, ids = (load(folder / name, f"{prefix}_{part}", max_bytes=MAX_BYTES) for part in ("set", "ids"))
        if listed is None or ids is None or not listed.values or len(listed.values) != len(ids.values):
            raise ValueError(f"it does not hold {prefix}_set and {prefix}_ids of the same length")
        keys = [f"{photos}/{_photo(cell)}" for cell in listed.values]
        return dict(zip(keys, [_whole(value) for value in ids.values], strict=True))
    except (OSError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:120]
        raise UserError(f"cannot read {folder / name} as a list of TinyFace ({reason}): fetch it again") from None


def _photo(cell: object) -> str:
    values = getattr(cell, "values", [])
    if len(values) != 1 or not isinstance(values[0], str) or Path(values[0]).name != values[0] or "\0" in values[0]:
        raise ValueError(f"{str(values)[:40]!r} is not the name of a photo")
    return values[0]


def _whole(value: object) -> int:
    if not isinstance(value, int | float) or int(value) != value:
        raise ValueError(f"{str(value)[:40]!r} is not the number of a person")
    return int(value)
