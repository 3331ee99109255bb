"""The embedder of a checkpoint or safetensors: it embeds as the ONNX model does, and computes on one thread."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.errors import UserError
from pipeline.faces.embed import OnnxEmbedder
from trainer import checkpoint
from trainer import embedder as embedder_module
from trainer.embedder import Embedder
from trainer.safetensors_file import save_backbone
from trainer.train import TrainingResult


@pytest.mark.parametrize("flip", ["none", "add", "concatenate"])
def test_a_checkpoint_and_safetensors_embed_like_the_onnx(trained: TrainingResult, tmp_path: Path, flip: str) -> None:
    net, run = checkpoint.load_backbone(trained.checkpoint)
    save_backbone(net, run, tmp_path / "model.safetensors")
    faces = np.random.default_rng(0).integers(0, 256, (9, 112, 112, 3), dtype=np.uint8)
    ours, theirs = Embedder(str(trained.checkpoint), flip), OnnxEmbedder(str(trained.onnx), flip)
    a, b = ours(faces), theirs(faces)
    assert ours.dim == theirs.dim == a.shape[1]
    cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    assert cosine.min() > 1 - 1e-5
    assert ours(faces[:0]).shape == (0, ours.dim)
    published = Embedder(str(tmp_path / "model.safetensors"), flip)
    assert (published(faces) == a).all()
    assert published.dim == ours.dim
    assert a == pytest.approx(b, abs=1e-4)


def test_an_embedder_computes_on_one_thread_and_other_threads_keep_their_number(trained: TrainingResult) -> None:
    faces = np.zeros((2, 112, 112, 3), np.uint8)

    def threads() -> tuple[int, int]:
        before = torch.get_num_threads()
        Embedder(str(trained.checkpoint))(faces)
        return before, torch.get_num_threads()

    torch.set_num_threads(2)
    try:
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(threads).result() == (2, 1)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)


def test_a_card_that_was_asked_for_is_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedder_module, "card_is_usable", lambda: False)
    assert not Embedder("none.pt").on_card
    with pytest.raises(UserError, match=r"^device cuda:1: torch cannot use a card here .* `make EXTRA=gpu install`"):
        Embedder("none.pt", device="cuda:1")(np.zeros((1, 112, 112, 3), np.uint8))
