"""AgeDB's own protocols, 04_FINAL_protocol_30_years.mat and its like, beside the photos in 03_Protocol_Images.

`splits` is a column of cells, one a fold; each holds a record of which the first field has, in two rows of cells, the
two photos of every pair (a record of name without suffix, and age), and the second 1 for one person, -1 for two. A
photo's name begins with its person's, up to the first underscore. Moschoglou et al., "AgeDB: the first manually
collected, in-the-wild age database" (CVPRW 2017), section 3: ten folds of 300 pairs of either kind.
"""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pipeline.errors import UserError

PATTERN = "*_protocol_*_years.mat"
MOST_BYTES = 64_000_000  # of a protocol: 6,000 pairs take a fraction of it
PHOTOS = 2


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
        if file.stat().st_size > MOST_BYTES:
            raise ValueError("it is too large for one")
        return [pair for fold, split in enumerate(_splits(file)) for pair in _pairs(split, fold)]
    except Exception as error:  # noqa: BLE001  what a broken file makes of scipy's reader is not told beforehand
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise UserError(f"cannot read {file} as a protocol of AgeDB ({reason}): fetch it again, or give its pairs as "
                        "a *_pair.txt") from None  # fmt: skip


def person(photo: str) -> str:
    """Whom a photo shows, by its name."""
    return photo.partition("_")[0]


def _splits(file: Path) -> list[Any]:
    from scipy.io import loadmat

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = loadmat(file, variable_names=["splits"]).get("splits")
    if not isinstance(found, np.ndarray) or not found.size:
        raise ValueError("it holds no splits")
    return [cell.item() for cell in found.ravel()]  # a record each


def _pairs(split: Any, fold: int) -> Iterator[Asked]:
    photos, same = np.asarray(split[0], object), np.asarray(split[1]).ravel()
    if photos.shape != (PHOTOS, len(same)) or not np.isin(same, (1, -1)).all():
        raise ValueError(f"fold {fold + 1} has {photos.shape} photos and {len(same)} answers")
    for first, second, one in zip(*photos, same.tolist(), strict=True):
        yield Asked(_name(first), _name(second), one == 1, fold)


def _name(record: Any) -> str:
    name = str(np.asarray(record.item()[0]).item())
    if not name or "/" in name or "\0" in name:
        raise ValueError(f"{name[:40]!r} is no photo")
    return name
