"""The inputs of public bug reports in REFINERY_MATERIAL/awkward: each is read rightly, told, or refused in one line.

No model runs. What becomes of such photos in a refinement, and of lists in the ledger, other tests show with input of
their own.
"""

import shutil
from collections import Counter
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.faces.picture import UnreadablePhoto, decode
from pipeline.review.answers.list_files import read_lists
from pipeline.review.answers.listed_photos import ListedPhotos
from pipeline.sources.files import FolderOptions
from pipeline.sources.index import Source, index_photos
from pipeline.sources.kinds import source_format, survey_source
from pipeline.sources.photo import Photo
from pipeline.sources.survey import Survey
from pipeline.sources.test_sets import photo_sets

pytestmark = [pytest.mark.material, pytest.mark.slow]


@pytest.fixture(scope="module")
def awkward(material: Path) -> Path:
    if not (material / "awkward").is_dir():
        pytest.skip("the material has no folder awkward")
    return material / "awkward"


def given(awkward: Path, number: str) -> Path:
    (folder,) = awkward.glob(f"{number}-*")
    return folder


def photos_of(kind: str, path: Path) -> dict[str, Photo]:
    module = source_format(kind)
    return {photo.key: photo for part in module.parts(path) for photo in module.index(part)}


def read_and_decoded(path: Path, kind: str = "image-folder") -> dict[str, str]:
    """By key the reason why a photo cannot be decoded, "" for one that can."""
    faults = {}
    for key, photo in photos_of(kind, path).items():
        try:
            decode(source_format(kind).read(path, photo))
            faults[key] = ""
        except UnreadablePhoto as error:
            faults[key] = str(error)
    return faults


def surveyed(kind: str, path: Path) -> Survey:
    return survey_source(kind, str(path), FolderOptions())


@pytest.mark.parametrize(
    ("number", "photos", "damaged"),
    [
        ("01", 15, {}),
        ("02", 15, {}),
        ("03", 18, {}),
        ("04", 15, {"m.6285114/damaged_block.jpg", "m.6285114/damaged_zeros.jpg"}),
        ("05", 25, {}),
        ("10", 12, {}),
    ],
)
def test_photos_are_read_or_have_a_reason(awkward: Path, number: str, photos: int, damaged: set[str]) -> None:
    faults = read_and_decoded(given(awkward, number) / "in")
    assert len(faults) == photos
    assert {key for key, fault in faults.items() if fault} == set(damaged)
    assert all("damaged inside" in faults[key] for key in damaged)


def test_the_same_photo_is_upright_in_every_format(awkward: Path) -> None:
    folder = given(awkward, "03") / "in/m.4855330"
    for name in ("phone", "upside"):
        shapes = {decode((folder / f"{name}{suffix}").read_bytes()).shape for suffix in (".jpg", ".png", ".webp")}
        assert len(shapes) == 1


def test_folders_of_systems_and_albums(awkward: Path) -> None:
    ignored = surveyed("image-folder", given(awkward, "10") / "in").ignored
    assert ignored == {"in a system folder": 8, "hidden": 4, "not a photo: .db": 2, "not a photo: .ini": 2}
    (warning,) = surveyed("image-folder", given(awkward, "18") / "in").warnings
    assert "give --identity-level 1" in warning


def test_labels_that_lie_beside_the_data(awkward: Path) -> None:
    photos = photos_of("record-io", given(awkward, "23") / "in")
    assert Counter(photo.identity for photo in photos.values()) == {"0": 3, "1": 3, "2": 3, "3": 3}
    assert "those of train.lst are used" in surveyed("record-io", given(awkward, "23") / "in").warnings[0]
    folder = given(awkward, "74") / "in"
    assert any("train_list.txt gives 9 of 12 photos" in line for line in surveyed("image-folder", folder).warnings)
    for path in (folder / "train_list.txt", folder / "images"):
        with pytest.raises(UserError, match="give photo-list"):
            source_format("image-folder").parts(path)
    listed = photos_of("photo-list", folder / "train_list.txt")
    assert Counter(photo.identity for photo in listed.values()) == {"0": 3, "1": 3, "2": 3, "3": 3}


def test_tables_beside_the_photos(awkward: Path, tmp_path: Path) -> None:
    assert len(photos_of("ms-celeb", given(awkward, "34") / "in")) == 12
    assert "it is passed over" in surveyed("ms-celeb", given(awkward, "34") / "in").warnings[0]
    folder = given(awkward, "52") / "in"
    rows = index_photos(str(tmp_path / "root"), [Source("in", "megaface", str(folder))])[0].read(["key", "box"])
    boxes = dict(zip(rows["key"].to_pylist(), rows["box"].to_pylist(), strict=True))
    assert boxes["images/Bea Test/Bea Test_190.jpg"] == [190, 50, 260, 140]
    assert sum(box is not None for box in boxes.values()) == 1


@pytest.mark.parametrize(("number", "photos", "left_out"), [("50", 8, 4), ("51", 12, 0)])
def test_lists_of_facescrub_spell_the_photos_otherwise(awkward: Path, number: str, photos: int, left_out: int) -> None:
    folder = given(awkward, number) / "in"
    assert len(photos_of("megaface", folder)) == photos
    assert surveyed("megaface", folder).ignored.get("not in a list", 0) == left_out


@pytest.mark.parametrize(("number", "known"), [("40", 11), ("41", 11), ("42", 11), ("43", 11), ("44", 12)])
def test_clean_lists_name_the_photos(awkward: Path, number: str, known: int) -> None:
    folder = given(awkward, number)
    (file,) = folder.glob("*.txt")
    keys = list(photos_of("ms-celeb", folder / "in"))
    listed = ListedPhotos(read_lists([file], says="right"), keys)
    assert sum(listed.reading_of(key) is not None for key in keys) == known
    assert not listed.match.unknown


def test_a_blank_in_a_name_hits_no_other_folder(awkward: Path) -> None:
    folder = given(awkward, "56")
    keys = list(photos_of("image-folder", folder / "in"))
    listed = ListedPhotos(read_lists([folder / "wrong.txt"], says="wrong"), keys)
    assert [key for key in keys if listed.reading_of(key)] == ["Anna Bell/0001.jpg"]


@pytest.mark.parametrize(("number", "path"), [("60", "in"), ("64", "in"), ("64", "in/pairs.csv")])
def test_pairs_are_those_of_the_list(awkward: Path, number: str, path: str, tmp_path: Path) -> None:
    shutil.copytree(given(awkward, number) / "in", tmp_path / "in")
    pairs = photo_sets.pairs(tmp_path / path)
    assert (len(pairs), sum(pair.same for pair in pairs)) == (12, 6)
