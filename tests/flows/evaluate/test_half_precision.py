"""A model in half precision: used like the full one, and the change of its cosines is measured."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from flows.evaluate.flow import evaluate
from flows.evaluate.half_precision import half_precision
from pipeline.errors import UserError
from pipeline.faces.embed import OnnxEmbedder
from pipeline.sample.models import DETECTOR, EMBEDDER


@pytest.mark.slow
def test_the_figures_are_those_of_evaluate_and_cosines_hardly_move(drawn_world: Path, tmp_path: Path) -> None:
    options = {"cache": str(tmp_path / "cache"), "detector": str(DETECTOR)}
    out, test = tmp_path / "new/half.onnx", str(drawn_world / "test")
    conversion = half_precision(str(EMBEDDER), out, [test], **options)
    assert out.stat().st_size == conversion.bytes_half < 0.6 * conversion.bytes_full
    kinds = {w.data_type for w in onnx.load(out).graph.initializer}
    assert onnx.TensorProto.FLOAT16 in kinds
    assert onnx.TensorProto.FLOAT not in kinds
    (change,) = conversion.changes
    assert 0 < change.moved_99 <= change.moved_most < 0.01
    figures = evaluate(str(EMBEDDER), [test], against=[str(out)], draws=0, **options).figures
    values = {(f.model, f.figure): f.value for f in figures if not f.against}
    for name, (before, now) in change.figures.items():
        assert before == pytest.approx(values[EMBEDDER.stem, name])
        assert now == pytest.approx(values["half", name])
    assert any("pairs move by" in line for line in conversion.lines())


def test_without_a_test_set_it_is_written_and_gives_vectors_that_point_the_same_way(tmp_path: Path) -> None:
    conversion = half_precision(str(EMBEDDER), tmp_path / "half.onnx")
    assert conversion.rows() == []
    faces = np.random.default_rng(0).integers(0, 256, (3, 112, 112, 3)).astype(np.uint8)
    a, b = OnnxEmbedder(str(EMBEDDER))(faces), OnnxEmbedder(str(tmp_path / "half.onnx"))(faces)
    assert a.shape == b.shape
    assert not np.array_equal(a, b)
    cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    assert cosine.min() > 0.999
    assert OnnxEmbedder(str(tmp_path / "half.onnx")).named_by != OnnxEmbedder(str(EMBEDDER)).named_by


def test_broken_models_and_changed_layouts_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.faces.half_precision.MAX_BYTES", 1000)
    with pytest.raises(UserError, match="is larger than"):
        half_precision(str(EMBEDDER), tmp_path / "a.onnx")
    monkeypatch.undo()

    def fails(*_: object, **__: object) -> None:
        raise ValueError("an operator of its own\nand more")

    monkeypatch.setattr("onnxruntime.transformers.float16.convert_float_to_float16", fails)
    with pytest.raises(UserError, match=r"cannot be converted to half precision \(an operator of its own\)"):
        half_precision(str(EMBEDDER), tmp_path / "a.onnx")
    monkeypatch.undo()
    monkeypatch.setattr("flows.evaluate.half_precision.embedder_format", lambda model: model)
    with pytest.raises(UserError, match="would take its faces in another format"):
        half_precision(str(EMBEDDER), tmp_path / "a.onnx")


def test_models_that_cannot_be_converted_are_one_line(tmp_path: Path) -> None:
    half_precision(str(EMBEDDER), tmp_path / "half.onnx")
    for model, out, message in (
        (str(tmp_path / "half.onnx"), "again.onnx", "no weights in single precision"),
        (str(tmp_path / "half.onnx"), "half.onnx", "is the model itself"),
        (str(DETECTOR), "b.onnx", "not an embedder"),
        ("last.pt", "b.onnx", "is a checkpoint"),
        (str(tmp_path / "none.onnx"), "b.onnx", "is not there"),
    ):
        with pytest.raises(UserError, match=message):
            half_precision(model, tmp_path / out)
        assert not (tmp_path / "b.onnx").exists()
