"""The list of pairs of a test set, in any of the published forms.

pairs.txt, pairs.csv                LFW, and LFW at Kaggle (see lfw)
pairs_CALFW.txt, pairs_CPLFW.txt    CALFW and CPLFW (see lfw)
Protocol/Split/FP, FF               CFP (see cfp)
*_protocol_30_years.mat             AgeDB's own (see agedb)
African_pairs.txt                   RFW: LFW's columns without a header, in txts/African, of photos in data/African;
                                    of RFW's root the lists of all its groups are taken together
bfw-*-datatable.csv                 BFW: a header with p1, p2 and label, and perhaps fold
*_pair.txt                          a line for each pair, `photo photo 1`, or 0: AgeDB-30 and others

A list with another name is found by its name (it holds the word pair) or by its first lines: a folder with a list is
measured by that list or refused, and never by all pairs of its photos.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path, PurePosixPath

from pipeline.errors import UserError
from pipeline.sources.photo_names import SUFFIX, SUFFIX_PATTERN, plain_path
from pipeline.sources.test_sets import agedb, cfp
from pipeline.sources.test_sets.lfw import is_lfw_pair, read_calfw, read_lfw, read_lfw_csv, read_lfw_rows
from pipeline.sources.test_sets.listed_pairs import MAX_FOLDS, ListedPair, PairList, consecutive_folds
from pipeline.sources.text_lists import columns, csv_rows, lines_of, whole_number

READERS = {
    "pairs.txt": read_lfw,
    "pairs_CALFW.txt": read_calfw,
    "pairs_CPLFW.txt": read_calfw,
}
TEXT_SUFFIXES = (".txt", ".csv", ".tsv", ".lst", ".list")
FIRST_LINES = 5  # in which a list of pairs shows its form: a header, and pairs
BFW_COLUMNS = ("p1", "p2", "label")
LABELS = {"1": True, "0": False, "-1": False}
# photos with blanks in their names end with a suffix
PHOTO_WITH_SUFFIX = re.compile(rf"\S.*?{SUFFIX_PATTERN}(?=\s|$)|\S+", re.IGNORECASE)


def find_pair_list(path: Path) -> PairList | None:
    """The list of pairs at a test set's path, a list or a folder with one; None for a folder without a list.

    Raises UserError for a file that is not a list of pairs, for a folder that holds several lists of which none is the
    usual one, and for CFP's root folder, which holds two lists.
    """
    if cfp_root := cfp.root_of(path):
        return cfp.read(cfp_root, path)
    for name, reader in READERS.items():
        file = path if path.is_file() and path.name == name else path / name
        if file.is_file():
            return PairList(file, file.parent, list(reader(file)))
    if (rfw := _all_rfw_lists(path)) is not None:
        return rfw
    protocols = agedb.protocols(path)
    files = protocols or ([path] if path.is_file() else _lists_in(path))
    if len(files) > 1:
        raise UserError(f"{path} holds {len(files)} lists of pairs: give one of {', '.join(f.name for f in files)}")
    if not files:
        return None
    file = files[0]
    return PairList(file, _rfw_root(path) or file.parent, agedb.read(file) if protocols else list(_read_text(file)))


def photo_folder(path: Path) -> Path:
    """The folder that photos' paths start from: CFP's or RFW's root, the folder of a list's file, or the path."""
    return cfp.root_of(path) or _rfw_root(path) or (path.parent if path.is_file() else path)


def _rfw_root(path: Path) -> Path | None:
    """RFW's root, where a path is one of its folders of lists (txts/African), or a list in it."""
    folder = path.parent if path.is_file() else path
    root = folder.parent.parent
    return root if folder.parent.name == "txts" and (root / "data" / folder.name).is_dir() else None


def _all_rfw_lists(path: Path) -> PairList | None:
    """The lists of all groups of people in RFW's root; None for any other path."""
    files = sorted(path.glob("txts/*/*_pairs.txt")) if path.is_dir() else []
    files = [file for file in files if (path / "data" / file.parent.name).is_dir()]
    if not files:
        return None
    pairs = [
        pair._replace(a=f"{file.parent.name}/{pair.a}", b=f"{file.parent.name}/{pair.b}")
        for file in files
        for pair in _read_text(file)
    ]
    return PairList(path / "txts", path, pairs)


def _lists_in(folder: Path) -> list[Path]:
    """The lists of pairs in a folder that READERS do not name; *_pair.txt and pairs.csv come before all others."""
    if known := sorted(folder.glob("*_pair.txt")) or sorted(folder.glob("pairs.csv")):
        return known
    texts = sorted(f for f in folder.iterdir() if f.suffix.lower() in TEXT_SUFFIXES and f.is_file())
    texts = [f for f in texts if not f.name.startswith(".")]
    return [f for f in texts if "pair" in f.name.lower()] or [f for f in texts if _looks_like_pairs(f)]


def _looks_like_pairs(file: Path) -> bool:
    """Whether one of a file's first lines is a pair; a file that is not text is no list."""
    try:
        if _is_csv(file):
            return any(
                _is_pair(words) or _is_lfw_row(words) or set(BFW_COLUMNS) <= set(words)
                for _, words in islice(csv_rows(file), FIRST_LINES)
            )
        first = [_photo_columns(line) for _, line in islice(lines_of(file), FIRST_LINES)]
    except UserError:
        return False
    is_rfw = "\t" in next((line for _, line in lines_of(file)), "") and bool(first) and all(map(is_lfw_pair, first))
    return any(map(_is_pair, first)) or is_rfw or (_has_lfw_header(first) and any(map(is_lfw_pair, first)))


def _has_lfw_header(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row is numbers alone, as in LFW's lists."""
    return bool(rows) and all(whole_number(word) is not None for word in rows[0])


def _read_text(file: Path) -> Iterator[ListedPair]:
    """The pairs of a text file with any other name, by the form of its first lines.

    LFW's form, with a header of numbers or in a CSV, or a line of two photos and a label for each pair.
    """
    if file.suffix.lower() not in TEXT_SUFFIXES:
        raise UserError(f"{file} is neither a .bin nor a list of pairs (.txt, .csv): give one of these, or a folder")
    rows = list(csv_rows(file)) if _is_csv(file) else [(n, _photo_columns(line)) for n, line in lines_of(file)]
    first = [words for _, words in rows[:FIRST_LINES]]
    if _is_csv(file):
        is_lfw = any(map(_is_lfw_row, first)) and not any(map(_is_pair, first))
        return read_lfw_csv(file) if is_lfw else _read_rows(file, rows)
    if first and all(map(is_lfw_pair, first)) and not any(map(_is_pair, first)):  # RFW
        return read_lfw_rows(file, rows)
    is_lfw = not file.name.endswith("_pair.txt") and (_has_lfw_header(first) or not first)
    return read_lfw(file) if is_lfw else _read_rows(file, rows)


def _is_csv(file: Path) -> bool:
    return file.suffix.lower() == ".csv"


def _photo_columns(line: str) -> list[str]:
    """The columns of a line of photos: between tabs, or after a photo's suffix and between blanks."""
    words = columns(line)
    return words if "\t" in line or len(words) <= 3 else PHOTO_WITH_SUFFIX.findall(line)


def _is_pair(words: Sequence[str]) -> bool:
    """Whether the columns of a line are two photos and a label; no photo is a bare number."""
    return _has_label(words) and all(whole_number(word) is None and set("/._") & set(word) for word in words[:2])


def _is_lfw_row(words: Sequence[str]) -> bool:
    """Whether a row of a CSV is a pair of LFW: it names people, not photos with a suffix."""
    return is_lfw_pair(list(words)) and not SUFFIX.search(words[0])


def _read_rows(file: Path, rows: Sequence[tuple[int, list[str]]]) -> Iterator[ListedPair]:
    """The pairs of a list with a line for each: two photos, and 1 for a genuine pair, 0 or -1 for an impostor pair."""
    if rows and _is_csv(file) and set(BFW_COLUMNS) <= set(rows[0][1]):
        yield from _read_bfw(file, rows)
        return
    if len(rows) > 1 and not _has_label(rows[0][1]) and _has_label(rows[1][1]) and _is_csv(file):
        rows = rows[1:]  # the header
    for number, words in rows:
        if not _has_label(words):
            raise UserError(
                f"{file} line {number}: expected two photos and 1 or 0 (-1), found {' '.join(words)[:60]!r}"
            )
    if not rows:
        raise UserError(f"{file} lists no pairs: fetch the list again")
    same = [LABELS[words[2]] for _, words in rows]
    for (number, photos), is_same, fold in zip(rows, same, consecutive_folds(same), strict=True):
        a, b = map(plain_path, photos[:2])
        person = str(PurePosixPath(a).parent).strip(".") or None
        yield ListedPair(a, b, is_same, fold, f"{file} line {number}", person)


def _read_bfw(file: Path, rows: Sequence[tuple[int, list[str]]]) -> Iterator[ListedPair]:
    """The pairs of a table with named columns: two photos, 1 or 0, and perhaps the fold."""
    (_, header), *body = rows
    at = {name: header.index(name) for name in (*BFW_COLUMNS, "fold") if name in header}
    short = next((number for number, words in body if len(words) <= max(at.values())), None)
    wrong = short or next((number for number, words in body if words[at["label"]] not in LABELS), None)
    if wrong is not None or not body:
        raise UserError(f"{file} line {wrong or 1}: expected rows of {', '.join(at)} below the header")
    same = [LABELS[words[at["label"]]] for _, words in body]
    folds = [whole_number(words[at["fold"]]) for _, words in body] if "fold" in at else consecutive_folds(same)
    for (number, words), is_same, fold in zip(body, same, folds, strict=True):
        if fold is None or fold > MAX_FOLDS:
            raise UserError(
                f"{file} line {number}: the fold is {words[at['fold']]!r}, expected a number to {MAX_FOLDS}"
            )
        a, b = plain_path(words[at["p1"]]), plain_path(words[at["p2"]])
        yield ListedPair(a, b, is_same, fold, f"{file} line {number}")


def _has_label(words: Sequence[str]) -> bool:
    return len(words) == 3 and words[2] in LABELS
