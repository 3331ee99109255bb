"""Vectors of erased people that were kept on purpose, by which further photos of them are found later.

ROOT/erasures/NNNN.vector.json is written only with --keep-vector: a vector is a person's biometric datum.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import UserError
from pipeline.faces.tombstones.tombstones import FOLDER
from pipeline.schema import digest
from pipeline.tables import storage
from pipeline.tables.digests import is_as_sealed, sealed

SUFFIX = ".vector.json"


def as_words(mean: NDArray[np.floating[Any]]) -> str:
    """A vector [d] as text: half precision in hexadecimal."""
    return np.asarray(mean, "<f2").tobytes().hex()


def write_vector(root: str, erasure: str, embedder: str, words: str) -> None:
    """Keep the vector of an erasure; embedder: digest_of_embedder() of the model that made it."""
    storage.put_json(root, f"{FOLDER}/{erasure}{SUFFIX}", sealed({"embedder": embedder, "vector": words}))


def kept_vectors(root: str, embedder: str) -> list[NDArray[np.float64]]:
    """The vectors [d] that were kept in a root and that this embedder made. Raises UserError for a damaged file."""
    vectors = []
    for name in storage.list_files(root, FOLDER):
        if name.endswith(SUFFIX) and "/." not in name:
            value = storage.get_json(root, name) or {}
            if not is_as_sealed(value):
                raise UserError(f"{root}/{name} is damaged: put it back from a backup, or remove it")
            if value["embedder"] == embedder:
                vectors.append(np.frombuffer(bytes.fromhex(value["vector"]), "<f2").astype(np.float64))
    return vectors


def digest_of_embedder(named_by: Sequence[Any]) -> str:
    """What stands for an embedder beside a vector of it."""
    return digest("embedder", *map(str, named_by))
