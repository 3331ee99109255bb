"""Sets of pairs from lists, folders and a .bin: prepared once, and again when photos or pairs change."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from flows.evaluate.flow import evaluate
from flows.evaluate.pair_sets import prepare_pairs
from flows.evaluate.verify_pairs import verify_model
from flows.refine.models import load_embedder
from tests.builders.photos.drawn_test_sets import bin_file, lfw_folder, people_folders
from trainer.evaluation.pair_set import load_pairs
from trainer.evaluation.verification import model_cosines


def expected(pictures: list[np.ndarray]) -> float:
    """The cosine of two pictures by that model."""
    a, b = ((p[:, :56].astype(float).mean((0, 1)) - 127.5) / 127.5 for p in pictures)
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_a_pairs_txt_from_photos_to_cosines(tmp_path: Path, embedder: str) -> None:
    test_set = prepare_pairs(str(tmp_path / "root"), str(lfw_folder(tmp_path / "lfw")), aligned=True)
    pairs = load_pairs(test_set.folder)
    assert test_set.name == "lfw"
    assert pairs.same.tolist() == ([True] * 3 + [False] * 3) * 2
    assert pairs.fold.tolist() == [0] * 6 + [1] * 6
    assert pairs.unit is not None
    assert pairs.unit.tolist() == [0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5]
    cosines = model_cosines(pairs, load_embedder(embedder))
    for row, (a, b) in {0: ("P00/P00_0001", "P00/P00_0002"), 10: ("P07/P07_0003", "P10/P10_0004")}.items():
        shown = [cv2.imread(str(tmp_path / f"lfw/{key}.jpg")) for key in (a, b)]
        assert cosines[row] == pytest.approx(expected(shown), abs=1e-4)
    again = verify_model(str(tmp_path / "root"), load_embedder(embedder), test_set, draws=0)
    direct = sorted(set(cosines.tolist()), reverse=True)
    assert again.roc.cosine[1:] == pytest.approx(direct, abs=1e-3)


def test_folders_of_people_give_every_pair(tmp_path: Path) -> None:
    pairs = load_pairs(
        prepare_pairs(str(tmp_path / "root"), str(people_folders(tmp_path / "people", 5, 3)), aligned=True).folder
    )
    assert len(pairs.same) == 15 * 14 // 2
    assert pairs.same.sum() == 5 * 3
    assert pairs.unit is not None
    assert pairs.unit.shape == (105, 2)
    assert np.array_equal(pairs.unit[:, 0] == pairs.unit[:, 1], pairs.same)


def test_a_bin_needs_no_detector_and_has_no_people(tmp_path: Path) -> None:
    pairs = load_pairs(prepare_pairs(str(tmp_path / "root"), str(bin_file(tmp_path / "drawn.bin"))).folder)
    assert pairs.same.tolist() == [True, False] * 12
    assert pairs.unit is None
    assert pairs.has_face.all()


def test_a_photo_without_a_face_keeps_its_row(tmp_path: Path, embedder: str) -> None:
    folder = lfw_folder(tmp_path / "lfw")
    (folder / "P00/P00_0001.jpg").write_bytes(b"<html>gone</html>")
    test_set = prepare_pairs(str(tmp_path / "root"), str(folder), aligned=True)
    pairs = load_pairs(test_set.folder)
    assert len(pairs.has_face) == 48
    assert (pairs.missing, (~pairs.has_face).sum()) == (1, 1)
    assert model_cosines(pairs, load_embedder(embedder))[0] == -1
    evaluation = evaluate(embedder, [str(folder)], cache=str(tmp_path / "root"), aligned=True, draws=20)
    assert evaluation.test_sets[0].missing == 1
    assert "1 lack a face" in evaluation.lines()[0]


def test_made_once_and_made_anew_when_the_photos_or_pairs_change(tmp_path: Path) -> None:
    root, folder = str(tmp_path / "root"), lfw_folder(tmp_path / "lfw")
    first = prepare_pairs(root, str(folder), aligned=True).folder
    written_ns = (first / "faces.parquet").stat().st_mtime_ns
    assert prepare_pairs(root, str(folder / "pairs.txt"), aligned=True).folder.name.startswith("lfw-")
    assert prepare_pairs(root, str(folder), aligned=True).folder == first
    assert (first / "faces.parquet").stat().st_mtime_ns == written_ns
    text = (folder / "pairs.txt").read_text()
    (folder / "pairs.txt").write_text(text.replace("P00\t1\t2", "P00\t1\t3"))
    second = prepare_pairs(root, str(folder), aligned=True).folder
    (folder / "P00/P00_0002.jpg").write_bytes((folder / "P01/P01_0002.jpg").read_bytes())
    third = prepare_pairs(root, str(folder), aligned=True).folder
    assert len({first, second, third}) == 3
    assert not list(Path(root).rglob("*.tmp"))
