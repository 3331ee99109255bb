"""What is needed of each photo to match copies of a data set, as arrays: 29 bytes a photo, and its vector if wanted."""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.refined.patches.patch_file import VECTOR
from pipeline.sources.photo_names import folded_path
from pipeline.tables.columns import vectors

Words = NDArray[np.uint64]


@dataclass(frozen=True)
class IndexedPhotos:
    """n photos. A key or a digest that a photo lacks is 0; an identity that it lacks is -1."""

    keys: Words  # [n] digests of the keys, as they are compared
    shas: Words  # [n] the first 8 bytes of the SHA-256
    hashes: Words  # [n] perceptual hashes
    has_hash: NDArray[np.bool_]  # [n]
    identity: NDArray[np.int32]  # [n] the claimed identity, its place in `names`
    names: list[str]
    x: NDArray[np.float16] | None = None  # [n, d] unit vectors, zeros where there is none

    def __len__(self) -> int:
        return len(self.keys)


def index_photos(batches: Iterable[pa.Table], *, with_vectors: bool = False) -> IndexedPhotos:
    """The photos of rows with the columns key, before, sha256 and hash (see patch_file.PATCH), and VECTOR if wanted."""
    codes: dict[str, int] = {}
    parts: list[tuple[NDArray[np.generic], ...]] = []
    for rows in batches:
        shas = [int.from_bytes(sha[:8], "big") if sha is not None else 0 for sha in rows["sha256"].to_pylist()]
        identities = [-1 if name is None else codes.setdefault(name, len(codes)) for name in rows["before"].to_pylist()]
        parts.append(
            (
                np.array([_key(key) for key in rows["key"].to_pylist()], np.uint64),
                np.array(shas, np.uint64),
                rows["hash"].fill_null(0).to_numpy(),
                np.asarray(rows["hash"].is_valid()),
                np.array(identities, np.int32),
                *([vectors(rows[VECTOR])[0]] if with_vectors else []),
            )
        )
    if not parts:
        empty = np.zeros(0, np.uint64)
        return IndexedPhotos(empty, empty, empty, np.zeros(0, bool), np.zeros(0, np.int32), [])
    columns: list[Any] = [np.concatenate(column) for column in zip(*parts, strict=True)]
    keys, shas, hashes, has_hash, identity, *x = columns
    return IndexedPhotos(keys, shas, hashes, has_hash, identity, list(codes), x[0] if x else None)


def _key(key: str) -> int:
    """The digest of a key as it is compared: without its suffix, with composed letters; see folded_path()."""
    return int.from_bytes(blake2b(folded_path(key).encode("utf-8", "surrogateescape"), digest_size=8).digest(), "big")
