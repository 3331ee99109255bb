"""Planted group photos: the same bytes again, the share in which the rule is wrong, and where the person is."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.refined.scoring.known_truth import read_truth
from pipeline.sample.cases.group_photos import PLACES_FILE, draw_layout, plant_group_photos
from tests.builders.file_trees import file_bytes

PEOPLE = 12


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Photos that show a person as a colour: two clean ones of each identity, an outlier, and a flip."""
    folder, rows = tmp_path / "data", ["path\tclaimed\tperson\tkind\tof"]
    for i in range(PEOPLE):
        known, other = 8 * i, 8 * ((i + 1) % PEOPLE)  # the person is the blue of the photo, here below 100
        people = [(known, "clean"), (known, "clean"), (130 + 8 * i, "outlier"), (other, "flip")]
        for n, (person, kind) in enumerate(people):
            path = f"id{i:02}/{n}.png"
            (folder / "photos" / path).parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / "photos" / path), np.full((120, 100, 3), [person, 200, 90], np.uint8))
            rows.append(f"{path}\tid{i:02}\tp{person}\t{kind}\tp{person}/{i}_{n}.png")
    (folder / "truth.tsv").write_text("\n".join(rows) + "\n")
    return folder


def test_the_person_is_at_its_place_among_others_and_the_truth_stays(data: Path, tmp_path: Path) -> None:
    account = plant_group_photos(data, tmp_path / "out", share=0.7, seed=3)
    truth = read_truth(tmp_path / "out")
    person = dict(zip(truth.keys, truth.person, strict=True))
    lines = [line.split("\t") for line in (tmp_path / "out" / PLACES_FILE).read_text().splitlines()[1:]]
    assert sum(account.photos.values()) == len(lines) > 20
    for path, kind, faces, *place, _ in lines:
        picture = cv2.imread(str(tmp_path / "out/photos" / path))
        x1, y1, x2, y2 = map(int, place)
        shown = round(float(picture[y1:y2, x1:x2, 0].mean()))
        assert abs(shown - int(person[path][1:])) <= 4
        values, pixels = np.unique(picture[picture.shape[0] // 2, :, 0], return_counts=True)
        others = set(values[pixels > 20].tolist())
        assert 2 <= int(faces) <= 4
        if kind != "clean":
            assert not {v for v in others if v < 100 and abs(v - shown) > 4}, (
                "beside an outlier or a flip nobody has an identity"
            )
    assert file_bytes(data) != file_bytes(tmp_path / "out")
    assert plant_group_photos(data, tmp_path / "again", share=0.7, seed=3) == account
    assert file_bytes(tmp_path / "again") == file_bytes(tmp_path / "out")


@pytest.mark.parametrize("wrong", [False, True])
def test_the_rule_is_wrong_as_wanted(wrong: bool) -> None:
    rng = np.random.default_rng(0)
    layouts = [draw_layout(int(rng.integers(2, 5)), wrong=wrong, rng=rng) for _ in range(50)]
    assert [layout.rule_is_wrong() for layout in layouts] == [wrong] * 50
    for layout in layouts:
        assert (layout.corners >= 0).all()
        assert (layout.corners + layout.sizes[:, None] <= [layout.width, layout.height]).all()


def test_mistakes_are_told(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="exists: give a folder that is not there yet"):
        plant_group_photos(data, data)
    with pytest.raises(UserError, match=r"cannot read .*truth.tsv"):
        plant_group_photos(tmp_path / "nothing", tmp_path / "new")
