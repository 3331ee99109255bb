"""A face is found again in a folder and in a refinement, and the threshold shown is the one that was used."""

import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from flows.find.flow import FindResult, find
from flows.refine.flow import refine
from pipeline.errors import UserError
from pipeline.faces.embed import OnnxEmbedder
from pipeline.faces.picture import decode
from pipeline.refinement import latest
from pipeline.sample.models import DETECTOR, EMBEDDER

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def photos(drawn_world: Path) -> Path:
    return drawn_world / "photos"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("find")


@pytest.fixture(scope="module")
def search_result(photos: Path, folder: Path) -> FindResult:
    return find(str(photos), query_photo(photos), cache=str(folder / "cache"), top=7, out=folder / "sheet.png")


def query_photo(photos: Path) -> Path:
    return sorted(p for p in photos.rglob("*.jpg") if p.stat().st_size > 10_000)[5]


def test_the_photo_itself_comes_first_and_the_rest_in_falling_order_of_score(
    search_result: FindResult, photos: Path
) -> None:
    first, *later_matches = search_result.matches
    assert photos / first.photo == query_photo(photos)
    assert first.cosine > 0.995  # the vectors of a set are kept in half precision, of its jpeg
    scores = [h.score for h in search_result.matches]
    assert len(later_matches) == 6
    assert scores == sorted(scores, reverse=True)
    for hit in search_result.matches:
        assert hit.same == (hit.cosine >= hit.needed)
        assert (hit.score >= search_result.threshold) == (hit.far <= search_result.far)
        assert hit.same == (hit.score >= search_result.threshold or hit.cosine > 0.95)


def test_the_sheet_is_not_empty(search_result: FindResult) -> None:
    sheet = cv2.imread(search_result.sheet)
    assert sheet is not None
    assert min(sheet.shape[:2]) > 300
    assert float(sheet.std()) > 20


def test_matches_in_a_refinement_show_the_label_of_each_photo(
    search_result: FindResult, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = str(tmp_path / "root")
    refine.fn(root, ["image-folder", str(photos)], detector=str(DETECTOR), embedder=str(EMBEDDER))
    again = find(root, query_photo(photos), top=40, out=tmp_path / "sheet.svg")
    assert again.searched == search_result.searched
    cosines = {h.photo: h.cosine for h in again.matches}
    made = latest(root)
    keys, others = (t.read([c])[c].to_pylist() for t, c in ((made.photos, "key"), (made.faces, "others")))
    further = dict(zip(keys, others, strict=True))
    alone = [
        h for h in search_result.matches if not further[h.photo]
    ]  # else the refinement may have chosen another face
    assert len(alone) > 3
    assert [cosines[h.photo] for h in alone] == pytest.approx([h.cosine for h in alone], abs=1e-6)
    assert any("->" in h.identity for h in again.matches)
    assert any(h.identity == h.photo.split("/")[0] for h in again.matches)
    with pytest.raises(UserError, match="are not of"):
        find(root, query_photo(photos), flip="add", out=tmp_path / "sheet.png")
    monkeypatch.setattr("flows.find.flow.EMBEDDER", tmp_path / "not the one")
    assert find(root, query_photo(photos), top=40, out=tmp_path / "sheet.svg").matches == again.matches
    monkeypatch.setattr(Path, "exists", lambda path: path.suffix != ".onnx")
    with pytest.raises(UserError, match=r"the models of .*root are not known here \(.*: give --detector"):
        find(root, query_photo(photos), out=tmp_path / "sheet.png")


def test_the_photo_itself_is_found_in_a_folder_of_few_people(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REFINERY_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    chosen = query_photo(photos)
    (tmp_path / "few/a").mkdir(parents=True)
    shutil.copy(chosen, tmp_path / "few/a")
    for other in [p for p in sorted(photos.rglob("*.jpg")) if p.parent != chosen.parent][:4]:
        shutil.copy(other, tmp_path / "few/a" / f"other-{other.name}")
    found = find("few", chosen, out=Path("sheet.png"))
    assert found.matches[0].same
    assert found.matches[0].needed <= 0.95
    assert "so the threshold is a guess" in "\n".join(found.lines())
    assert {p.name for p in tmp_path.iterdir()} == {"cache", "few", "sheet.png"}


def test_aligned_faces_are_taken_as_they_are(photos: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    folder = tmp_path / "faces"
    folder.mkdir()
    for i in range(4):
        cv2.imwrite(str(folder / f"{i}.png"), rng.integers(0, 255, (112, 112, 3), np.uint8))
    aligned_result = find(
        str(folder), folder / "2.png", aligned=True, cache=str(tmp_path / "root"), out=tmp_path / "s.png"
    )
    faces = np.stack([decode((folder / f"{i}.png").read_bytes()) for i in range(4)])
    x = OnnxEmbedder(str(EMBEDDER))(faces)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    assert {h.photo: h.cosine for h in aligned_result.matches} == pytest.approx(
        {f"{i}.png": float(x[2] @ x[i]) for i in range(4)}, abs=2e-3
    )


def test_a_sheet_among_the_photos_is_refused_unless_it_has_the_name_that_is_known(tmp_path: Path) -> None:
    (tmp_path / "Ann").mkdir()
    with pytest.raises(UserError, match=r"lies among the photos of .* call it found\.png"):
        find(str(tmp_path), tmp_path / "no.jpg", out=tmp_path / "Ann/sheet.png")
    with pytest.raises(UserError, match=r"cannot read .*no\.jpg"):
        find(str(tmp_path), tmp_path / "no.jpg", out=tmp_path / "Ann/found.png")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"top": 0}, "--top 0"),
        ({"far": 0.7}, "--far 0.7"),
        ({"embedder": str(EMBEDDER)}, "give --detector and --embedder together"),
        ({"out": Path("/nowhere/sheet.png")}, "cannot write /nowhere/sheet.png"),
        ({"photo": Path("/nowhere.jpg")}, "cannot read /nowhere.jpg"),
        ({"root": "/nowhere"}, "/nowhere is not there"),
        ({"photo": DETECTOR}, "shows no face"),
    ],
)
def test_a_mistake_is_one_line(
    photos: Path, folder: Path, search_result: FindResult, change: dict, message: str
) -> None:
    usual = {
        "photo": query_photo(photos),
        "root": str(photos),
        "cache": str(folder / "cache"),
        "out": folder / "s.png",
    }
    with pytest.raises(UserError, match=re.escape(message)):
        find(**usual | change)
