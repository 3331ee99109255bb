"""Reads a file of weights: safetensors, or a file of torch.save with tensors and plain values in it.

torch's restricted unpickler reads the latter, which runs no code; a file with other objects in it is refused.
"""

import pickle
import struct
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from pipeline.errors import UserError, first_line

# under which the weights of a backbone lie in the checkpoints of other programs: PyTorch Lightning, arcface_torch
NESTED = ("state_dict_backbone", "state_dict", "model", "backbone", "net")
# what torch and safetensors raise for bytes that they cannot read: torch's unpickler takes any file for a pickle
DAMAGED = (
    OSError,
    RuntimeError,
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    MemoryError,
    struct.error,
    SafetensorError,
)


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a file by name.

    Raises UserError where there is no such file, where it holds other objects than tensors and plain values, and where
    it holds no tensors.
    """
    path = Path(path)
    try:
        content = load_file(path) if path.suffix == ".safetensors" else _load(path)
    except FileNotFoundError:
        raise UserError(f"there is no {path}: give a file of weights") from None
    except pickle.UnpicklingError:
        raise UserError(
            f"{path} is damaged, or holds objects that are no tensors, which are not read because they may run code: "
            "give a file of the weights alone (a state_dict, or safetensors)"
        ) from None
    except DAMAGED as error:
        raise UserError(f"{path} is not a file of weights, or is damaged ({first_line(error)}): give another") from None
    tensors = _tensors(content)
    if not tensors:
        raise UserError(f"{path} holds no weights by name: give a file of a state_dict")
    return tensors


def _load(path: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # about the pickle's protocol
        return torch.load(path, map_location="cpu", weights_only=True)


def _tensors(content: Any) -> dict[str, Tensor]:
    """The tensors of a mapping, or of the mapping that lies in it under one of the known names."""
    if not isinstance(content, Mapping):
        return {}
    for name in NESTED:
        if isinstance(content.get(name), Mapping):
            return _tensors(content[name])
    return {
        str(name): t.float() if t.is_floating_point() else t for name, t in content.items() if isinstance(t, Tensor)
    }
