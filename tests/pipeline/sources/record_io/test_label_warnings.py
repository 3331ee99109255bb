"""Labels in the headers of records that disagree with the .lst or with the folders of its titles."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from pipeline.sources.record_io import reader
from pipeline.sources.record_io.writer import Sample, write_record_io


def written(folder: Path, labels: Sequence[int], titles: Sequence[str], listed: Sequence[int]) -> Path:
    """A .rec of a few bytes a photo with these labels, and a .lst with others."""
    folder.mkdir()
    names = [f"id{i}" for i in range(max(labels) + 1)]
    samples = [Sample(label, b"\xff\xd8photo", title) for label, title in zip(labels, titles, strict=True)]
    write_record_io(folder, samples, layout="plain", names=names)
    lines = [f"{i}\t{label:.6f}\t{title}\r\n" for i, (label, title) in enumerate(zip(listed, titles, strict=True))]
    (folder / "train.lst").write_bytes(b"\xef\xbb\xbf" + "".join(lines).encode())
    return folder


TITLES = [f"id{i // 3}/{i}.jpg" for i in range(12)]
FOUR = [i // 3 for i in range(12)]


@pytest.mark.parametrize(
    ("labels", "listed", "words"),
    [
        ([0] * 12, [0] * 12, ["all records have the label 0", "9 of 12 records share a label"]),
        (FOUR, [3 - i for i in FOUR], ["12 of 12 labels differ from those in train.lst"]),
        (FOUR, FOUR, []),
        ([*FOUR[:-1], 0], [*FOUR[:-1], 0], []),
    ],
    ids=["only in the folders", "others in the .lst", "agree", "one photo relabelled"],
)
def test_labels_that_disagree_are_told_in_one_line(
    tmp_path: Path, labels: list[int], listed: list[int], words: list[str]
) -> None:
    warnings = reader.survey(written(tmp_path / "set", labels, TITLES, listed)).warnings
    assert len(warnings) == bool(words)
    assert all(word in warnings[0] for word in words)
    assert all("the labels in the headers are used" in line for line in warnings)


def test_labels_that_only_the_list_has_are_used_and_this_is_told(tmp_path: Path) -> None:
    folder = written(tmp_path / "set", [0] * 12, TITLES, FOUR)
    assert reader.survey(folder).warnings == [
        "train.rec: all 12 records compared have the label 0: those of train.lst are used"
    ]
    (folder / "names.txt").unlink()
    lines = (folder / "train.lst").read_text().splitlines()
    (folder / "train.lst").write_text("\n".join([*lines[:7], *lines[8:]]))
    (part,) = reader.parts(folder)
    assert [photo.identity for photo in reader.index(part)] == [
        None if i == 7 else str(label) for i, label in enumerate(FOUR)
    ]
    (folder / "names.txt").write_text("Ann\nBob\nCy\nDi\n")
    (folder / "property").write_text("4,112,112\n")
    (named,) = reader.parts(folder)
    assert named != part
    assert [photo.identity for photo in reader.index(named)][:4] == ["Ann", "Ann", "Ann", "Bob"]


def test_titles_are_read_though_the_list_begins_with_a_byte_order_mark(tmp_path: Path) -> None:
    folder = written(tmp_path / "set", FOUR, TITLES, FOUR)
    assert [p.key for part in reader.parts(folder) for p in reader.index(part)] == TITLES
