"""Lists of pairs of LFW (pairs.txt), and of the two sets made from LFW: CALFW and CPLFW (two lines for a pair)."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from pipeline.errors import UserError
from pipeline.sources.test_sets.listed_pairs import MAX_FOLDS, ListedPair, consecutive_folds
from pipeline.sources.text_lists import numbered_lines, whole_number


def read_lfw(file: Path) -> Iterator[ListedPair]:
    """The pairs of a pairs.txt: after a header, `name n m` for a genuine pair, `name n other m` for an impostor pair.

    The header is the number of folds (one where it is missing) and the number of pairs of each kind in a fold.
    """
    lines = numbered_lines(file)
    header = [whole_number(word) or 0 for word in lines[0][1]] if lines else []
    folds, each = header if len(header) == 2 else (1, header[0]) if len(header) == 1 else (0, 0)
    if not 0 < folds <= MAX_FOLDS or not each or len(lines) - 1 != 2 * folds * each:
        raise UserError(
            f"{file} is not a pairs.txt of LFW: expected a header such as 10 300 and "
            f"{2 * folds * each or 6000} pairs, found {max(0, len(lines) - 1)}"
        )
    for i, (number, words) in enumerate(lines[1:]):
        a, b, same = _lfw_pair(file, number, words)
        yield ListedPair(a, b, same, i // (2 * each), f"{file} line {number}")


def _lfw_pair(file: Path, number: int, words: list[str]) -> tuple[str, str, bool]:
    try:
        first, *between, last = words
        if len(words) not in (3, 4):
            raise ValueError
        second = first if len(words) == 3 else between[1]
        return f"{first}/{first}_{_four_digits(between[0])}", f"{second}/{second}_{_four_digits(last)}", len(words) == 3
    except (ValueError, IndexError):
        raise UserError(
            f"{file} line {number}: expected a name and two numbers or two names with a number each, "
            f"found {' '.join(words)[:60]!r}"
        ) from None


def _four_digits(word: str) -> str:
    if (number := whole_number(word)) is None:
        raise ValueError(word)
    return f"{number:04}"


def read_calfw(file: Path) -> Iterator[ListedPair]:
    """The pairs of a pairs_CALFW.txt or pairs_CPLFW.txt: two lines for each, a photo and a number.

    The number is 0 for an impostor pair. For a genuine pair it is the fold, from 1, in CALFW, and always 1 in CPLFW;
    folds that the list does not give come from consecutive_folds().
    """
    lines = [(number, *_photo_and_number(file, number, words)) for number, words in numbered_lines(file)]
    if not lines or len(lines) % 2:
        raise UserError(f"{file} holds {len(lines)} lines: expected two for each pair")
    couples = list(zip(lines[::2], lines[1::2], strict=True))
    unequal = next((line for (line, _, one), (_, _, other) in couples if one != other), None)
    if unequal is not None:
        raise UserError(f"{file} lines {unequal} and {unequal + 1} are one pair and have different numbers")
    numbers = {number for (_, _, number), _ in couples}
    run_folds = consecutive_folds([number > 0 for (_, _, number), _ in couples])
    for ((line, a, number), (_, b, _)), run_fold in zip(couples, run_folds, strict=True):
        fold = number - 1 if number and len(numbers) > 2 else run_fold
        person = PurePosixPath(a).stem.rpartition("_")[0] or None
        yield ListedPair(a, b, number > 0, fold, f"{file} line {line}", person)


def _photo_and_number(file: Path, line: int, words: list[str]) -> tuple[str, int]:
    number = whole_number(words[-1])
    if len(words) < 2 or number is None or number > MAX_FOLDS:
        raise UserError(f"{file} line {line}: expected a photo and a number, found {' '.join(words)[:60]!r}")
    return " ".join(words[:-1]), number
