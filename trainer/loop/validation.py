"""Measures test sets of pairs during a training, with the current weights of the network."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from trainer.embedder import embed_faces
from trainer.evaluation.pair_set import load_pairs
from trainer.evaluation.verification import model_cosines, verify
from trainer.run import Run


def validate(net: nn.Module, run: Run, test_sets: Mapping[str, Path]) -> dict[str, dict[str, float]]:
    """The accuracy and TAR at FAR of each test set, by its name and the figure's name.

    test_sets: the folder of each test set (see evaluation.pair_set) by its name. The network is put into evaluation
    mode for the measurement, and back into its mode afterwards.
    """
    was_training = net.training
    net.eval()

    def embed(faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        return embed_faces(net, run, faces)

    try:
        return {name: _figures(folder, embed) for name, folder in test_sets.items()}
    finally:
        net.train(was_training)


def _figures(folder: Path, embed: Callable[[NDArray[np.uint8]], NDArray[np.float32]]) -> dict[str, float]:
    pairs = load_pairs(folder)
    verified = verify(model_cosines(pairs, embed), pairs.same, pairs.fold, unit=pairs.unit, samples=0)
    return {"accuracy": verified.accuracy, **{f"TAR@FAR={far:g}": tar for far, tar in verified.tar.items()}}
