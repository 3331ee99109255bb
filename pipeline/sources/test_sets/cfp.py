"""CFP's two lists of pairs: Protocol/Split/FF (frontal, frontal) and FP (frontal, profile), in ten folds each.

A fold is a folder of same.txt and diff.txt, whose lines are the numbers of two photos. Protocol/Pair_list_F.txt gives
the path of each frontal photo by its number, Pair_list_P.txt that of each profile photo.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from pipeline.errors import UserError
from pipeline.sources.test_sets.listed_pairs import ListedPair, PairList
from pipeline.sources.text_lists import numbered_lines


def root_of(path: Path) -> Path | None:
    """The folder of CFP that holds Data and Protocol, when a path is that folder or one of its splits."""
    for folder in (path, *path.parents[:3]):
        if (folder / "Protocol/Split").is_dir() and (folder / "Protocol/Pair_list_F.txt").is_file():
            return folder if path == folder or path.parent == folder / "Protocol/Split" else None
    return None


def read(root: Path, split: Path) -> PairList:
    """The pairs of one split of the set in root. Raises UserError for the root itself, which holds two splits."""
    if split == root:
        splits = sorted(f.name for f in (root / "Protocol/Split").iterdir() if f.is_dir())
        raise UserError(
            f"{root} holds two lists of pairs: give one of "
            f"{', '.join(str(root / 'Protocol/Split' / s) for s in splits)}"
        )
    frontal = _numbered_photos(root / "Protocol/Pair_list_F.txt")
    second = _numbered_photos(root / "Protocol/Pair_list_P.txt") if split.name == "FP" else frontal
    pairs: list[ListedPair] = []
    for fold, folder in enumerate(sorted(f for f in split.iterdir() if f.is_dir())):
        for kind in ("same", "diff"):
            file = folder / f"{kind}.txt"
            if not file.is_file():
                raise UserError(f"{folder} holds no {kind}.txt: a split of CFP has both")
            pairs += _pairs(file, frontal, second, same=kind == "same", fold=fold)
    if not pairs:
        raise UserError(f"{split} lists no pairs: expected folders 01 to 10 with same.txt and diff.txt")
    return PairList(split, root, pairs, person_folders=1)


def _pairs(
    file: Path, frontal: Mapping[int, str], second: Mapping[int, str], *, same: bool, fold: int
) -> Iterator[ListedPair]:
    for line, words in numbered_lines(file):
        place = f"{file} line {line}"
        try:
            one, two = (int(word) for word in "".join(words).split(","))
            a, b = frontal[one], second[two]
        except (ValueError, KeyError):
            raise UserError(
                f"{place}: expected two numbers of Pair_list_F/_P.txt with a comma, found {' '.join(words)[:60]!r}"
            ) from None
        yield ListedPair(a, b, same, fold, place, PurePosixPath(a).parts[0])


def _numbered_photos(file: Path) -> dict[int, str]:
    """The path of each photo by its number, without the leading ../Data/Images/."""
    try:
        paths = {int(words[0]): PurePosixPath(words[1]).parts for _, words in numbered_lines(file)}
    except (OSError, ValueError, IndexError) as error:
        raise UserError(f"cannot read {file} as CFP's list of photos ({error}): expected a number and a path") from None
    if not all(paths.values()):
        raise UserError(f"{file} lists a photo without a path: expected a number and a path in each line")
    return {number: "/".join(parts[-3:]) for number, parts in paths.items()}
