"""Embeddings made from bytes are those of the processor's own path: layouts, flips, fixed batches, half precision."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.faces.accelerator.devices import Device
from pipeline.faces.accelerator.face_network import run_faces
from pipeline.faces.accelerator.model_graphs import InputFormat
from pipeline.faces.embed import OnnxEmbedder
from pipeline.faces.half_precision import write_half_precision
from pipeline.sample.models import EMBEDDER
from tests.builders.channel_mean_model import channel_mean_model
from tests.builders.quality_model import red_mean_model


def faces(n: int = 5) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (n, 112, 112, 3), dtype=np.uint8)


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("flip", ["none", "add", "concatenate"])
@pytest.mark.parametrize(
    ("shape", "first"),
    [
        (["n", 3, 112, 112], True),
        (["n", 112, 112, 3], False),
        ([2, 3, 112, 112], True),
        ([1, 3, 112, 112], True),
    ],
)
def test_bytes_give_the_embeddings_of_floats(tmp_path: Path, shape: list, first: bool, flip: str, raw: bool) -> None:
    embedder = OnnxEmbedder(channel_mean_model(tmp_path / "m.onnx", shape=shape, raw=raw, first=first), flip)
    assert np.allclose(embedder.embed_batch(faces()), embedder(faces()), rtol=0, atol=1e-6)
    assert embedder.embed_batch(faces(0)).shape == (0, embedder.dim)


def test_a_face_quality_model_gets_the_same_input(tmp_path: Path) -> None:
    path = red_mean_model(tmp_path / "q.onnx")
    means = run_faces(path, InputFormat(127.5, 127.5), Device("cpu"), faces())
    assert np.allclose(means[:, 0], (faces()[..., 2].astype(float).mean((1, 2)) - 127.5) / 127.5, atol=1e-6)


def test_an_embedder_in_half_precision_gives_the_same_vectors_in_batches(tmp_path: Path) -> None:
    write_half_precision(str(EMBEDDER), tmp_path / "half.onnx")
    half = OnnxEmbedder(str(tmp_path / "half.onnx"), "add")
    alone = half(faces())
    assert np.allclose(half.embed_batch(faces()), alone, rtol=0, atol=2e-3 * np.abs(alone).max())


@pytest.mark.material
@pytest.mark.parametrize("name", ["ms1m", "casia"])
def test_real_embedders_give_the_same_vectors_in_batches(material: Path, name: str) -> None:
    embedder = OnnxEmbedder(str(material / f"models/arcface_mobilefacenet_{name}.onnx"), "add")
    alone = embedder(faces(3))
    assert np.allclose(embedder.embed_batch(faces(3)), alone, rtol=0, atol=1e-5 * np.abs(alone).max())
