"""InsightFace packs: the detector and the embedder in a pack are found."""

import shutil
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.faces import packs


@pytest.mark.material
def test_a_pack_has_a_detector_and_an_embedder(material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / ".insightface/models/buffalo_s"
    folder.mkdir(parents=True)
    for name in ("arcface_mobilefacenet_ms1m", "scrfd_500m"):
        shutil.copy(material / f"models/{name}.onnx", folder)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert packs.find_model("buffalo_s", "detector") == str(folder / "scrfd_500m.onnx")
    assert packs.find_model("buffalo_s", "embedder") == str(folder / "arcface_mobilefacenet_ms1m.onnx")
    (folder / "scrfd_500m.onnx").unlink()
    with pytest.raises(UserError, match="buffalo_s holds no detector"):
        packs.find_model("buffalo_s", "detector")


def test_a_pack_that_cannot_be_downloaded_raises_a_user_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> str:
        raise ConnectionError("no network")

    monkeypatch.setattr("insightface.utils.storage.ensure_available", fail)
    with pytest.raises(UserError, match=r"buffalo_l is not on this machine and cannot be downloaded .* give the path"):
        packs.find_model("buffalo_l", "detector")
