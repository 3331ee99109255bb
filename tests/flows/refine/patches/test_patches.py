"""The patch of one copy applied to another: the same fates under other names, taken back, overruled, or refused."""

import json
import re
import shutil
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.refined.labels import label_again
from pipeline.refined.patches.patch_file import Patch, read_patch
from pipeline.refinement import latest
from pipeline.review.answers import ledger
from pipeline.review.answers.ledger import LedgerRow
from pipeline.review.answers.votes import settled_verdicts
from pipeline.review.questions.finding_ref import outlier_ref
from pipeline.schema import face_id
from tests.builders.processes.command_line import Command, error_line
from tests.builders.small_world import fates
from tests.builders.tables.patch_rows import patch_file, photo
from tests.builders.tables.two_copies import MODEL, TwoCopies, two_copies

pytestmark = pytest.mark.slow
WRONG = 5  # clean photos that people removed in the first copy
TWICE = 6  # photos that show the same three pictures, byte by byte: which of two is which cannot be told


class Case:
    """Copies whose roots a test may change: people answered in the first one, and nobody has in the second."""

    def __init__(self, copies: TwoCopies, folder: Path) -> None:
        self.a, self.b = (shutil.copytree(root, folder / name) for root, name in ((copies.a, "a"), (copies.b, "b")))
        self.names, self.patch = copies.names, folder / "labels.patch"
        kept = [key for key, (identity, reason) in sorted(fates(self.a).items()) if identity and not reason]
        self.wrong = kept[:: len(kept) // WRONG][:WRONG]
        ledger.append(str(self.a), [row for key in self.wrong for row in self.answers(key, "yes")])
        label_again(str(self.a), settled_verdicts)

    def answers(self, key: str, verdict: str) -> list[LedgerRow]:
        """What two annotators say of a photo that may not show its claimed identity."""
        finding = outlier_ref(face_id("photos", key), key.rpartition("/")[0])
        return [LedgerRow(finding, verdict, who, "case", answer_id=f"{who} {key}") for who in ("ann", "bob", "cyd")]

    def changed(self, rows_of: Patch, change: dict[str, dict[str, object]], *more: dict[str, object]) -> None:
        """Write the patch again with other values of some photos, by key, and with more photos."""
        rows = pa.concat_tables(rows_of.batches()).to_pylist()
        patch_file(self.patch, *(row | change.get(row["key"], {}) for row in rows), *more)


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> TwoCopies:
    return two_copies(tmp_path_factory)


@pytest.fixture
def case(copies: TwoCopies, tmp_path: Path) -> Case:
    return Case(copies, tmp_path)


def test_a_patch_changes_the_photos_of_the_other_copy_and_is_taken_back(case: Case, refinery: Command) -> None:
    before = fates(case.b)
    assert refinery("patch", "make", case.a, "--out", case.patch)[0] == 0
    status, out, _ = refinery("patch", "apply", case.b, case.patch, "--json")
    assert status == 0
    result = json.loads(out)
    ways = {way: photos for way, photos in result["by_way"].items() if photos}
    assert ways == {"bytes": 1, "picture": 739 - TWICE}
    assert result["not_matched"]["of these may be several photos"]["photos"] == TWICE
    assert (result["identities"], result["matched_identities"], result["renamed_identities"]) == (65, 65, 65)
    assert result["left"] == {"no_face": 1}
    expected = {case.names[key] for key in case.wrong}
    after = fates(case.b)
    assert {key for key in after if after[key] != before[key]} == expected
    assert {after[key] for key in expected} == {(None, "outlier")}
    assert result["account"]["removed"]["outlier"] == result["before"]["removed"]["outlier"] + WRONG
    rows = len(ledger.read(str(case.b), superseded=True))
    status, out, _ = refinery("patch", "apply", case.b, case.patch)
    assert "decisions, 0 of them new" in out
    assert re.search(r"734 of the 740 photos of the patch are in the data: 1 by bytes, 733 by picture", out)
    assert len(ledger.read(str(case.b), superseded=True)) == rows
    assert refinery("patch", "apply", case.b, case.patch, "--withdraw")[0] == 0
    assert fates(case.b) == before
    assert "in force: no list" in error_line(refinery("patch", "apply", case.b, case.patch, "--withdraw"))


def test_people_of_the_other_copy_overrule_a_patch(case: Case, refinery: Command) -> None:
    key, *others = (case.names[k] for k in case.wrong)
    before = fates(case.b)
    ledger.append(str(case.b), case.answers(key, "no"))
    assert refinery("patch", "make", case.a, "--out", case.patch)[0] == 0
    assert refinery("patch", "apply", case.b, case.patch)[0] == 0
    labels = fates(case.b)
    assert labels[key] == before[key]
    assert before[key][0]
    assert {labels[other] for other in others} == {(None, "outlier")}


def test_vectors_are_written_only_on_request_and_name_their_model(case: Case, refinery: Command) -> None:
    refinery("patch", "make", case.a, "--out", case.patch)
    assert "x" not in read_patch(case.patch).header.schema.names
    status, out, _ = refinery("patch", "make", case.a, "--out", case.patch, "--with-vectors")
    assert status == 0
    assert MODEL[1] in out
    header = read_patch(case.patch).header
    assert (header.model, header.flip, header.dim) == (MODEL[1], MODEL[2], 64)
    result = json.loads(refinery("patch", "apply", case.b, case.patch, "--json")[1])
    assert result["with_vectors"]
    assert result["by_way"]["picture and face"] >= 739 - TWICE


def test_the_same_refinement_gives_the_same_bytes_after_a_run_that_was_stopped(case: Case, refinery: Command) -> None:
    def written() -> bytes:
        assert refinery("patch", "make", case.a, "--out", case.patch)[0] == 0
        return case.patch.read_bytes()

    whole = written()
    hashes = Path(case.a, "picture_hashes")
    next(hashes.glob("*.json")).unlink()
    next(hashes.rglob("*.parquet")).unlink()
    assert written() == whole
    (header,) = read_patch(case.patch).header.sources
    assert (header.name, header.kind, header.photos) == ("photos", "image-folder", 740)


def test_a_patch_that_hardly_fits_is_refused_unless_confirmed(case: Case, refinery: Command, tmp_path: Path) -> None:
    before = fates(case.b)
    refinery("patch", "make", case.a, "--out", case.patch)
    patch = read_patch(case.patch)
    whole = [pa.concat_tables(patch.batches())]
    patch = Patch(shutil.copy(case.patch, tmp_path / "whole.patch"), patch.header)
    unknown = [photo(f"z/{i}", "z", sha=i + 1) for i in range(741)]
    kept = [row["key"] for row in whole[0].to_pylist() if not row["reason"]]
    for change, more, words in (
        ({}, unknown, r"747 of its 1481 photos are not in .*, such as 'p41"),
        ({key: {"after": None, "reason": "outlier"} for key in kept[:100]}, [], r"would remove 10\d of 740 photos"),
    ):
        case.changed(patch, change, *more)
        assert re.search(words, error_line(refinery("patch", "apply", case.b, case.patch)))
        assert fates(case.b) == before
        assert refinery("patch", "apply", case.b, case.patch, "--yes")[0] == 0
        before = fates(case.b)
    assert sum(identity is None for identity, _ in fates(case.b).values()) >= 100
    patch_file(case.patch, *unknown)
    line = error_line(refinery("patch", "apply", case.b, case.patch, "--yes"))
    assert re.search(r"no photo that .* names is in .*, 'z/0', .* give a patch of this data set", line)


def test_without_hashes_photos_are_matched_by_key_and_bytes(case: Case, refinery: Command, tmp_path: Path) -> None:
    refinery("patch", "make", case.a, "--out", case.patch, "--without-hashes")
    assert read_patch(case.patch).header.hash == ""
    assert "1 by bytes" in refinery("patch", "apply", case.b, case.patch, "--yes")[1]
    moved = latest(str(case.a)).options.sources["photos"][1]
    shutil.copytree(case.a, tmp_path / "elsewhere")
    assert "740 by key and bytes" in refinery("patch", "apply", tmp_path / "elsewhere", case.patch)[1]
    assert Path(moved).is_dir()


def test_two_patches_are_merged_and_their_conflicts_listed(case: Case, refinery: Command, tmp_path: Path) -> None:
    mine, yours, both = (tmp_path / f"{name}.patch" for name in ("mine", "yours", "both"))
    refinery("patch", "make", case.a, "--out", mine)
    refinery("patch", "make", case.b, "--out", yours)
    status, out, _ = refinery("patch", "merge", yours, mine, "--out", both)
    assert status == 0
    assert f"{WRONG} photos have different fates" in out
    assert {key for key in case.names.values() if key in out} == {case.names[key] for key in case.wrong}
    before = fates(case.b)
    assert refinery("patch", "apply", case.b, both)[0] == 0
    assert fates(case.b) == before, "conflicts are not applied, and the rest is what the copy found itself"
    for words, line in (
        ((yours, "--out", both), "give two or more"),
        ((mine, yours, "--out", mine), "is one of the patches"),
        ((mine, tmp_path / "none", "--out", both), "is not there"),
    ):
        assert line in error_line(refinery("patch", "merge", *words))
    text = tmp_path / "notes.txt"
    text.write_text("mine")
    assert "is not a patch" in error_line(refinery("patch", "merge", mine, yours, "--out", text))


def test_photos_that_are_gone_are_told(case: Case, refinery: Command) -> None:
    photos = Path(latest(str(case.a)).options.sources["photos"][1])
    away = photos.rename(photos.with_name("away"))
    try:
        line = error_line(refinery("patch", "make", case.a, "--out", case.patch))
    finally:
        away.rename(photos)
    assert re.search(r"photos of photos are not at .* give --without-hashes", line)
    assert not case.patch.exists()
