"""Names under which other programs store the weights of a network, and the same weights under this package's names.

Two layouts of IResNets are known; that of arcface_torch's MobileFaceNet and ViT is in arcface_torch_names.py. That of
insightface's arcface_torch (backbones/iresnet.py; the files of insightface's model zoo) names layers layer1 to layer4.
The IR networks of AdaFace (net.py) and CVLFace number the blocks of body; theirs differ in one place: the first block
has no convolution in its shortcut, only a stride, which is written here as a convolution that copies each channel.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from pipeline.errors import UserError
from trainer.backbones.iresnet import BLOCKS, EPS
from trainer.pretrained.arcface_torch_names import MBF_MARK, VIT_MARK, mbf_names, vit_names

# module names of this package by those of the layouts; a number of a block is added to both
ARCFACE = {
    r"conv1": "blocks.0.0",
    r"bn1": "blocks.0.1",
    r"prelu": "blocks.0.2",
    r"bn2": "head.norm",
    r"fc": "head.fc",
    r"features": "head.features",
}
ARCFACE_BLOCK = {
    "bn1": "residual.0",
    "conv1": "residual.1",
    "bn2": "residual.2",
    "prelu": "residual.3",
    "conv2": "residual.4",
    "bn3": "residual.5",
    "downsample.0": "shortcut.0",
    "downsample.1": "shortcut.1",
}
IR = {
    **{f"input_layer.{i}": f"blocks.0.{i}" for i in range(3)},
    "output_layer.0": "head.norm",
    "output_layer.3": "head.fc",
    "output_layer.4": "head.features",
}
COPYING_CONV, COPYING_NORM = "blocks.1.shortcut.0", "blocks.1.shortcut.1"  # the layers of the first block's shortcut
SE_BLOCK = "6"  # the squeeze-and-excitation of IR-SE, by its place in a block's residual branch
PREFIX = re.compile(r"^(module\.|backbone\.|model\.|net\.)")


class NamedWeights(NamedTuple):
    """The weights of a backbone under this package's names, and what is known of them.

    unmeasured: the batch norms of which the running statistics are not those of faces. notes: what is different from
    the file, for the line about it.
    """

    weights: dict[str, Tensor]
    backbone: str
    embedding: int
    unmeasured: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def rename(state: Mapping[str, Tensor], *, path: str) -> NamedWeights:
    """The weights of a network of another program; path: the file, for messages.

    Raises UserError for weights of another network.
    """
    plain, prefixes = _without_prefixes(state)
    if MBF_MARK in plain:
        weights, backbone = mbf_names(plain)
        return NamedWeights(weights, backbone, len(weights.get("head.7.weight", ())))
    if VIT_MARK in plain:
        weights, backbone = vit_names(plain)
        return NamedWeights(weights, backbone, len(weights.get("head.4.weight", ())))
    if "layer1.0.bn1.weight" in plain:
        return _named(_arcface_names(plain), [], path)
    if "input_layer.0.weight" in plain:
        weights, notes = _ir_names(plain), ["the head's batch norm has no scale and no shift: 1 and 0 are taken"]
        if prefixes == ["model."]:  # AdaFace's checkpoints of PyTorch Lightning; CVLFace's have net. before the layers
            weights["blocks.0.0.weight"] = weights["blocks.0.0.weight"].flip(1)
            notes.append("its input is taken to be BGR, as AdaFace's is")
        return _named(weights, notes, path)
    raise UserError(
        f"{path} holds no IResNet, MBF or ViT as arcface_torch, AdaFace or CVLFace name them (its first weight is "
        f"{next(iter(state), 'nothing')!r}): give such a file, a checkpoint of `refinery train`, or an ONNX file"
    )


def _without_prefixes(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """The tensors without the prefixes that wrapping modules gave their names, and these prefixes."""
    plain, prefixes = dict(state), []
    known = ("layer1.", "input_layer.", "conv_sep.", "patch_embed.")
    while plain and not any(name.startswith(known) for name in plain):
        found = {m[0] for name in plain if (m := PREFIX.match(name)) and any(k in name for k in known)}
        if len(found) != 1:
            break
        (prefix,) = found
        prefixes.append(prefix)
        plain = {name.removeprefix(prefix): t for name, t in plain.items() if name.startswith(prefix)}
    return plain, prefixes


def _arcface_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    counts = [
        1 + max((int(m[1]) for n in state if (m := re.match(rf"layer{k}\.(\d+)\.", n))), default=-1)
        for k in range(1, 5)
    ]
    weights = {}
    for name, tensor in state.items():
        module, _, kind = name.rpartition(".")
        if match := re.fullmatch(r"layer([1-4])\.(\d+)\.(.+)", module):
            block = 1 + sum(counts[: int(match[1]) - 1]) + int(match[2])
            module = f"blocks.{block}.{ARCFACE_BLOCK.get(match[3], match[3])}"
        else:
            module = ARCFACE.get(module, module)
        weights[f"{module}.{kind}"] = tensor
    return weights


def _ir_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    weights = {}
    for name, tensor in state.items():
        module, _, kind = name.rpartition(".")
        if match := re.fullmatch(r"body\.(\d+)\.(res_layer|shortcut_layer)\.(.+)", module):
            part = {"res_layer": "residual", "shortcut_layer": "shortcut"}[match[2]]
            module = f"blocks.{int(match[1]) + 1}.{part}.{match[3].replace('se_block', SE_BLOCK)}"
        elif module.startswith(("input_layer", "output_layer")):
            module = IR.get(module, module)
        else:
            continue  # AdaFace's classifier, head.kernel, and its running means of norms
        weights[f"{module}.{kind}"] = tensor
    return weights


def _named(weights: dict[str, Tensor], notes: list[str], path: str) -> NamedWeights:
    blocks = 1 + max((int(m[1]) for name in weights if (m := re.match(r"blocks\.(\d+)\.", name))), default=0)
    depths = [depth for depth, counts in BLOCKS.items() if sum(counts) == blocks - 1]
    if not depths or "head.fc.weight" not in weights:
        raise UserError(f"{path} holds a network of {blocks - 1} blocks, which is no IResNet: give another file")
    embedding = len(weights["head.fc.weight"])
    weights.setdefault("head.features.weight", torch.ones(embedding))
    weights.setdefault("head.features.bias", torch.zeros(embedding))
    unmeasured = []
    if "blocks.1.shortcut.0.weight" not in weights:
        channels = weights["blocks.1.residual.1.weight"].shape[1]
        weights |= copying_shortcut(channels)
        unmeasured.append(COPYING_NORM)
        notes.append("the shortcut of its first block becomes a convolution that copies")
    excited = "_se" if f"blocks.1.residual.{SE_BLOCK}.fc1.weight" in weights else ""
    return NamedWeights(weights, f"iresnet{depths[0]}{excited}", embedding, tuple(unmeasured), tuple(notes))


def copying_shortcut(channels: int) -> dict[str, Tensor]:
    """The weights of a first block's shortcut, a 1x1 convolution with batch norm, that give its input."""
    norm = {
        "weight": torch.full((channels,), (1 + EPS) ** 0.5),
        "bias": torch.zeros(channels),
        "running_mean": torch.zeros(channels),
        "running_var": torch.ones(channels),
        "num_batches_tracked": torch.tensor(0),
    }
    copying = torch.eye(channels)[:, :, None, None]
    return {f"{COPYING_CONV}.weight": copying, **{f"{COPYING_NORM}.{k}": v for k, v in norm.items()}}
