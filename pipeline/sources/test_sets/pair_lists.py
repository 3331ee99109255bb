"""The list of pairs of a test set, in any of the published forms.

pairs.txt                           LFW (see lfw)
pairs_CALFW.txt, pairs_CPLFW.txt    CALFW and CPLFW (see lfw)
Protocol/Split/FP, FF               CFP (see cfp)
*_protocol_30_years.mat             AgeDB's own (see agedb)
*_pair.txt                          a line for each pair, `photo photo 1`, or 0: AgeDB-30 and others
"""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from pipeline.errors import UserError
from pipeline.sources.test_sets import agedb, cfp
from pipeline.sources.test_sets.lfw import read_calfw, read_lfw
from pipeline.sources.test_sets.listed_pairs import ListedPair, PairList, consecutive_folds
from pipeline.sources.text_lists import numbered_lines, whole_number

READERS = {"pairs.txt": read_lfw, "pairs_CALFW.txt": read_calfw, "pairs_CPLFW.txt": read_calfw}


def find_pair_list(path: Path) -> PairList | None:
    """The list of pairs at a test set's path, a list or a folder with one; None for a folder without a list.

    Raises UserError for a file that is not a list of pairs, and for CFP's root folder, which holds two lists.
    """
    if cfp_root := cfp.root_of(path):
        return cfp.read(cfp_root, path)
    for name, reader in READERS.items():
        file = path if path.is_file() and path.name == name else path / name
        if file.is_file():
            return PairList(file, file.parent, list(reader(file)))
    protocols = agedb.protocols(path)
    files = protocols or ([path] if path.is_file() else sorted(path.glob("*_pair.txt")))
    if len(files) > 1:
        raise UserError(f"{path} holds {len(files)} lists of pairs: give one of {', '.join(f.name for f in files)}")
    if not files:
        return None
    file = files[0]
    return PairList(file, file.parent, agedb.read(file) if protocols else list(_read_text(file)))


def photo_folder(path: Path) -> Path:
    """The folder that photos' paths start from: CFP's root, the folder of a list's file, or the test set's path."""
    return cfp.root_of(path) or (path.parent if path.is_file() else path)


def _read_text(file: Path) -> Iterator[ListedPair]:
    """The pairs of a text file with any other name: LFW's form if it begins with a header of numbers."""
    if file.suffix != ".txt":
        raise UserError(f"{file} is neither a .bin nor a list of pairs (.txt): give one of these, or a folder")
    header = file.read_text("utf-8", "replace").split("\n", 1)[0].split()
    is_lfw = not file.name.endswith("_pair.txt") and all(whole_number(word) is not None for word in header)
    return read_lfw(file) if is_lfw else _read_lines(file)


def _read_lines(file: Path) -> Iterator[ListedPair]:
    """The pairs of a list with a line for each: two photos, and 1 for a genuine pair, 0 or -1 for an impostor pair."""
    lines = numbered_lines(file)
    for number, words in lines:
        if len(words) != 3 or words[2] not in ("0", "1", "-1"):
            raise UserError(
                f"{file} line {number}: expected two photos and 1 or 0 (-1), found {' '.join(words)[:60]!r}"
            )
    if not lines:
        raise UserError(f"{file} lists no pairs: fetch the list again")
    same = [words[2] == "1" for _, words in lines]
    for (number, (a, b, _)), is_same, fold in zip(lines, same, consecutive_folds(same), strict=True):
        person = str(PurePosixPath(a).parent).strip(".") or None
        yield ListedPair(a, b, is_same, fold, f"{file} line {number}", person)
