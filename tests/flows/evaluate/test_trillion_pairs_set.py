"""Trillion-Pairs' own layout: from photos and landmarks to one file of embeddings in the order of the list."""

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from flows.evaluate.flow import evaluate
from flows.refine.models import load_embedder
from pipeline.errors import UserError
from pipeline.faces.align import TEMPLATE, align_face
from pipeline.sources.test_sets import trillion_pairs
from pipeline.sources.test_sets.trillion_pairs import LIST
from tests.builders.photos.exported_faces import pictures


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    """Nine photos in folders of testdata/, with points somewhat beside the usual ones; one is not a picture."""
    folder, lines = tmp_path / "TrillionPairs", []
    for i, (_, jpeg) in enumerate(pictures(3, 3)):
        name = f"testdata/{i % 2}/{90 - i}.jpg"  # not in the order of their names
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"<html>" if i == 4 else jpeg)
        lines.append(" ".join([name, *(f"{v + i:.2f}" for v in TEMPLATE.ravel())]))
    (folder / LIST).write_text("\n".join(lines) + "\n")
    return folder


def by_hand(layout: Path, embedder: str) -> np.ndarray:
    embed, embeddings = load_embedder(embedder), []
    for line in (layout / LIST).read_text().splitlines():
        name, *points = line.split()
        image = cv2.imread(str(layout / name))
        if image is None:
            embeddings.append(np.zeros(3))
            continue
        face = align_face(image, np.array(points, float).reshape(5, 2))
        x = embed(face[None]).astype(np.float64)[0]
        embeddings.append(x / np.linalg.norm(x))
    return np.array(embeddings)


def read(file: Path) -> np.ndarray:
    rows, columns, stride, kind = struct.unpack("<4i", file.read_bytes()[:16])
    assert (stride, kind) == (4 * columns, 5)
    return np.frombuffer(file.read_bytes(), "<f4", offset=16).reshape(rows, columns)


def test_vectors_come_in_the_order_of_the_list(tmp_path: Path, layout: Path, embedder: str, monkeypatch) -> None:
    monkeypatch.setattr(trillion_pairs, "PHOTOS_PER_SHARD", 4)
    out = tmp_path / "out"
    evaluation = evaluate(embedder, [str(layout)], cache=str(tmp_path / "root"), features=str(out))
    assert evaluation.figures == []
    assert [(t.test_set, t.missing) for t in evaluation.test_sets] == [("TrillionPairs", 1)]
    x = read(out / "TrillionPairs_colour.bin")
    np.testing.assert_allclose(x, by_hand(layout, embedder), atol=2e-2)  # faces are kept as JPEG
    assert (x[4] == 0).all()
    again = evaluate(embedder, [str(layout / LIST)], cache=str(tmp_path / "fresh"), features=str(tmp_path / "again"))
    assert (tmp_path / "again/TrillionPairs_colour.bin").read_bytes() == (out / "TrillionPairs_colour.bin").read_bytes()
    assert evaluation.lines()
    assert again.rows() == []


def test_a_changed_photo_is_seen(tmp_path: Path, layout: Path) -> None:
    before = trillion_pairs.parts(layout)
    assert trillion_pairs.parts(layout) == before
    (layout / "testdata/0/90.jpg").write_bytes(b"other")
    assert trillion_pairs.parts(layout) != before


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a.jpg 1 2 3", "line 2: expected a photo and ten numbers, found 'a.jpg 1 2 3'"),
        ("a.jpg 7 1 2 3 4 5 6 7 8 9 10", "line 2: expected a photo and ten numbers"),
        ("a.jpg 1 2 3 4 5 6 7 8 9 nan", "line 2: expected a photo and ten numbers"),
    ],
)
def test_a_line_of_another_format(layout: Path, line: str, message: str) -> None:
    first, *_ = (layout / LIST).read_text().splitlines()
    (layout / LIST).write_text(f"{first}\n{line}\n")
    with pytest.raises(UserError, match=message):
        trillion_pairs.parts(layout)


def test_missing_files_and_options_are_one_line(tmp_path: Path, layout: Path, embedder: str) -> None:
    with pytest.raises(UserError, match="was never published: give --features"):
        evaluate(embedder, [str(layout)], cache=str(tmp_path / "root"))
    (layout / LIST).write_bytes(b"")
    with pytest.raises(UserError, match=f"{LIST} is empty"):
        evaluate(embedder, [str(layout)], cache=str(tmp_path / "root"), features=str(tmp_path / "out"))
