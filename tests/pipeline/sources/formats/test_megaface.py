import json
import shutil
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.sources.formats import image_folder, megaface
from pipeline.sources.photo import Photo
from tests.builders.photos.photo_files import put

DISTRACTOR = "375/37531198@N00/4174611825_0.jpg"


def photos_by_key(path: Path) -> dict[str, Photo]:
    return {p.key: p for part in megaface.parts(path) for p in megaface.index(part)}


def test_the_identity_of_a_probe_is_its_folder_and_a_distractor_has_none(tmp_path):
    put(tmp_path / "facescrub_images" / "Aaron_Eckhart" / "Aaron_Eckhart_1.png", b"probe")
    put(tmp_path / "Adam Brody" / "Adam Brody_2.jpg")
    put(tmp_path / "FlickrFinal2" / DISTRACTOR)
    put(tmp_path / DISTRACTOR)
    photos = photos_by_key(tmp_path)
    assert {key: p.identity for key, p in photos.items()} == {
        "facescrub_images/Aaron_Eckhart/Aaron_Eckhart_1.png": "Aaron_Eckhart",
        "Adam Brody/Adam Brody_2.jpg": "Adam Brody",
        f"FlickrFinal2/{DISTRACTOR}": None,
        DISTRACTOR: None,
    }
    assert megaface.read(tmp_path, photos["facescrub_images/Aaron_Eckhart/Aaron_Eckhart_1.png"]) == b"probe"


@pytest.mark.parametrize(
    ("text", "box"),
    [
        ('{"bounding_box": {"x": 10, "y": 20.5, "width": 30, "height": 40}}', (10, 20.5, 40, 60.5)),
        ('{"landmarks": {"0": {"x": 0, "y": 0}, "1": {"x": 10, "y": 0}, "2": {"x": 5, "y": 6}}}', (-10, -13, 20, 17)),
        ('{"bounding_box": {"x": 10, "y": 20, "width": -3, "height": 4}}', None),
        ("{}", None),
        ("[]", None),
        ("no json", None),
    ],
)
def test_boxes_of_distractors(tmp_path, text, box):
    put(tmp_path / DISTRACTOR)
    put(tmp_path / f"{DISTRACTOR}.json", text)
    assert photos_by_key(tmp_path)[DISTRACTOR].box == box
    assert megaface.survey(tmp_path).ignored == {}


def test_boxes_of_probes_with_blanks_or_underscores(tmp_path):
    put(tmp_path / "Daniel Radcliffe" / "Daniel Radcliffe_14684.jpg")
    put(tmp_path / "A_B" / "A_B_1.png")
    put(
        tmp_path / "facescrub_face_info.txt",
        "Daniel_Radcliffe/Daniel_Radcliffe_14684.jpg 175,113,310,248 1,2,3,4\nA_B/A_B_1.png 1,2,30,0 1,2,3,4\n",
    )
    photos = photos_by_key(tmp_path)
    assert photos["Daniel Radcliffe/Daniel Radcliffe_14684.jpg"].box == (175, 113, 310, 248)
    assert photos["A_B/A_B_1.png"].box is None
    put(tmp_path / "facescrub_face_info.txt", "one two\n")
    with pytest.raises(UserError, match=r"face_info\.txt line 1"):
        megaface.parts(tmp_path)


def test_only_listed_photos_belong_to_the_set(tmp_path):
    for name in ("images/A/A_1.png", "images/A/A_2.png", DISTRACTOR, DISTRACTOR.replace("_0", "_1")):
        put(tmp_path / name)
    whole = megaface.parts(tmp_path)
    put(
        tmp_path / "templatelists" / "megaface_features_list.json_10_1",
        json.dumps({"path": [DISTRACTOR, "1/2@N3/x.jpg"]}),
    )
    assert megaface.parts(tmp_path) != whole
    assert set(photos_by_key(tmp_path)) == {"images/A/A_1.png", "images/A/A_2.png", DISTRACTOR}
    put(tmp_path / "facescrub_lst", "A/A_2.png\n")
    assert set(photos_by_key(tmp_path)) == {"images/A/A_2.png", DISTRACTOR}
    assert megaface.survey(tmp_path).ignored == {"not in a list": 2, "listed, not there": 1}
    put(tmp_path / "facescrub_features_list.json", "{}")
    with pytest.raises(UserError, match="holds no list of photos under path"):
        megaface.parts(tmp_path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_lists_may_spell_photos_otherwise(tmp_path, encoding):
    for name in ("A_B/A_B_1.png", "A_B/A_B_2.png", "C D/C D_1.jpg"):
        put(tmp_path / "images" / name)
    listed = {"path": ["A B/A B_1.jpeg", "C_D\\C_D_1.jpg", "A B/gone_1.jpg", "x/y_1.jpg"]}
    put(tmp_path / "facescrub_features_list.json", json.dumps(listed).encode(encoding))
    assert set(photos_by_key(tmp_path)) == {"images/A_B/A_B_1.png", "images/C D/C D_1.jpg"}
    survey = megaface.survey(tmp_path)
    assert survey.ignored == {"not in a list": 1, "listed, not there": 2}
    assert survey.warnings == ["2 photos that its lists name are not there: 'A_B/gone_1', 'x/y_1'"]


@pytest.mark.parametrize(("listed", "kind"), [("Z/Z_1.png", "probes"), ("1/2@N3/4.jpg", "distractors")])
def test_lists_that_leave_no_photo_of_a_kind_are_refused(tmp_path, listed, kind):
    put(tmp_path / "A" / "A_1.png")
    put(tmp_path / DISTRACTOR)
    put(tmp_path / "test_lst", f"{listed}\r\n")
    with pytest.raises(UserError, match=rf"name none of its 1 {kind}: there is '.*', they name '.*': remove the lists"):
        megaface.survey(tmp_path)


def test_wrong_paths_are_user_errors(tmp_path):
    for path, words in {tmp_path / "none": "is not there", tmp_path: "holds no photo"}.items():
        with pytest.raises(UserError, match=words):
            megaface.parts(path)


@pytest.mark.material
def test_the_published_boxes_and_the_noisy_photos(material, tmp_path):
    shutil.copy(material / "noise_lists" / "facescrub_face_info.txt", tmp_path)
    put(tmp_path / "facescrub_images" / "Daniel Radcliffe" / "Daniel Radcliffe_14688.jpg")
    assert [p.box for p in photos_by_key(tmp_path).values()] == [(351, 512, 1367, 1528)]
    root = material / "noisy_lfw" / "photos"
    plain = [p for part in image_folder.parts(root) for p in image_folder.index(part)]
    assert photos_by_key(root) == {p.key: p for p in plain}
