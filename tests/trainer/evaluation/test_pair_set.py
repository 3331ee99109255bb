"""Pair sets on disk: they are read as written, faces a few at a time; a damaged one raises one line with the reason."""

from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from pipeline import schema
from pipeline.errors import UserError
from tests.builders.drawn_pairs import pair_set
from trainer.evaluation.pair_set import load_pairs, read_faces
from trainer.evaluation.verification import model_cosines

PAIRS = [("f0", "f1", True, 0, "p0", None), ("f2", "f4", False, 1, "p1", None), ("f3", "f0", False, 9, None, None)]


def embed(faces: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Embeddings whose angle grows with the brightness: those of faces i and j are (i - j) / 10 radians apart."""
    angle = (faces.mean((1, 2, 3)) - 20) / 400
    return np.stack([7 * np.cos(angle), 7 * np.sin(angle)], 1).astype(np.float32)


def test_a_pair_set_is_read_as_it_was_written(tmp_path: Path) -> None:
    pairs = load_pairs(pair_set(tmp_path, PAIRS))
    assert pairs.a.tolist() == [0, 2, 3]
    assert pairs.b.tolist() == [1, 4, 0]
    assert pairs.same.tolist() == [True, False, False]
    assert pairs.fold.tolist() == [0, 1, 9]
    assert pairs.has_face.all()
    assert pairs.missing == 0
    assert pairs.unit is not None
    assert len(set(pairs.unit.tolist())) == 3, "a pair that names no person has a number of its own"


def test_units_of_two_people(tmp_path: Path) -> None:
    pairs: list[tuple] = [
        ("f0", "f1", True, 0, "ann", "ann"),
        ("f0", "f2", False, 0, "ann", "bob"),
        ("f2", "f1", False, 0, "bob", "ann"),
        ("f4", "f3", False, 0, None, None),
    ]
    unit = load_pairs(pair_set(tmp_path, pairs)).unit
    assert unit is not None
    ann, bob = unit[1].tolist()
    assert unit[:3].tolist() == [[ann, ann], [ann, bob], [bob, ann]]
    assert unit[3][0] == unit[3][1]
    assert len({ann, bob, int(unit[3][0])}) == 3
    assert load_pairs(pair_set(tmp_path / "nobody", [(*p[:4], None, None) for p in pairs])).unit is None


@pytest.mark.parametrize("batch", [1, 2, 64])
def test_cosines_equal_hand_computed_ones_and_are_minus_1_without_a_face(tmp_path: Path, batch: int) -> None:
    pairs = load_pairs(pair_set(tmp_path, PAIRS, without=(3,)))
    assert pairs.missing == 1
    expected = [np.cos(0.1), np.cos(0.2), -1]
    assert model_cosines(pairs, embed, batch=batch) == pytest.approx(expected, abs=1e-3)
    batches = list(read_faces(pairs, batch=batch))
    assert [r for rows, _ in batches for r in rows] == [0, 1, 2, 4]
    assert max(len(rows) for rows, _ in batches) <= batch


def test_only_faces_of_listed_pairs_are_embedded(tmp_path: Path) -> None:
    pairs = load_pairs(pair_set(tmp_path, PAIRS[:1]))
    assert [rows.tolist() for rows, _ in read_faces(pairs, batch=64)] == [[0, 1]]


def test_pairs_compared_in_blocks_have_the_same_cosines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = load_pairs(pair_set(tmp_path, PAIRS * 5))
    whole = model_cosines(pairs, embed)
    monkeypatch.setattr("trainer.evaluation.pair_set.PAIRS_AT_ONCE", 4)
    assert np.array_equal(model_cosines(pairs, embed), whole)


def test_a_set_without_any_face(tmp_path: Path) -> None:
    pairs = load_pairs(pair_set(tmp_path, PAIRS, without=(0, 1, 2, 3, 4)))
    assert model_cosines(pairs, embed).tolist() == [-1, -1, -1]


def damage(folder: Path, how: str) -> None:
    file = folder / ("pairs.parquet" if how in ("cut", "typed") else "faces.parquet")
    if how == "gone":
        file.unlink()
    elif how == "cut":
        file.write_bytes(file.read_bytes()[:-20])
    elif how == "typed":
        table = pq.read_table(file)
        pq.write_table(table.set_column(2, "same", pa.array([1.5] * len(table))), file)
    elif how == "column":
        pq.write_table(pq.read_table(file).drop(["jpeg"]), file)
    elif how == "picture":
        table = pq.read_table(file)
        pq.write_table(table.set_column(2, "jpeg", pa.array([b"no picture"] * len(table), pa.binary())), file)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("gone", "cannot read .*faces.parquet"),
        ("cut", "cannot read .*pairs.parquet"),
        ("typed", "pairs.parquet has no column same bool"),
        ("column", "faces.parquet has no column jpeg binary"),
        ("picture", "faces.parquet row 0 is not a picture"),
    ],
)
def test_a_damaged_set_raises_one_line(tmp_path: Path, how: str, words: str) -> None:
    damage(pair_set(tmp_path, PAIRS), how)
    with pytest.raises(UserError, match=words) as raised:
        model_cosines(load_pairs(tmp_path), embed)
    assert "\n" not in str(raised.value)


def test_a_list_without_pairs_or_with_unknown_faces_raises_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no pairs"):
        load_pairs(pair_set(tmp_path, []))
    with pytest.raises(UserError, match=r"lists the face f9, which faces.parquet does not hold"):
        load_pairs(pair_set(tmp_path, [*PAIRS, ("f0", "f9", True, 0, None, None)]))


def test_faces_keep_their_pixels(tmp_path: Path) -> None:
    pair_set(tmp_path, PAIRS)
    first = pq.read_table(tmp_path / "faces.parquet", schema=schema.TEST_FACES)["jpeg"][0].as_py()
    _, pictures = next(read_faces(load_pairs(tmp_path), batch=1))
    assert np.array_equal(pictures[0], cv2.imdecode(np.frombuffer(first, np.uint8), cv2.IMREAD_COLOR))
