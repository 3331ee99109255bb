"""AgeDB's own protocols, 04_FINAL_protocol_30_years.mat and its like, beside the photos in 03_Protocol_Images.

`splits` is a column of cells, one a fold; each holds a record of which the first field has, in two rows of cells, the
two photos of every pair (a record of name without suffix, and age), and the second 1 for one person, -1 for two. A
photo's name begins with its person's, up to the first underscore. Moschoglou et al., "AgeDB: the first manually
collected, in-the-wild age database" (CVPRW 2017), section 3: ten folds of 300 pairs of either kind.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import UserError
from pipeline.sources.test_sets.matlab import Array, load

PATTERN = "*_protocol_*_years.mat"
MOST_BYTES = 32 << 20  # of a protocol: 6,000 pairs take a fraction of it
PHOTOS = 2
NOTHING = Array((0, 0), [])


class Asked(NamedTuple):
    """Two photos without suffix, whether they are one person, and the fold."""

    a: str
    b: str
    same: bool
    fold: int


def recognise(root: Path) -> list[Path]:
    """The protocols that a path is, or that lie in it."""
    if root.is_file():
        return [root] if root.suffix == ".mat" else []
    return sorted(root.glob(PATTERN))


def read(file: Path) -> list[Asked]:
    """The pairs of a protocol. Raises UserError for a file that is none."""
    try:
        found = load(file, "splits", most_bytes=MOST_BYTES)
        if found is None or not found.values:
            raise ValueError("it holds no splits")
        pairs = [pair for fold, split in enumerate(found.values) for pair in _pairs(split, fold)]
        if not pairs:
            raise ValueError("it asks about no pair")
        return pairs
    except (OSError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:120]
        raise UserError(
            f"cannot read {file} as a protocol of AgeDB ({reason}): fetch it again, or give its pairs as a *_pair.txt"
        ) from None


def person(photo: str) -> str:
    """Whom a photo shows, by its name."""
    return photo.partition("_")[0]


def _pairs(split: object, fold: int) -> Iterator[Asked]:
    photos, same, *_ = (*_fields(split, f"fold {fold + 1}"), NOTHING, NOTHING)
    if photos.shape != (PHOTOS, len(same.values)) or not all(one in (1, -1) for one in same.values):
        raise ValueError(f"fold {fold + 1} has {photos.shape} photos and {len(same.values)} answers")
    names = [_name(photo) for photo in photos.values]  # the two of a pair beside each other
    for first, second, one in zip(names[::PHOTOS], names[1::PHOTOS], same.values, strict=True):
        yield Asked(first, second, one == 1, fold)


def _name(photo: object) -> str:
    text = _fields(photo, "a photo")[0].values
    if len(text) != 1 or not isinstance(text[0], str) or not text[0] or "/" in text[0] or "\0" in text[0]:
        raise ValueError(f"{str(text)[:40]!r} is no photo")
    return text[0]


def _fields(found: object, what: str) -> tuple[Array, ...]:
    """The fields of an array that is one record."""
    if isinstance(found, Array) and len(found.values) == 1 and isinstance(record := found.values[0], tuple):
        return record
    raise ValueError(f"{what} is no record")
