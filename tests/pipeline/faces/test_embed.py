"""Embedders: layout, normalisation and length are read from the file; batches and flips give the right vectors."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline import schema
from pipeline.errors import UserError
from pipeline.faces.align import align_face, main_face
from pipeline.faces.detect import OnnxDetector
from pipeline.faces.embed import OnnxEmbedder, embed_shard, embedder_format
from pipeline.tables.build import build
from pipeline.tables.table import Shard
from tests.builders.channel_mean_model import channel_mean_model
from tests.builders.tables.drawn_vectors import named_rows
from tests.builders.tables.label_shards import grey_jpeg


def faces(n: int = 5) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (n, 112, 112, 3), dtype=np.uint8)


def expected(pictures: np.ndarray) -> np.ndarray:
    """The model's vectors by hand: the mean of the left half of each channel in RGB, from -1 to 1."""
    return (pictures[:, :, :56, ::-1].astype(float).mean((1, 2)) - 127.5) / 127.5


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize(
    ("shape", "first"), [(["n", 3, 112, 112], True), (["n", 112, 112, 3], False), ([2, 3, 112, 112], True)]
)
def test_every_layout_gives_the_same_vectors(tmp_path: Path, shape: list, first: bool, raw: bool) -> None:
    embedder = OnnxEmbedder(channel_mean_model(tmp_path / "m.onnx", shape=shape, raw=raw, first=first))
    assert np.allclose(embedder(faces()), expected(faces()), atol=1e-5)
    assert embedder.dim == 3
    assert embedder_format(embedder.model).raw is raw


def test_the_mirrored_face_is_added_or_appended(tmp_path: Path) -> None:
    path = channel_mean_model(tmp_path / "m.onnx", shape=["n", 3, 112, 112])
    left, right = expected(faces()), expected(faces()[:, :, ::-1])
    assert np.allclose(OnnxEmbedder(path, "add")(faces()), left + right, atol=1e-5)
    assert np.allclose(OnnxEmbedder(path, "concatenate")(faces()), np.hstack([left, right]), atol=1e-5)
    assert OnnxEmbedder(path, "concatenate").dim == 6
    with pytest.raises(UserError, match="unknown flip 'twice'"):
        OnnxEmbedder(path, "twice")


def test_a_model_for_other_inputs_raises_a_user_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not an embedder of 112x112 colour faces"):
        embedder_format(channel_mean_model(tmp_path / "m.onnx", shape=["n", 3, 128, 128]))


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30])
def test_embeddings_that_are_not_finite_are_refused_by_name_and_count(tmp_path: Path, value: float) -> None:
    class Broken:
        """Gives a wrong number for every dark face; the square of 1e30 overflows, so its vector has no direction."""

        model, named_by, dim = "broken.onnx", ("broken",), 2

        def __call__(self, faces: np.ndarray) -> np.ndarray:
            return np.where(faces[:, :1, 0, 0] < 100, value, 1).repeat(2, 1).astype(np.float32)

    def shard_of(*greys: int) -> Shard:
        rows = [
            {"face_id": f"face {grey}", "identity": "a", "jpeg": grey_jpeg(grey) if grey else None} for grey in greys
        ]
        unhashed = {"rows": rows, "kind": schema.FACES}
        return build(str(tmp_path), "faces", named_rows, [str(greys)], schema=schema.FACES, unhashed=unhashed).shards[0]

    assert embed_shard(shard_of(0, 150, 200), root=str(tmp_path), embedder=Broken(), batch=2)["x"].null_count == 1
    with pytest.raises(UserError, match=r"^broken.onnx gives .* not finite for 2 of 3 faces, such as face 50:"):
        embed_shard(shard_of(0, 150, 50, 60), root=str(tmp_path), embedder=Broken(), batch=2)


def test_an_embedder_is_named_by_its_file_and_flip_but_not_by_its_path(tmp_path: Path) -> None:
    here = channel_mean_model(tmp_path / "a.onnx", shape=["n", 3, 112, 112])
    (tmp_path / "b.onnx").write_bytes(Path(here).read_bytes())
    assert OnnxEmbedder(here).named_by == OnnxEmbedder(str(tmp_path / "b.onnx")).named_by
    assert OnnxEmbedder(here).named_by != OnnxEmbedder(here, "add").named_by


@pytest.mark.material
@pytest.mark.parametrize(("name", "raw"), [("ms1m", True), ("casia", False)])
def test_real_models_get_their_input_format_and_separate_people(material: Path, name: str, raw: bool) -> None:
    detector = OnnxDetector(str(material / "models/yunet_n_320_320.onnx"))
    embedder = OnnxEmbedder(str(material / f"models/arcface_mobilefacenet_{name}.onnx"))
    assert embedder_format(embedder.model).raw is raw
    people = sorted(p for p in (material / "lfw_pairs/images").iterdir() if len(list(p.iterdir())) >= 2)[:12]
    crops = []
    for person in people:
        for file in sorted(person.iterdir())[:2]:
            photo = cv2.imread(str(file))
            detected = detector(photo)
            main = main_face(detected, width=photo.shape[1], height=photo.shape[0])
            crops.append(align_face(photo, detected.landmarks[main]))
    x = embedder(np.stack(crops))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    cosines = x[::2] @ x[1::2].T
    same, different = np.diag(cosines), cosines[~np.eye(len(people), dtype=bool)]
    assert np.median(same) > 0.5
    assert np.percentile(different, 95) < 0.35
