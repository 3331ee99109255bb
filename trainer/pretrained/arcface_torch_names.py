"""The names that insightface's arcface_torch gives the weights of its `mbf`, `vit_t` and `vit_s`, in this package's."""

import re
from collections.abc import Callable, Mapping

from torch import Tensor

from trainer.backbones.vit import DEPTH, WIDTHS

MBF_MARK, VIT_MARK = "conv_sep.layers.0.weight", "patch_embed.proj.weight"  # names that the files of each have
FIRST_BLOCK = {2: 1, 3: 2, 4: 6, 5: 7, 6: 13, 7: 14}  # of mbf's numbered parts that hold bottlenecks
MBF: dict[str, Callable[[re.Match[str]], str]] = {
    r"layers\.([01])\.layers\.(\d)": lambda m: f"blocks.0.{3 * int(m[1]) + int(m[2])}",
    r"layers\.([246])\.layers\.(\d)\.layers\.(\d)": lambda m: _bottleneck(m[1], 0, m[2], m[3]),
    r"layers\.([357])\.layers\.(\d)\.layers\.(\d)\.layers\.(\d)": lambda m: _bottleneck(m[1], int(m[2]), m[3], m[4]),
    r"conv_sep\.layers\.(\d)": lambda m: f"head.{m[1]}",
    r"features\.layers\.0\.layers\.(\d)": lambda m: f"head.{3 + int(m[1])}",
    r"features\.layers\.([23])": lambda m: f"head.{5 + int(m[1])}",
}
VIT_BLOCK = {
    "norm1": "attention.0",
    "attn.qkv": "attention.1.qkv",
    "attn.proj": "attention.1.project",
    "norm2": "mlp.0",
    "mlp.fc1": "mlp.1",
    "mlp.fc2": "mlp.3",
}
VIT_HEAD = {"0": "1", "1": "2", "2": "4", "3": "5"}
VIT: dict[str, Callable[[re.Match[str]], str]] = {
    r"patch_embed\.proj": lambda _: "blocks.0.project",
    r"blocks\.(\d+)\.(.+)": lambda m: f"blocks.{int(m[1]) + 1}.{VIT_BLOCK.get(m[2], m[2])}",
    r"norm": lambda _: f"blocks.{DEPTH + 1}.norm",
    r"feature\.([0-3])": lambda m: f"head.{VIT_HEAD[m[1]]}",
}
VIT_TENSORS = {"pos_embed": "blocks.0.place", "mask_token": f"blocks.{DEPTH + 1}.left_out"}


def mbf_names(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], str]:
    """The weights of an mbf under this package's names, and its name here. Unknown names stay as they are."""
    return {_renamed(name, MBF): tensor for name, tensor in state.items()}, "mobilefacenet_large"


def vit_names(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], str]:
    """The weights of a ViT under this package's names, and its name here; "vit" for one of another width."""
    width = len(state[VIT_MARK])
    backbone = next((f"vit_{name}" for name, w in WIDTHS.items() if w == width), "vit")
    return {VIT_TENSORS.get(name) or _renamed(name, VIT): tensor for name, tensor in state.items()}, backbone


def _renamed(name: str, table: Mapping[str, Callable[[re.Match[str]], str]]) -> str:
    module, _, kind = name.rpartition(".")
    match = next((m for pattern in table if (m := re.fullmatch(pattern, module))), None)
    return f"{table[match.re.pattern](match)}.{kind}" if match else name


def _bottleneck(part: str, number: int, layer: str, of_layer: str) -> str:
    return f"blocks.{FIRST_BLOCK[int(part)] + number}.residual.{3 * int(layer) + int(of_layer)}"
