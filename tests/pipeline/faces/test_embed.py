"""Embedders: the layout, the normalisation and the length are read from the file; batches and flips add up."""

from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pipeline.errors import UserError
from pipeline.faces.align import warp
from pipeline.faces.detect import Detector, meant
from pipeline.faces.embed import Embedder, layout_of


def model(path: Path, *, shape: list, raw: bool = False, first: bool = True) -> str:
    """An ONNX file whose vector is the mean of each channel of its left half, in the order the channels come in."""
    nodes, name = [], "data"
    weights = []
    if raw:
        weights += [
            numpy_helper.from_array(np.array(v, np.float32), n) for v, n in ((127.5, "mean"), (1 / 127.5, "scale"))
        ]
        nodes += [helper.make_node("Sub", [name, "mean"], ["a"]), helper.make_node("Mul", ["a", "scale"], ["b"])]
        name = "b"
    axes = [2, 3] if first else [1, 2]
    for label, values in (("starts", [0]), ("ends", [56]), ("axes", [axes[1]]), ("mean_axes", axes)):
        weights.append(numpy_helper.from_array(np.array(values, np.int64), label))
    nodes.append(helper.make_node("Slice", [name, "starts", "ends", "axes"], ["half"]))
    nodes.append(helper.make_node("ReduceMean", ["half", "mean_axes"], ["out"], keepdims=0))
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("data", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [shape[0], 3])],
        weights,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), str(path))
    return str(path)


def faces(n: int = 5) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (n, 112, 112, 3), dtype=np.uint8)


def expected(pictures: np.ndarray) -> np.ndarray:
    """By hand: the mean of the left half of each channel in RGB, from -1 to 1."""
    return (pictures[:, :, :56, ::-1].astype(float).mean((1, 2)) - 127.5) / 127.5


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize(
    ("shape", "first"), [(["n", 3, 112, 112], True), (["n", 112, 112, 3], False), ([2, 3, 112, 112], True)]
)
def test_every_layout_gives_the_same_vectors(tmp_path: Path, shape: list, first: bool, raw: bool) -> None:
    embedder = Embedder(model(tmp_path / "m.onnx", shape=shape, raw=raw, first=first))
    assert np.allclose(embedder(faces()), expected(faces()), atol=1e-5)
    assert embedder.dim == 3
    assert layout_of(embedder.model).raw is raw


def test_the_mirrored_face_is_added_or_appended(tmp_path: Path) -> None:
    path = model(tmp_path / "m.onnx", shape=["n", 3, 112, 112])
    left, right = expected(faces()), expected(faces()[:, :, ::-1])
    assert np.allclose(Embedder(path, "add")(faces()), left + right, atol=1e-5)
    assert np.allclose(Embedder(path, "concatenate")(faces()), np.hstack([left, right]), atol=1e-5)
    assert Embedder(path, "concatenate").dim == 6
    with pytest.raises(UserError, match="flip 'twice' is not known"):
        Embedder(path, "twice")


def test_a_model_that_wants_another_picture_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no embedder of 112x112 colour faces"):
        layout_of(model(tmp_path / "m.onnx", shape=["n", 3, 128, 128]))


def test_the_file_and_the_flip_name_an_embedder_but_not_where_it_lies(tmp_path: Path) -> None:
    here = model(tmp_path / "a.onnx", shape=["n", 3, 112, 112])
    (tmp_path / "b.onnx").write_bytes(Path(here).read_bytes())
    assert Embedder(here).named_by == Embedder(str(tmp_path / "b.onnx")).named_by
    assert Embedder(here).named_by != Embedder(here, "add").named_by


@pytest.mark.material
@pytest.mark.parametrize(("name", "raw"), [("ms1m", True), ("casia", False)])
def test_the_real_models_are_asked_as_they_want_and_tell_people_apart(material: Path, name: str, raw: bool) -> None:
    detector = Detector(str(material / "models/yunet_n_320_320.onnx"))
    embedder = Embedder(str(material / f"models/arcface_mobilefacenet_{name}.onnx"))
    assert layout_of(embedder.model).raw is raw
    people = sorted(p for p in (material / "lfw_pairs/images").iterdir() if len(list(p.iterdir())) >= 2)[:12]
    crops = []
    for person in people:
        for file in sorted(person.iterdir())[:2]:
            photo = cv2.imread(str(file))
            found = detector(photo)
            crops.append(warp(photo, found.landmarks[meant(found, width=photo.shape[1], height=photo.shape[0])]))
    x = embedder(np.stack(crops))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    cosines = x[::2] @ x[1::2].T
    same, different = np.diag(cosines), cosines[~np.eye(len(people), dtype=bool)]
    assert np.median(same) > 0.5
    assert np.percentile(different, 95) < 0.35
