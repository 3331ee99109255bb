"""AgeDB's own protocols, such as 04_FINAL_protocol_30_years.mat, beside the photos in 03_Protocol_Images.

The variable `splits` is a column of cells, one for each fold. A cell holds a struct of two fields: two rows of cells
with the two photos of every pair (a struct of name without suffix, and age), and a row with 1 for a genuine pair, -1
for an impostor pair. The part of a photo's name before the first underscore is its person. Moschoglou et al., "AgeDB:
the first manually collected, in-the-wild age database" (CVPRW 2017), section 3: ten folds of 300 pairs of either kind.
"""

from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import UserError
from pipeline.sources.test_sets.listed_pairs import ListedPair
from pipeline.sources.test_sets.matlab import Array, load

PATTERN = "*_protocol_*_years.mat"
MAX_BYTES = 32 << 20  # of a protocol: 6,000 pairs take a fraction of it
PHOTOS = 2  # of a pair
NO_FIELD = Array((0, 0), [])


def protocols(path: Path) -> list[Path]:
    """The protocol files of a path: the path itself, or the protocols in that folder."""
    if path.is_file():
        return [path] if path.suffix == ".mat" else []
    return sorted(path.glob(PATTERN))


def read(file: Path) -> list[ListedPair]:
    """The pairs of a protocol. Raises UserError for a file that is not a protocol."""
    try:
        splits = load(file, "splits", max_bytes=MAX_BYTES)
        if splits is None or not splits.values:
            raise ValueError("it holds no splits")
        pairs = [pair for fold, split in enumerate(splits.values) for pair in _pairs(split, fold, str(file))]
        if not pairs:
            raise ValueError("it lists no pair")
        return pairs
    except (OSError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:120]
        raise UserError(
            f"cannot read {file} as a protocol of AgeDB ({reason}): fetch it again, or give its pairs as a *_pair.txt"
        ) from None


def _pairs(split: object, fold: int, file: str) -> Iterator[ListedPair]:
    photos, labels, *_ = (*_fields(split, f"fold {fold + 1}"), NO_FIELD, NO_FIELD)
    if photos.shape != (PHOTOS, len(labels.values)) or not all(label in (1, -1) for label in labels.values):
        pairs = len(photos.values) // PHOTOS
        raise ValueError(f"fold {fold + 1} has {pairs} pairs of photos and {len(labels.values)} labels of pairs")
    names = [_name(photo) for photo in photos.values]  # column by column: the two photos of a pair are neighbours
    for a, b, label in zip(names[::PHOTOS], names[1::PHOTOS], labels.values, strict=True):
        yield ListedPair(a, b, label == 1, fold, file, person=a.partition("_")[0])


def _name(photo: object) -> str:
    text = _fields(photo, "a photo")[0].values
    if len(text) != 1 or not isinstance(text[0], str) or not text[0] or "/" in text[0] or "\0" in text[0]:
        raise ValueError(f"{str(text)[:40]!r} is not a photo")
    return text[0]


def _fields(array: object, what: str) -> tuple[Array, ...]:
    """The fields of an array that is one struct."""
    if isinstance(array, Array) and len(array.values) == 1 and isinstance(struct := array.values[0], tuple):
        return struct
    raise ValueError(f"{what} is not a struct")
