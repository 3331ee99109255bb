"""A model's embeddings of MegaFace's photos: read from a table or from the development kit's files, written to such."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from flows.evaluate.embeddings import unit_rows
from pipeline.errors import UserError
from pipeline.sources.test_sets import megaface_devkit
from pipeline.tables.columns import vectors
from pipeline.tables.table import Table

log = logging.getLogger("refinery")
Rows = NDArray[np.float32]


@dataclass(frozen=True)
class StoredEmbeddings:
    """A folder with embeddings in the development kit's format; its name is that of the model that made them."""

    folder: str


def is_stored(model: str) -> bool:
    """Whether a model's path is a folder of embeddings."""
    return Path(model, megaface_devkit.PROBES).is_dir() and Path(model, megaface_devkit.DISTRACTORS).is_dir()


class Block(NamedTuple):
    """A block of probes or of distractors: keys [n], people [n] (None for distractors), unit embeddings [n, d]; and
    which have a face [n]: the rows of the others are zeros."""

    keys: list[str]
    people: list[str | None]
    x: Rows
    has_face: NDArray[np.bool_]

    @property
    def keys_with_face(self) -> list[str]:
        """The keys of the photos that have a face."""
        return [key for key, has_face in zip(self.keys, self.has_face, strict=True) if has_face]


class Probes(NamedTuple):
    """The probes that have a face: keys [n], unit embeddings [n, d], people's numbers [n]; and how many have none.

    people: the person of each number.
    """

    keys: list[str]
    x: Rows
    person: NDArray[np.int64]
    missing: int
    people: list[str]


class MegaFaceEmbeddings:
    """One model's embeddings of the probes, and of the distractors block by block.

    photos: probes have an identity, distractors have none. The embeddings are either a table or stored.
    """

    def __init__(self, photos: Table, table: Table | None, stored: StoredEmbeddings | None) -> None:
        self._photos, self._table, self._stored = photos, table, stored
        self._stored_dim: int | None = None  # the length of the first stored embedding: all have the same

    def probes(self) -> Probes:
        """All probes with a face. Raises UserError where there is none."""
        blocks = list(self._blocks(named=True))
        keys = [key for block in blocks for key in block.keys_with_face]
        if not keys:
            raise UserError("the set holds no probe with a face: put probes into a folder for each person")
        people = [str(p) for b in blocks for p, has_face in zip(b.people, b.has_face, strict=True) if has_face]
        names, person = np.unique(people, return_inverse=True)
        missing = sum(int((~block.has_face).sum()) for block in blocks)
        x = np.concatenate([block.x[block.has_face] for block in blocks])
        return Probes(keys, x, person.astype(np.int64), missing, names.tolist())

    def distractors(self) -> Iterator[tuple[list[str], Rows]]:
        """Keys [n] and unit embeddings [n, d] of the distractors that have a face, block by block."""
        for block in self._blocks(named=False):
            yield block.keys_with_face, block.x[block.has_face]

    def _blocks(self, *, named: bool) -> Iterator[Block]:
        photo_shards = self._photos.batches(["key", "identity"])
        embedding_shards = self._table.batches(["x"]) if self._table else (None for _ in self._photos.shards)
        for photos, embeddings in zip(photo_shards, embedding_shards, strict=True):
            wanted = np.asarray(photos["identity"].is_valid()) == named
            rows = photos.filter(wanted)
            keys, people = rows["key"].to_pylist(), rows["identity"].to_pylist()
            if not keys:
                continue
            if embeddings is None:
                x, has_face = self._read_stored(keys, named=named)
            else:
                x, has_face = (column[wanted] for column in vectors(embeddings["x"]))
            yield Block(keys, people, unit_rows(x), has_face)

    def _read_stored(self, keys: list[str], *, named: bool) -> tuple[Rows, NDArray[np.bool_]]:
        """The stored embeddings of photos [n, d], and which are not all zeros [n]."""
        assert self._stored is not None  # noqa: S101  where there is no table, embeddings are stored
        folder, kind = self._stored.folder, megaface_devkit.PROBES if named else megaface_devkit.DISTRACTORS
        embeddings = []
        for key in keys:
            file = megaface_devkit.embedding_path(folder, kind, key, Path(folder).name)
            x = megaface_devkit.read_embedding(file, dim=self._stored_dim)
            self._stored_dim = len(x)
            embeddings.append(x)
        rows: Rows = np.stack(embeddings)
        return rows, np.asarray(rows.any(1), bool)


def write_devkit_files(folder: Path, model: str, embeddings: MegaFaceEmbeddings, probes: Probes) -> None:
    """Write a model's embeddings as the development kit reads them, and the lists of the photos with a face."""
    _write_embeddings(folder, megaface_devkit.PROBES, model, probes.keys, probes.x)
    megaface_devkit.write_list(folder, megaface_devkit.PROBES, probes.keys, [str(p) for p in probes.person.tolist()])
    distractors: list[str] = []
    for keys, x in embeddings.distractors():
        distractors += keys
        _write_embeddings(folder, megaface_devkit.DISTRACTORS, model, keys, x)
    megaface_devkit.write_list(folder, megaface_devkit.DISTRACTORS, distractors)
    log.info("%s: %d embeddings for the development kit", folder, len(probes.keys) + len(distractors))


def _write_embeddings(folder: Path, kind: str, model: str, keys: list[str], x: Rows) -> None:
    for key, row in zip(keys, x, strict=True):
        megaface_devkit.write_embedding(megaface_devkit.embedding_path(folder, kind, key, model), row)
