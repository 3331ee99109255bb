"""A person is erased from a refinement of drawn people: from all files, for good, and again after a kill."""

import csv
import json
import shutil
from pathlib import Path

import cv2
import pytest

from flows.benchmark.erasure.byte_scan import stored_bytes, traces
from flows.erase.flow import erase
from flows.erase.results import ErasedPerson, FoundPerson
from flows.refine.export import export
from flows.refine.flow import refine
from flows.refine.verify import verify
from pipeline.errors import UserError
from pipeline.open_erasure import INTENT_FILE
from pipeline.refinement import latest
from pipeline.review.answers import ledger
from pipeline.sample.models import DETECTOR, EMBEDDER
from tests.builders.file_trees import file_bytes
from tests.builders.made_once import made_once
from tests.builders.small_world import fates
from tests.builders.tables.ledger_rows import row
from tests.chaos.killed_command import KillPlan, run_command

pytestmark = pytest.mark.slow
REASON = "request of 2026-11-29"
MODELS = {"detector": str(DETECTOR), "embedder": str(EMBEDDER)}


@pytest.fixture(scope="module")
def photos(drawn_world: Path) -> Path:
    return drawn_world / "photos"


@pytest.fixture(scope="module")
def refined_once(tmp_path_factory: pytest.TempPathFactory, photos: Path) -> Path:
    """A refinement with a key, so that two erasures of copies of it write the same bytes."""

    def make(folder: Path) -> None:
        refine.fn(str(folder), ["image-folder", str(photos)], **MODELS)
        ledger.append(str(folder), [row("1", "yes", "ann", subject=face_of(folder, key)) for key in named(folder)[:1]])
        (folder / "erasures").mkdir()
        (folder / "erasures/key").write_text("0f" * 32)

    return made_once(tmp_path_factory, "erase-root", make)


@pytest.fixture
def root(refined_once: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(refined_once, tmp_path / "root"))


def truth(photos: Path) -> list[dict[str, str]]:
    with open(photos.parent / "truth.tsv", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


def named(root: Path) -> list[str]:
    """The photos that are kept under the identity whose person has a second identity, too."""
    return [key for key, (identity, _) in fates(root).items() if identity and key.startswith(f"{name_of_two()}/")]


def name_of_two() -> str:
    return "m.5185901"


def face_of(root: Path, key: str) -> str:
    rows = latest(str(root)).labels.read(["face_id", "key"]).to_pylist()
    return next(r["face_id"] for r in rows if r["key"] == key)


def erased_of(root: Path) -> set[str]:
    return {key for key, (_, reason) in fates(root).items() if reason == "erased"}


def without_time(root: Path) -> dict[str, bytes]:
    """The files of a root; in the receipts without the time, which differs from run to run."""
    files = file_bytes(root)
    for name in [n for n in files if ".receipt." in n]:
        started = json.loads(files[f"{name.rpartition('.')[0].removesuffix('.receipt')}.receipt.json"])["started"]
        files[name] = files[name].replace(started.encode(), b"")
    return files


def test_without_yes_nothing_is_removed_and_the_sheet_shows_what_was_found(root: Path, tmp_path: Path) -> None:
    before = file_bytes(root)
    found = erase(str(root), identity=name_of_two(), out=tmp_path / "sheet.html")
    assert isinstance(found, FoundPerson)
    assert file_bytes(root) == before
    page = (tmp_path / "sheet.html").read_text()
    n = found.found["photos of the person"]
    assert (
        page.count("data:image/jpeg") == n + found.found["further faces of the person in photos of others, which stay"]
    )
    assert all(f"{name_of_two()}/{key.partition('/')[2]}" in page for key in named(root))
    assert any("--yes" in line for line in found.lines())


def test_a_person_is_erased_under_every_name_and_from_every_file(root: Path, photos: Path) -> None:
    person = {row["path"] for row in truth(photos) if row["person"] == "Aron_Duarte"}
    assert len({path.partition("/")[0] for path in person}) == 2, "the person has two names"
    before, refinement = fates(root), latest(str(root))
    export(str(root), root / "exported", format="folder")
    erased = erase(str(root), identity=name_of_two(), reason=REASON, yes=True)
    assert isinstance(erased, ErasedPerson)
    gone = erased_of(root)
    assert gone <= person
    assert len(gone) >= len(person) - 2  # two are hardly recognised
    account = latest(str(root)).account
    assert account.ingested == account.kept + sum(account.removed.values()) == len(before)
    assert account.removed["erased"] == len(gone)
    after = fates(root)
    strangers = before.keys() - person
    assert sum(after[key] != before[key] for key in strangers) <= 1, "others are judged by the rest of the data"
    ids = {face_of(root, key) for key in gone}
    stored = stored_bytes(refinement, ids)
    assert len(stored["JPEG"]) >= len(gone)
    assert len(stored["float16"]) >= len(gone)
    assert not traces(root, stored)
    assert not (root / "exported").exists()
    assert not verify(str(root)).faults
    answers = ledger.rows_of(ledger.read(str(root)))
    assert [(a.who, a.finding.subject) for a in answers] == [("ann", "erased")]
    assert not (root / INTENT_FILE).exists()


def test_the_scan_finds_what_is_there(refined_once: Path) -> None:
    """Each kind is found where it is stored, so that a scan that finds nothing says something."""
    refinement = latest(str(refined_once))
    stored = stored_bytes(refinement, {face_of(refined_once, key) for key in named(refined_once)})
    kinds = {trace.rpartition(" ")[2] for trace in traces(refined_once, stored)}
    assert {"JPEG", "sketch", "float16"} <= kinds


def test_the_receipt_counts_and_names_nobody(root: Path, photos: Path) -> None:
    erase(str(root), identity=name_of_two(), reason=REASON, yes=True)
    receipt = json.loads((root / "erasures/0001.receipt.json").read_text())
    text = (root / "erasures/0001.receipt.txt").read_text()
    gone = erased_of(root)
    assert receipt["found"]["photos of the person"] == len(gone) == receipt["removed"]["aligned faces"]
    assert receipt["removed"]["rows of answers and questions whose faces were taken out"] == 1
    assert receipt["tables_before"] != receipt["tables_after"]
    assert receipt["reason"] == REASON
    assert REASON in text
    for file in (root / "erasures").iterdir():
        content = file.read_text()
        assert name_of_two() not in content
        assert not [key for key in gone if key in content or face_of(root, key) in content]
    erase(str(root), list_file=listed(root, ["m.5911724/0001.jpg"]), reason="2", person="Ahmed Bakker", yes=True)
    assert "Person: Ahmed Bakker" in (root / "erasures/0002.receipt.txt").read_text()


def listed(root: Path, keys: list[str]) -> Path:
    file = root.parent / "list.txt"
    file.write_text("".join(f"{key}\n" for key in keys))
    return file


def test_erased_photos_do_not_come_in_again(root: Path, photos: Path, tmp_path: Path) -> None:
    """Neither by the next refinement, nor under another name, saved again, smaller or mirrored."""
    erase(str(root), identity=name_of_two(), reason=REASON, yes=True)
    gone, before = erased_of(root), fates(root)
    source = shutil.copytree(photos, tmp_path / "photos")
    (source / "Somebody").mkdir()
    photo = cv2.imread(str(source / min(gone)))
    cv2.imwrite(str(source / "Somebody/saved.jpg"), photo, [cv2.IMWRITE_JPEG_QUALITY, 60])
    cv2.imwrite(
        str(source / "Somebody/small.jpg"), cv2.resize(photo, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    )
    cv2.imwrite(str(source / "Somebody/mirrored.jpg"), photo[:, ::-1])
    shutil.copy(source / min(gone), source / "Somebody/same.jpg")
    refine.fn(str(root), ["image-folder", str(source)], **MODELS)
    again = {f"Somebody/{name}.jpg" for name in ("saved", "small", "mirrored", "same")}
    assert erased_of(root) == gone | again
    assert {key: fate for key, fate in fates(root).items() if key in before and fate[1] != "erased"}.keys() == (
        before.keys() - gone
    )


@pytest.mark.parametrize("new_files", [2, 40])
def test_killed_and_run_again_it_ends_with_the_same_bytes(root: Path, tmp_path: Path, new_files: int) -> None:
    twin = Path(shutil.copytree(root, tmp_path / "twin"))
    erase(str(twin), identity=name_of_two(), reason=REASON, yes=True)
    words = ["erase", str(root), "--identity", name_of_two(), "--reason", REASON, "--yes"]
    killed = run_command(words, root=root, log=tmp_path / "log", kill=KillPlan("file", 0.0, new_files, "SIGKILL"))
    assert killed.killed
    assert (root / INTENT_FILE).exists()
    with pytest.raises(UserError, match=r"an erasure of .* was stopped: run `refinery erase"):
        refine.fn(str(root), ["image-folder", "unused"], **MODELS)
    erase(str(root), yes=True)
    assert without_time(root) == without_time(twin)


@pytest.mark.parametrize(
    ("who", "message"),
    [
        ({}, "Give one of --photo FACE.jpg, --identity NAME and --list FILE"),
        ({"identity": "a", "photo": "b"}, "Give one of"),
        ({"identity": "m.518590"}, r"no photo of .* has the identity 'm\.518590': did you mean m\.5185901"),
        ({"photo": "no_face.png"}, "shows no face"),
        ({"photo": "two.jpg"}, "shows 2 faces: give a photo that shows the person alone"),
        ({"photo": "missing.jpg"}, "cannot read missing.jpg"),
        ({"list_file": Path("empty.txt")}, r"empty\.txt lists nothing"),
        ({"list_file": Path("other.txt")}, r"no photo that other\.txt names is in"),
        ({"identity": "m.5185901", "far": 0.7}, "--far 0.7"),
        ({"identity": "m.5185901", "yes": True}, "give --reason TEXT"),
    ],
)
def test_a_mistake_is_one_line(
    refined_once: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, who: dict, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    one, two = (cv2.imread(str(photos / name / "0001.jpg")) for name in ("m.5911724", "m.8281029"))
    side = min(one.shape[0], two.shape[0])
    cv2.imwrite("two.jpg", cv2.hconcat([one[:side], two[:side]]))
    cv2.imwrite("no_face.png", one[:8, :8])
    Path("empty.txt").write_text("# nothing\n")
    Path("other.txt").write_text("nobody/0001.jpg\n")
    with pytest.raises(UserError, match=message):
        erase(str(refined_once), **who)


def test_a_root_without_a_refinement_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no finished refinement at"):
        erase(str(tmp_path), identity="a")
    assert not list(tmp_path.iterdir())
