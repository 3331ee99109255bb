"""Test sets during a training: pair sets in memory's reach, measured by the network as it is at that moment."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from trainer.embedder import embed
from trainer.evaluation.pair_set import load_pairs
from trainer.evaluation.verification import model_cosines, verify
from trainer.run import Run


def examine(net: nn.Module, run: Run, exams: Mapping[str, Path]) -> dict[str, dict[str, float]]:
    """The accuracy and TAR of each test set, a folder of faces.parquet and pairs.parquet by name.

    The network is in training again afterwards.
    """
    net.eval()

    def vectors(faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        return embed(net, run, faces)

    try:
        return {name: _figures(folder, vectors) for name, folder in exams.items()}
    finally:
        net.train()


def _figures(folder: Path, embed: Callable[[NDArray[np.uint8]], NDArray[np.float32]]) -> dict[str, float]:
    pairs = load_pairs(folder)
    found = verify(model_cosines(pairs, embed), pairs.same, pairs.fold, unit=pairs.unit, samples=0)
    return {"accuracy": found.accuracy, **{f"TAR@FAR={far:g}": tar for far, tar in found.tar.items()}}
