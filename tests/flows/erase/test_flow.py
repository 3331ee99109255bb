"""A person is erased from a refinement of drawn people: from all files, for good, and again after a kill."""

import json
import shutil
from pathlib import Path

import cv2
import pytest

from flows.benchmark.erasure.byte_scan import rows_of, stored_bytes, traces
from flows.erase.flow import erase
from flows.erase.results import ErasedPerson, FoundPerson
from flows.erase.sheet import GENERATOR
from flows.refine.export import export
from flows.refine.flow import refine
from flows.refine.patches.apply import apply as apply_patch
from flows.refine.patches.make import make as make_patch
from flows.refine.verify import verify
from flows.report.flow import report
from pipeline.errors import UserError
from pipeline.open_erasure import INTENT_FILE
from pipeline.refined.patches.patch_file import read_patch
from pipeline.refinement import latest
from pipeline.review.answers import ledger
from pipeline.review.questions.asked_for import asked_for
from pipeline.tables.table import load
from tests.builders.file_trees import file_bytes
from tests.builders.photos.erased_person import MODELS, NAME_OF_TWO, REASON, face_of, named, truth
from tests.builders.processes.killed_erasure import kill_at_every_step
from tests.builders.session.made_once import made_once
from tests.builders.small_world import fates

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def erased_once(tmp_path_factory: pytest.TempPathFactory, refined_once: Path) -> Path:
    """The same root after the person with two names was erased; no test may change it."""

    def make(folder: Path) -> None:
        shutil.copytree(refined_once, folder, dirs_exist_ok=True)
        handed_on(folder)
        result = erase(str(folder), identity=NAME_OF_TWO, reason=REASON, yes=True)
        assert isinstance(result, ErasedPerson)

    return made_once(tmp_path_factory, "erased-root", make)


def handed_on(root: Path) -> None:
    """An export and a page below a root, which show the person."""
    export(str(root), root / "exported", format="folder")
    (root / "photos_of_ann.html").write_text(f"<!doctype html>{GENERATOR}")


def erased_of(root: Path) -> set[str]:
    return {key for key, (_, reason) in fates(root).items() if reason == "erased"}


def without_time(root: Path) -> dict[str, bytes]:
    """The files of a root; in the receipts without the time, which differs from run to run."""
    files = file_bytes(root)
    started = json.loads(files["erasures/0001.receipt.json"])["started"].encode()
    return {name: data.replace(started, b"") if ".receipt." in name else data for name, data in files.items()}


def test_without_yes_nothing_is_removed_and_the_sheet_shows_what_was_found(root: Path, tmp_path: Path) -> None:
    before = file_bytes(root)
    found = erase(str(root), identity=NAME_OF_TWO, out=tmp_path / "sheet.html")
    assert isinstance(found, FoundPerson)
    assert file_bytes(root) == before
    page = (tmp_path / "sheet.html").read_text()
    n = found.found["photos of the person"]
    assert (
        page.count("data:image/jpeg") == n + found.found["further faces of the person in photos of others, which stay"]
    )
    assert all(f"{NAME_OF_TWO}/{key.partition('/')[2]}" in page for key in named(root))
    assert any("--yes" in line for line in found.lines())


def test_a_person_is_erased_under_every_name_and_from_every_file(
    refined_once: Path, erased_once: Path, photos: Path
) -> None:
    person = {row["path"] for row in truth(photos) if row["person"] == "Aron_Duarte"}
    assert len({path.partition("/")[0] for path in person}) == 2, "the person has two names"
    gone = erased_of(erased_once)
    assert gone <= person
    assert len(gone) >= len(person) - 2  # two are hardly recognised
    account = latest(str(erased_once)).account
    assert account.ingested == account.kept + sum(account.removed.values()) == len(fates(refined_once))
    assert account.removed["erased"] == len(gone)
    stored = stored_bytes(latest(str(refined_once)), {face_of(refined_once, key) for key in gone})
    assert len(stored["JPEG"]) >= len(gone)
    assert len(stored["float16"]) >= len(gone)
    assert not traces(erased_once, stored)
    assert not (erased_once / "exported").exists()
    assert not verify(str(erased_once)).faults
    answers = ledger.rows_of(ledger.read(str(erased_once)))
    assert [(a.who, a.finding.subject) for a in answers] == [("ann", "erased")]
    left = asked_for(str(erased_once))
    assert len(left) == len(asked_for(str(refined_once))) - 1 == 1, "of two photos that annotators were to judge"
    assert left[0] not in {face_of(refined_once, key) for key in gone}
    assert not (erased_once / INTENT_FILE).exists()


def test_the_scan_finds_what_is_there(refined_once: Path) -> None:
    """Each kind is found where it is stored, so that a scan that finds nothing says something."""
    refinement = latest(str(refined_once))
    stored = stored_bytes(refinement, {face_of(refined_once, key) for key in named(refined_once)})
    kinds = {trace.rpartition(" ")[2] for trace in traces(refined_once, stored)}
    assert {"JPEG", "sketch", "float16"} <= kinds


def test_the_receipt_counts_and_names_nobody(erased_once: Path) -> None:
    receipt = json.loads((erased_once / "erasures/0001.receipt.json").read_text())
    gone = erased_of(erased_once)
    assert receipt["found"]["photos of the person"] == len(gone) == receipt["removed"]["aligned faces"]
    assert receipt["removed"]["rows of answers and questions whose faces were taken out"] == 1
    assert receipt["removed"]["photos that annotators were to judge first"] == 1
    assert receipt["removed"]["folders of exports"] == 1
    assert receipt["removed"]["report pages, sheets and patches below the root"] == 2, "a page, the patch of the export"
    assert receipt["tables_before"] != receipt["tables_after"]
    assert receipt["reason"] == REASON
    assert REASON in (erased_once / "erasures/0001.receipt.txt").read_text()
    for file in (erased_once / "erasures").iterdir():
        content = file.read_text()
        assert NAME_OF_TWO not in content
        assert not [key for key in gone if key in content or face_of(erased_once, key) in content]


def listed(root: Path, keys: list[str]) -> Path:
    file = root.parent / "list.txt"
    file.write_text("".join(f"{key}\n" for key in keys))
    return file


def test_listed_photos_are_erased_and_none_comes_in_again(erased_once: Path, photos: Path, tmp_path: Path) -> None:
    """Neither by the next refinement, nor under another name, saved again, smaller or mirrored."""
    root = Path(shutil.copytree(erased_once, tmp_path / "root"))
    listed_photo = "m.5911724/0001.jpg"
    with pytest.raises(UserError, match="keeps no vector of this model"):
        erase(str(root), again=True)
    erase(str(root), list_file=listed(root, [listed_photo]), reason="2", person="Ahmed Bakker", yes=True)
    assert "Person: Ahmed Bakker" in (root / "erasures/0002.receipt.txt").read_text()
    gone = erased_of(root)
    assert gone == erased_of(erased_once) | {listed_photo}
    source = Path(shutil.copytree(photos, tmp_path / "photos"))
    (source / "Somebody").mkdir()
    photo = cv2.imread(str(source / listed_photo))
    small = cv2.resize(photo, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    edits = {"small": small, "mirrored": photo[:, ::-1], "saved": photo}
    for name, edited in edits.items():
        cv2.imwrite(str(source / f"Somebody/{name}.jpg"), edited, [cv2.IMWRITE_JPEG_QUALITY, 60])
    shutil.copy(source / min(gone), source / "Somebody/same.jpg")
    refine.fn(str(root), ["image-folder", str(source)], **MODELS)
    assert erased_of(root) == gone | {f"Somebody/{name}.jpg" for name in (*edits, "same")}


def test_killed_at_every_step_and_run_again_it_ends_with_the_same_bytes(
    erased_once: Path, root: Path, photos: Path
) -> None:
    handed_on(root)
    kill_at_every_step(root, NAME_OF_TWO, REASON)
    with pytest.raises(UserError, match=r"an erasure of .* was stopped: run `refinery erase"):
        refine.fn(str(root), ["image-folder", str(photos)], **MODELS)
    erase(str(root), yes=True)
    assert without_time(root) == without_time(erased_once)


def test_what_is_handed_on_does_not_show_an_erased_photo(erased_once: Path, tmp_path: Path) -> None:
    root, gone = tmp_path / "root", erased_of(erased_once)
    shutil.copytree(erased_once, root)
    make_patch(str(root), tmp_path / "patch.parquet")
    named_photos = {row["key"] for rows in read_patch(tmp_path / "patch.parquet").batches() for row in rows.to_pylist()}
    assert named_photos == fates(root).keys() - gone
    result = export(str(root), tmp_path / "looked-at", format="fiftyone")
    shown = {sample["key"] for sample in json.loads((tmp_path / "looked-at/samples.json").read_text())["samples"]}
    assert shown == fates(root).keys() - gone
    assert any(line.startswith(f"{len(gone)} removed photos are no sample: erased") for line in result.lines())


def test_no_hash_of_an_erased_photo_is_kept_by_patches(erased_once: Path, refined_once: Path, tmp_path: Path) -> None:
    root, gone = tmp_path / "root", erased_of(erased_once)
    shutil.copytree(erased_once, root)
    make_patch(str(refined_once), tmp_path / "old.patch")
    applied = apply_patch(str(root), tmp_path / "old.patch", yes=True)
    assert any(
        line.startswith(f"{len(gone)} of these were erased here on request, such as") for line in applied.lines()
    )
    assert not any("another picture" in line for line in applied.lines())
    assert erased_of(root) == gone
    key_of = dict(rows_of(latest(str(root)).photos, "face_id", "key"))
    (table,) = (root / "picture_hashes").glob("*.json")
    hashes = load(str(root), "picture_hashes", table.stem)
    assert hashes is not None
    hashed = {key_of[face] for face, picture in rows_of(hashes, "face_id", "hash") if picture is not None}
    assert hashed.isdisjoint(gone)


def test_pages_and_patches_below_the_root_are_removed(root: Path) -> None:
    (root / "shown").mkdir()
    report(str(root), out=root / "shown/report.html")
    make_patch(str(root), root / "shown/labels.patch", with_vectors=True)
    (root / "shown/mine.parquet").write_bytes(b"PAR1")
    erase(str(root), identity=NAME_OF_TWO, reason=REASON, yes=True)
    assert [path.name for path in (root / "shown").iterdir()] == ["mine.parquet"]
    receipt = json.loads((root / "erasures/0001.receipt.json").read_text())
    assert receipt["removed"]["report pages, sheets and patches below the root"] == 2
