"""How test sets list their verification questions: LFW, CALFW and CPLFW, CFP, AgeDB, and a line for each pair.

    pairs.txt                       LFW: a head, then name n m, or name n other m
    pairs_CALFW.txt, pairs_CPLFW.txt    two lines a pair: photo, and 0 or (CALFW) the fold, (CPLFW) 1
    Protocol/Split/FP, FF           CFP: folders of same.txt and diff.txt, whose numbers Pair_list_F/_P.txt spell out
    *_protocol_30_years.mat         AgeDB's own (see agedb)
    *_pair.txt                      photo photo 1, or 0: how AgeDB-30 and others are handed on as photos

A reader gives the photos as paths below the folder of photos, with or without their suffix.
"""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from pipeline.errors import UserError
from pipeline.sources import number as number_of
from pipeline.sources.test_sets import agedb

MOST_FOLDS = 100
FOLDS = 10  # where a list says nothing of folds: same and different pairs are each cut into so many in a row
PAIRED_LINES = ("pairs_CALFW.txt", "pairs_CPLFW.txt")


class Question(NamedTuple):
    """Two photos as a list writes them, its answer, fold and place; who: the person of the first, where told apart."""

    a: str
    b: str
    same: bool
    fold: int
    place: str
    who: str | None = None


class Listed(NamedTuple):
    """A list of questions: the file or folder it is, the folder that photos lie in or below, and the questions.

    person: how many leading folders of a photo's path name its person; 0: all of them.
    """

    file: Path
    folder: Path
    questions: list[Question]
    person: int = 0


def find(root: Path) -> Listed | None:
    """The list of questions that a test set's path is or holds; None where it lists none.

    Raises UserError for a list that is none, and for CFP's folder as a whole, which holds two.
    """
    if cfp := _cfp_root(root):
        return _cfp(cfp, root)
    for name in ("pairs.txt", *PAIRED_LINES):
        file = root if root.is_file() and root.name == name else root / name
        if file.is_file():
            return Listed(file, file.parent, list(_lfw(file) if name == "pairs.txt" else _paired_lines(file)))
    protocols = agedb.recognise(root)
    files = protocols or ([root] if root.is_file() else sorted(root.glob("*_pair.txt")))
    if len(files) > 1:
        raise UserError(f"{root} holds {len(files)} lists of pairs: give one of {', '.join(f.name for f in files)}")
    if not files:
        return None
    one = files[0]
    if protocols:
        return Listed(one, one.parent, [Question(*q, str(one), agedb.person(q.a)) for q in agedb.read(one)])
    if one.suffix != ".txt":
        raise UserError(f"{one} is neither a .bin nor a list of pairs (.txt): give one of these, or a folder")
    head = one.read_text("utf-8", "replace").split("\n", 1)[0].split()
    is_lfw = not one.name.endswith("_pair.txt") and all(number_of(word) is not None for word in head)
    return Listed(one, one.parent, list(_lfw(one) if is_lfw else _lines(one)))


def photo_folder(root: Path) -> Path:
    """The folder that photos' files are told from: a test set's path, that of its list, or CFP's of both its splits."""
    return _cfp_root(root) or (root.parent if root.is_file() else root)


def _lfw(file: Path) -> Iterator[Question]:
    """LFW's head says how many folds there are (one when it does not) and how many pairs of each kind a fold has."""
    rows = _rows(file)
    head = [number_of(word) or 0 for word in rows[0][1]] if rows else []
    folds, each = head if len(head) == 2 else (1, head[0]) if len(head) == 1 else (0, 0)
    if not 0 < folds <= MOST_FOLDS or not each or len(rows) - 1 != 2 * folds * each:
        raise UserError(
            f"{file} is no pairs.txt of LFW: expected a head such as 10 300 and "
            f"{2 * folds * each or 6000} pairs, found {max(0, len(rows) - 1)}"
        )
    for i, (number, words) in enumerate(rows[1:]):
        a, b, same = _named(file, number, words)
        yield Question(a, b, same, i // (2 * each), f"{file} line {number}")


def _named(file: Path, number: int, words: list[str]) -> tuple[str, str, bool]:
    try:
        first, *between, last = words
        middle, other = (between[0], first) if len(words) == 3 else (between[0], between[1])
        if len(words) not in (3, 4):
            raise ValueError
        return f"{first}/{first}_{_photo(middle)}", f"{other}/{other}_{_photo(last)}", len(words) == 3
    except (ValueError, IndexError):
        raise UserError(
            f"{file} line {number}: expected a name and two numbers or two names with a number each, "
            f"found {' '.join(words)[:60]!r}"
        ) from None


def _photo(word: str) -> str:
    if (found := number_of(word)) is None:
        raise ValueError(word)
    return f"{found:04}"


def _paired_lines(file: Path) -> Iterator[Question]:
    """CALFW says the fold of a pair of one person only, CPLFW none: those of two people are cut in a row."""
    rows = [(number, *_photo_and_number(file, number, words)) for number, words in _rows(file)]
    if not rows or len(rows) % 2:
        raise UserError(f"{file} holds {len(rows)} lines: expected two for each pair")
    couples = list(zip(rows[::2], rows[1::2], strict=True))
    odd = next((n for (n, _, told), (_, _, other) in couples if told != other), None)
    if odd is not None:
        raise UserError(f"{file} lines {odd} and {odd + 1} are one pair and say different things of it")
    told = {number for (_, _, number), _ in couples}
    in_a_row = _dealt([number > 0 for (_, _, number), _ in couples])
    for ((number, a, kind), (_, b, _)), fold in zip(couples, in_a_row, strict=True):
        known = kind - 1 if kind and len(told) > 2 else fold
        yield Question(a, b, kind > 0, known, f"{file} line {number}", PurePosixPath(a).stem.rpartition("_")[0] or None)


def _photo_and_number(file: Path, number: int, words: list[str]) -> tuple[str, int]:
    said = number_of(words[-1])
    if len(words) < 2 or said is None or said > MOST_FOLDS:
        raise UserError(f"{file} line {number}: expected a photo and a number, found {' '.join(words)[:60]!r}")
    return " ".join(words[:-1]), said


def _lines(file: Path) -> Iterator[Question]:
    rows = _rows(file)
    for number, words in rows:
        if len(words) != 3 or words[2] not in ("0", "1", "-1"):
            raise UserError(
                f"{file} line {number}: expected two photos and 1 or 0 (-1), found {' '.join(words)[:60]!r}"
            )
    if not rows:
        raise UserError(f"{file} lists no pairs")
    same = [words[2] == "1" for _, words in rows]
    for (number, (a, b, _)), one, fold in zip(rows, same, _dealt(same), strict=True):
        yield Question(a, b, one, fold, f"{file} line {number}", str(PurePosixPath(a).parent).strip(".") or None)


def _cfp_root(root: Path) -> Path | None:
    """The folder of CFP that holds Data and Protocol, when a path is it or one of its splits."""
    for above in (root, *root.parents[:3]):
        if (above / "Protocol/Split").is_dir() and (above / "Protocol/Pair_list_F.txt").is_file():
            return above if root == above or root.parent == above / "Protocol/Split" else None
    return None


def _cfp(folder: Path, given: Path) -> Listed:
    if given == folder:
        splits = sorted(f.name for f in (folder / "Protocol/Split").iterdir() if f.is_dir())
        raise UserError(
            f"{folder} asks two kinds of questions: give one of "
            f"{', '.join(str(folder / 'Protocol/Split' / s) for s in splits)}"
        )
    frontal = _numbered(folder / "Protocol/Pair_list_F.txt")
    other = _numbered(folder / "Protocol/Pair_list_P.txt") if given.name == "FP" else frontal
    found = []
    for fold, split in enumerate(sorted(f for f in given.iterdir() if f.is_dir())):
        for kind in ("same", "diff"):
            file = split / f"{kind}.txt"
            if not file.is_file():
                raise UserError(f"{split} holds no {kind}.txt: a split of CFP has both")
            for number, words in _rows(file):
                place = f"{file} line {number}"
                try:
                    one, two = (int(word) for word in "".join(words).split(","))
                    a, b = frontal[one], other[two]
                except (ValueError, KeyError):
                    raise UserError(
                        f"{place}: expected two numbers of Pair_list_F/_P.txt with a comma, "
                        f"found {' '.join(words)[:60]!r}"
                    ) from None
                found.append(Question(a, b, kind == "same", fold, place, PurePosixPath(a).parts[0]))
    if not found:
        raise UserError(f"{given} lists no pairs: expected folders 01 to 10 with same.txt and diff.txt")
    return Listed(given, folder, found, person=1)


def _numbered(file: Path) -> dict[int, str]:
    """Photos by their number, without the ../Data/Images/ that they begin with."""
    try:
        rows = {int(words[0]): PurePosixPath(words[1]).parts for _, words in _rows(file)}
    except (OSError, ValueError, IndexError) as error:
        raise UserError(f"cannot read {file} as CFP's list of photos ({error}): expected a number and a path") from None
    if not all(rows.values()):
        raise UserError(f"{file} lists a photo without a path: expected a number and a path in each line")
    return {number: "/".join(parts[-3:]) for number, parts in rows.items()}


def _rows(file: Path) -> list[tuple[int, list[str]]]:
    """The lines that hold something, by number and in words."""
    lines = file.read_text("utf-8", "replace").splitlines()
    return [(number, words) for number, line in enumerate(lines, start=1) if (words := line.split())]


def _dealt(same: list[bool]) -> list[int]:
    """A fold for each pair: those of one person, and those of two, cut into FOLDS in a row."""
    counts = {kind: max(1, same.count(kind)) for kind in (True, False)}
    seen = {True: 0, False: 0}
    folds = []
    for kind in same:
        folds.append(FOLDS * seen[kind] // counts[kind])
        seen[kind] += 1
    return folds
