"""A published backbone: the same bytes each time, the same network again, and damaged files as one line."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from pipeline.errors import UserError
from trainer.checkpoint import build_backbone
from trainer.pretrained.start import Start, load_start
from trainer.run import Run
from trainer.safetensors_file import described_run, load_backbone, save_backbone

RUN = Run(backbone="sample", embedding=16, input="3x56x56", seed=3, batch=8)


def test_the_network_comes_back_and_says_what_it_is(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = build_backbone(RUN).eval()
    save_backbone(net, RUN, tmp_path / "a.safetensors")
    save_backbone(net.to(memory_format=torch.channels_last), RUN, tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    with safe_open(str(tmp_path / "a.safetensors"), "pt") as file:
        (text,) = file.metadata().values()  # several entries would be written in any order
    assert json.loads(text) == {"backbone": "sample", "embedding": 16, "input": "3x56x56"}
    again, run = load_backbone(tmp_path / "a.safetensors")
    assert (run.backbone, run.embedding, run.input, run.seed) == ("sample", 16, "3x56x56", 0)
    x = torch.rand(3, 3, 56, 56)
    assert not again.training
    assert torch.allclose(again(x), net(x), atol=1e-6)


def test_a_training_starts_from_it(tmp_path: Path) -> None:
    save_backbone(build_backbone(RUN), RUN, tmp_path / "model.safetensors")
    start, faces = Start(str(tmp_path / "model.safetensors")), torch.rand(2, 3, 56, 56)
    net = build_backbone(RUN)
    loaded = load_start(start, RUN, net, faces=faces, names=(), digest="")
    assert loaded.line.endswith("the backbone (sample) is loaded; the classifier is new")
    assert torch.equal(net(faces), load_backbone(tmp_path / "model.safetensors")[0](faces))
    other = Run(backbone="sample", embedding=32, input="3x56x56")
    with pytest.raises(UserError, match="holds a network of embedding 16: give the same"):
        load_start(start, other, build_backbone(other), faces=faces, names=(), digest="")


def test_other_and_damaged_files_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    with pytest.raises(UserError, match="there is no"):
        load_backbone(path)
    save_file({"weight": torch.zeros(2)}, path)
    assert described_run(path) is None
    with pytest.raises(UserError, match="does not say which network it holds"):
        load_backbone(path)
    for text in ("{", '{"backbone": "sample"}', '{"backbone": "vgg", "embedding": 8, "input": "3x56x56"}', "[]", "7"):
        save_file({"weight": torch.zeros(2)}, path, {"face_embedder": text})
        with pytest.raises(UserError):
            load_backbone(path)
    net = build_backbone(RUN)
    save_backbone(net, RUN, path)
    whole = path.read_bytes()
    for size in (0, 7, 100, len(whole) - 3):
        path.write_bytes(whole[:size])
        with pytest.raises(UserError, match="is not a model of a training, or is damaged"):
            load_backbone(path)
    with torch.no_grad():
        next(net.parameters()).fill_(np.nan)
    save_backbone(net, RUN, path)
    with pytest.raises(UserError, match="not finite"):
        load_backbone(path)
