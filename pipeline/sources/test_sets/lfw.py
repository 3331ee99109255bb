"""Lists of pairs of LFW (pairs.txt, and Kaggle's pairs.csv), of RFW, and of sets made from LFW: CALFW and CPLFW."""

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from pipeline.errors import UserError
from pipeline.sources.test_sets.listed_pairs import MAX_FOLDS, ListedPair, consecutive_folds
from pipeline.sources.text_lists import csv_rows, numbered_lines, whole_number

Line = tuple[int, list[str]]  # its number, and its columns


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


def read_lfw_csv(file: Path) -> Iterator[ListedPair]:
    """The pairs of a CSV with LFW's columns, `name,n,m` and `name,n,other,m`, under a header or without one.

    It gives no folds: they come from consecutive_folds().
    """
    lines = list(csv_rows(file))
    if lines and not any(whole_number(word) is not None for word in lines[0][1]):
        lines = lines[1:]  # the header
    if not lines:
        raise UserError(f"{file} lists no pairs: fetch the list again")
    return read_lfw_rows(file, lines)


def read_lfw_rows(file: Path, lines: Sequence[Line]) -> Iterator[ListedPair]:
    """The pairs of lines with LFW's columns, in folds that come from consecutive_folds()."""
    pairs = [_lfw_pair(file, number, words) for number, words in lines]
    fold_of = consecutive_folds([same for _, _, same in pairs])
    for (number, _), (a, b, same), fold in zip(lines, pairs, fold_of, strict=True):
        yield ListedPair(a, b, same, fold, f"{file} line {number}")


def is_lfw_pair(words: list[str]) -> bool:
    """Whether the columns of a line are a pair of LFW."""
    return _numbered_names(words) is not None


def _lfw_pair(file: Path, number: int, words: list[str]) -> tuple[str, str, bool]:
    names = _numbered_names(words)
    if names is None:
        raise UserError(
            f"{file} line {number}: expected a name and two numbers or two names with a number each, "
            f"found {' '.join(words)[:60]!r}"
        )
    first, n, second, m = names
    return f"{first}/{first}_{n:04}", f"{second}/{second}_{m:04}", len(_joined(words)) == 3


def _numbered_names(words: list[str]) -> tuple[str, int, str, int] | None:
    """Name and number of both photos of a pair; the names may hold blanks, at which columns may be split as well."""
    columns = _joined(words)
    if len(columns) not in (3, 4):
        return None
    first, *between, last = columns
    n, m = whole_number(between[0]), whole_number(last)
    second = first if len(columns) == 3 else between[1]
    return (first, n, second, m) if first and second and n is not None and m is not None else None


def _joined(words: list[str]) -> list[str]:
    """The columns of a line, in which the words of each name are joined again, if numbers show where names end."""
    numbers = [i for i, word in enumerate(words) if i and whole_number(word) is not None]
    if len(numbers) != 2 or numbers[1] != len(words) - 1:
        return words
    first, second = words[: numbers[0]], words[numbers[0] + 1 : -1]
    return [" ".join(first), words[numbers[0]], *([" ".join(second)] if second else []), words[-1]]


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
