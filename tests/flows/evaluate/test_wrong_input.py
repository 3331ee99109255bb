"""Test sets, models and options that cannot be evaluated: one line, before any work is done."""

import math
import pickle
import re
from pathlib import Path

import numpy as np
import pytest

from flows.evaluate.flow import evaluate
from pipeline.errors import UserError
from tests.builders.channel_mean_model import channel_mean_model
from tests.builders.photos.drawn_test_sets import bin_file, lfw_folder, people_folders
from tests.builders.photos.exported_faces import pictures
from tests.builders.processes.command_line import Command, error_line


def broken(how: str, tmp_path: Path) -> Path:
    place = tmp_path / "tests"
    if how == "flat":
        place.mkdir()
        (place / "1.jpg").write_bytes(pictures(1, 1)[0][1])
    elif how == "one person":
        people_folders(place, 1, 4)
    elif how == "singles":
        people_folders(place, 4, 1)
    elif how == "missing photo":
        lfw_folder(place)
        (place / "P00/P00_0001.jpg").unlink()
    elif how == "one kind":
        place = tmp_path / "same.bin"
        place.write_bytes(pickle.dumps(([jpeg for _, jpeg in pictures(2, 2)], [True, True])))
    elif how == "no pairs":
        place = tmp_path / "none.bin"
        place.write_bytes(pickle.dumps(([], [])))
    return place


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("gone", "is not there"),
        ("flat", "no two photos of one person"),
        ("one person", "one person only"),
        ("singles", "no two photos of one person"),
        ("missing photo", "line 2 lists P00/P00_0001, which is not there"),
        ("one kind", "all 2 pairs of .*same.bin are genuine pairs"),
        ("no pairs", "none.bin holds 0 photos for 0 pairs"),
    ],
)
def test_paths_that_are_no_test_sets(refinery: Command, tmp_path: Path, embedder: str, how: str, words: str) -> None:
    place = broken(how, tmp_path)
    line = error_line(refinery("evaluate", embedder, "--test-set", place, "--cache", tmp_path / "root", "--aligned"))
    assert re.search(words, line)
    assert str(place) in line


def test_impossible_models_and_options(refinery: Command, tmp_path: Path, embedder: str) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"\x08\x07not a model")
    (tmp_path / "broken.pt").write_bytes(b"PK\x03\x04 cut short")
    test, folder = bin_file(tmp_path / "drawn.bin"), lfw_folder(tmp_path / "lfw")
    root = tmp_path / "root"
    for words, expected in (
        ([tmp_path / "broken.onnx", "--test-set", test], "broken.onnx is not an ONNX model"),
        ([tmp_path / "broken.pt", "--test-set", test], "broken.pt is not a checkpoint"),
        ([tmp_path / "none.pt", "--test-set", test], "there is no checkpoint"),
        ([tmp_path / "none.onnx", "--test-set", test], "is not there"),
        ([embedder, "--test-set", test, "--against", tmp_path / "broken.onnx"], "broken.onnx is not an ONNX model"),
        ([embedder, "--test-set", test, "--against", embedder], "a model is given twice"),
        ([embedder, "--test-set", test, "--test-set", test], "a test set is given twice"),
        ([embedder, "--test-set", test, "--test-set", folder], "give --detector, or --aligned"),
        ([embedder], "give --test-set"),
        ([embedder, "--test-set", test, "--draws", -1], "give 0 or more"),
        ([embedder, "--test-set", test, "--flip", "both"], "none, add, concatenate"),
        ([embedder, "--test-set", folder, "--detector", embedder], "is not a face detector"),
    ):
        assert expected in error_line(refinery("evaluate", *words, "--cache", root))
    assert not root.exists(), "told before any work is done"
    assert "give a folder as root" in error_line(
        refinery("evaluate", embedder, "--test-set", test, "--cache", "memory://root")
    )


def test_a_test_set_without_a_readable_photo_has_no_figures(refinery: Command, tmp_path: Path, embedder: str) -> None:
    pixels = [np.full((112, 112, 3), 20 * i, np.uint8).tobytes() for i in range(8)]
    test = tmp_path / "raw.bin"
    test.write_bytes(pickle.dumps((pixels, [True, False] * 2)))
    line = error_line(refinery("evaluate", embedder, "--test-set", test, "--cache", tmp_path / "root"))
    assert f"none of the 8 photos of {test} can be used (unreadable" in line
    folder = lfw_folder(tmp_path / "lfw")
    for photo in folder.rglob("*.jpg"):
        photo.write_bytes(b"no picture")
    line = error_line(refinery("evaluate", embedder, "--test-set", folder, "--cache", tmp_path / "root", "--aligned"))
    assert "can be used (unreadable" in line


def test_embeddings_that_are_no_numbers(tmp_path: Path) -> None:
    import onnx
    from onnx import numpy_helper

    path = channel_mean_model(tmp_path / "nan.onnx", shape=["n", 3, 112, 112], raw=True)
    graph = onnx.load(path)
    for weight in graph.graph.initializer:
        if weight.name == "scale":
            weight.CopyFrom(numpy_helper.from_array(np.array(math.nan, np.float32), "scale"))
    onnx.save(graph, path)
    with pytest.raises(UserError, match=r"nan.onnx gives embeddings that are not finite for 48 of 48 faces"):
        evaluate(path, [str(bin_file(tmp_path / "drawn.bin"))], cache=str(tmp_path / "root"))
