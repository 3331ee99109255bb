"""AgeDB's own layout, made here as MATLAB writes it: ten folds of pairs in cells of structs, photos beside them."""

from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from pipeline.errors import UserError
from pipeline.sources.test_sets import photo_sets
from tests.builders.photos.photo_files import identity_of_key, write_photos

FOLDS, EACH = 10, 3
FILE = "04_FINAL_protocol_30_years.mat"


def cells(rows: list[list[object]]) -> np.ndarray:
    array = np.empty((len(rows), len(rows[0])), object)
    for i, row in enumerate(rows):
        for j, value in enumerate(row):
            array[i, j] = value
    return array


def struct(**fields: object) -> np.ndarray:
    array = np.empty((1, 1), [(name, object) for name in fields])
    for name, value in fields.items():
        array[0, 0][name] = value
    return array


def photo(person: int, number: int) -> str:
    return f"{person}_Some_{number}_{20 + 30 * number}_f"


def agedb(folder: Path, **change: object) -> Path:
    """Twelve people with two photos each; of every fold three pairs are of one person and three of two."""
    write_photos(folder / "03_Protocol_Images", *(f"{photo(p, k)}.jpg" for p in range(12) for k in (0, 1)))
    splits = []
    for fold in range(FOLDS):
        genuine = [((fold + i) % 12, (fold + i) % 12) for i in range(EACH)]
        impostor = [((fold + i) % 12, (fold + i + 1) % 12) for i in range(EACH)]
        rows = [[struct(name=photo(pair[k], k), age=20.0 + 30 * k) for pair in genuine + impostor] for k in (0, 1)]
        answers = np.array([[1.0] * EACH + [-1.0] * EACH])
        splits.append([struct(**({"indices": cells(rows), "labels": answers} | change))])
    savemat(folder / FILE, {"splits": cells(splits)})
    return folder


def test_the_pairs_equal_those_of_published_readers(tmp_path: Path) -> None:
    pairs = photo_sets.pairs(agedb(tmp_path))
    assert pairs == photo_sets.pairs(tmp_path / FILE)
    raw = loadmat(tmp_path / FILE)["splits"]  # read field by field, as public code does
    expected = [
        (
            str(raw[i][0][0][0][0][0][c][0][0][0][0]),
            str(raw[i][0][0][0][0][1][c][0][0][0][0]),
            raw[i][0][0][0][1][0][c] == 1,
            i,
        )
        for i in range(FOLDS)
        for c in range(2 * EACH)
    ]
    assert [(q.a.removesuffix(".jpg"), q.b.removesuffix(".jpg"), q.same, q.fold) for q in pairs] == expected
    assert all(q.same == (q.a.split("_")[0] == q.b.split("_")[0]) for q in pairs)
    assert [q.person for q in pairs[:3]] == ["0", "1", "2"]
    assert len(identity_of_key(tmp_path)) == 24


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": np.array([[1.0, 0, 1, -1, -1, -1]])}, "fold 1 has"),
        ({"labels": np.array([[1.0, -1]])}, "fold 1 has 6 pairs of photos and 2 labels"),
        ({"indices": np.empty((2, 0), object), "labels": np.ones((1, 0))}, "it lists no pair"),
        ({"indices": np.ones((2, 6))}, "a photo is not a struct"),
        ({"indices": cells([["a"] * 6, ["b"] * 6])}, "a photo is not a struct"),
        ({"indices": cells([[struct(name=2.0)] * 6] * 2)}, r"\[2\.0\]' is not a photo"),
        ({"indices": cells([[struct(name="../a")] * 6] * 2)}, r"\.\./a'\]\" is not a photo"),
    ],
)
def test_a_malformed_protocol_is_a_user_error(tmp_path: Path, change: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        photo_sets.pairs(agedb(tmp_path, **change))


def test_a_damaged_file_or_a_missing_photo_is_an_error_of_one_line(tmp_path: Path) -> None:
    file = agedb(tmp_path) / FILE
    whole = file.read_bytes()
    for data in (whole[: len(whole) // 2], whole[:100], b"", b"no matlab"):
        file.write_bytes(data)
        with pytest.raises(UserError, match=r"cannot read .* as a protocol of AgeDB"):
            photo_sets.pairs(tmp_path)
    savemat(file, {"other": np.ones(3)})
    with pytest.raises(UserError, match="it holds no splits"):
        photo_sets.pairs(tmp_path)
    file.write_bytes(whole)
    (tmp_path / f"03_Protocol_Images/{photo(3, 1)}.jpg").unlink()
    with pytest.raises(UserError, match=rf"lists {photo(3, 1)}, which is not there"):
        photo_sets.pairs(tmp_path)


def test_of_several_protocols_one_must_be_chosen(tmp_path: Path) -> None:
    file = agedb(tmp_path) / FILE
    (tmp_path / "01_FINAL_protocol_5_years.mat").write_bytes(file.read_bytes())
    with pytest.raises(UserError, match=r"holds 2 lists of pairs: give one of 01_FINAL_protocol_5_years\.mat, 04_"):
        photo_sets.pairs(tmp_path)
    assert len(photo_sets.pairs(file)) == 60
