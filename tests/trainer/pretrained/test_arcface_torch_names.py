"""The MobileFaceNet and the ViT of arcface_torch: their files give the same embeddings in this package's networks."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from pipeline.errors import UserError
from tests.builders.other_iresnets import trained
from tests.builders.other_mobile_and_vit import Mbf, VitT
from tests.builders.processes.trainings import SMALL
from trainer.pretrained.layouts import rename
from trainer.pretrained.teacher import load_teacher

FACES = torch.rand(6, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.mark.parametrize(
    ("make", "backbone"),
    [(lambda: Mbf(embedding=24, side=2), "mobilefacenet_large"), (lambda: VitT(embedding=24, side=3), "vit_t")],
)
def test_a_file_gives_its_networks_embeddings(make: Callable[[], nn.Module], backbone: str, tmp_path: Path) -> None:
    net = trained(make(), FACES)
    torch.save({"state_dict_backbone": {f"module.{n}": t for n, t in net.state_dict().items()}}, tmp_path / "net.pt")
    named = rename({f"module.{n}": t for n, t in net.state_dict().items()}, path="net.pt")
    assert (named.backbone, named.embedding, named.unmeasured) == (backbone, 24, ())
    features = load_teacher(str(tmp_path / "net.pt"), replace(SMALL, input="3x32x32"), torch.device("cpu")).features
    expected = net(FACES).detach()
    torch.testing.assert_close(features(FACES), expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))


def test_another_vit_is_refused(tmp_path: Path) -> None:
    """It has the width of vit_t, and more blocks."""
    net = VitT(embedding=24, side=3)
    net.blocks.append(net.blocks[0])
    torch.save(net.state_dict(), tmp_path / "net.pt")
    with pytest.raises(UserError, match=r"net.pt does not fit the backbone"):
        load_teacher(str(tmp_path / "net.pt"), replace(SMALL, input="3x32x32"), torch.device("cpu"))
