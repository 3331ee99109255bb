"""MegaFace in `refinery evaluate`: probes among distractors, by a model or by vectors of the development kit.

The figures are those of the lists as they came and, where facescrub_noises.txt and megaface_noises.txt lie in the
folder, of the refined ones. Trillion-Pairs asks the same of other photos: TAR at FAR 1e-9, and mates that come first.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flows.evaluate.embeddings import embed_test_faces, unit_rows
from flows.evaluate.megaface_noise_lists import DISTRACTORS, PROBES, as_listed, listed
from flows.evaluate.pair_sets import Unseeing
from flows.evaluate.results import Asked, Figure
from flows.refine.tables import build_faces, build_photos
from pipeline.errors import UserError
from pipeline.faces.detect import OnnxDetector
from pipeline.faces.protocols import FaceEmbedder
from pipeline.sources.index import Source
from pipeline.sources.test_sets import megaface_devkit
from pipeline.tables.build import Workers
from pipeline.tables.columns import vectors
from pipeline.tables.table import Table
from trainer.evaluation.identification import FARS, FPR, Identification, identify, replace_noisy_probes

log = logging.getLogger("refinery")
Rows = NDArray[np.float32]
FEWEST = 10  # impostors that may pass, below which a rate says little


@dataclass(frozen=True)
class Stored:
    """Vectors of the development kit in a folder of that model's name, in place of a model."""

    folder: str


def is_stored(model: str) -> bool:
    """Whether a model's path is a folder of vectors."""
    return Path(model, megaface_devkit.PROBES).is_dir() and Path(model, megaface_devkit.DISTRACTORS).is_dir()


def recognise(path: str) -> bool:
    """Whether a folder holds distractors under their photographers (375/37531198@N00), at most two folders down."""
    root = Path(path)
    return root.is_dir() and any(any(root.glob(f"{above}[0-9]*/*@N*")) for above in ("", "*/"))


def measure(
    root: str,
    models: Mapping[str, FaceEmbedder | Stored],
    path: str,
    *,
    detector: str = "",
    aligned: bool = False,
    features: str = "",
    draws: int = 1000,
    seed: int = 0,
    workers: Workers = None,
) -> tuple[list[Figure], list[Asked]]:
    """Each model's figures on the probes and distractors in a folder; features: where to write its vectors to.

    Photos without a face are left out and told. Raises UserError for a set without probes or distractors.
    """
    name = Path(path).absolute().name
    taken, where = build_photos(root, [Source(name, "megaface", str(Path(path).absolute()))], workers=workers)
    faces = None
    if any(not isinstance(m, Stored) for m in models.values()):  # stored vectors need no faces
        finder = Unseeing() if aligned else OnnxDetector(detector)
        faces = build_faces(root, taken, where, finder, aligned=aligned, workers=workers)
    noise = {n: listed(Path(path, n)) for n in (PROBES, DISTRACTORS) if Path(path, n).is_file()}
    figures: list[Figure] = []
    asked: dict[str, Asked] = {}
    for title, model in models.items():
        stored = model if isinstance(model, Stored) else None
        table = (
            embed_test_faces(root, faces, model, workers=workers) if faces and not isinstance(model, Stored) else None
        )
        found = _Vectors(taken, table, stored)
        keys, x, person = found.probes()
        if features and table is not None:
            _write(Path(features, title), title, keys, x, person, found)
        lost = found.lost
        for kind in ("", " refined") if noise else ("",):
            known = {n: noise.get(n, set()) if kind else set() for n in (PROBES, DISTRACTORS)}
            wrong = np.array([as_listed(k, 1) in known[PROBES] for k in keys], bool)
            done = identify(replace_noisy_probes(x, person, wrong), person, found.distractors(known[DISTRACTORS]))
            log.info("%s%s: %s identified among %d distractors", name, kind, title, done.sizes[-1])
            figures += list(_figures(f"{name}{kind}", title, done, draws=draws, seed=seed))
            asked[f"{name}{kind}"] = Asked(f"{name}{kind}", path, done.pairs, done.pairs, lost)
    return figures, list(asked.values())


class _Vectors:
    """A model's vectors of the probes, and of the distractors block by block."""

    def __init__(self, photos: Table, table: Table | None, stored: Stored | None) -> None:
        self.photos, self.table, self.stored = photos, table, stored
        self.lost, self.dim = 0, None if stored else -1

    def probes(self) -> tuple[list[str], Rows, NDArray[np.int64]]:
        """Keys [n], unit vectors [n, d] and the numbers of the people of the probes that have a face."""
        keys: list[str] = []
        people: list[str] = []
        parts: list[Rows] = []
        for said, names, x, there in self._parts(named=True):
            self.lost += int((~there).sum())
            keys += [k for k, t in zip(said, there, strict=True) if t]
            people += [str(n) for n, t in zip(names, there, strict=True) if t]
            parts.append(x[there])
        if not keys:
            raise UserError("the set holds no probe with a face: probes lie in folders of their person's name")
        return keys, np.concatenate(parts), np.unique(people, return_inverse=True)[1].astype(np.int64)

    def distractors(self, noisy: set[str]) -> Iterator[Rows]:
        """Blocks of unit vectors; a noisy one is zeros, which never match."""
        for keys, x in self.named_distractors():
            wrong = np.array([as_listed(k, 3) in noisy for k in keys], bool)
            yield np.where(wrong[:, None], np.float32(0), x)

    def named_distractors(self) -> Iterator[tuple[list[str], Rows]]:
        """Keys [n] and unit vectors [n, d] of the distractors that have a face."""
        for said, _, x, there in self._parts(named=False):
            yield [k for k, t in zip(said, there, strict=True) if t], x[there]

    def _parts(self, *, named: bool) -> Iterator[tuple[list[str], list[str | None], Rows, NDArray[np.bool_]]]:
        """Keys, people, unit vectors and whether there is one, of probes or of distractors, part by part."""
        columns = self.photos.batches(["key", "identity"])
        embedded = self.table.batches(["x"]) if self.table else (None for _ in self.photos.shards)
        for rows, part in zip(columns, embedded, strict=True):
            wanted = np.asarray(rows["identity"].is_valid()) == named
            keys = [k for k, w in zip(rows["key"].to_pylist(), wanted, strict=True) if w]
            people = [n for n, w in zip(rows["identity"].to_pylist(), wanted, strict=True) if w]
            if not keys:
                continue
            if part is None:
                x, there = self._stored(keys, megaface_devkit.PROBES if named else megaface_devkit.DISTRACTORS)
            else:
                x, there = vectors(part["x"])
                x, there = x[wanted], there[wanted]
            yield keys, people, unit_rows(x), there

    def _stored(self, keys: list[str], kind: str) -> tuple[Rows, NDArray[np.bool_]]:
        assert self.stored is not None  # noqa: S101  the caller knows
        name = Path(self.stored.folder).name
        found = []
        for key in keys:
            x = megaface_devkit.read_vector(
                megaface_devkit.vector_path(self.stored.folder, kind, key, name), dim=self.dim
            )
            self.dim = len(x)
            found.append(x)
        rows: Rows = np.stack(found)
        return rows, np.asarray(rows.any(1), bool)


def _write(folder: Path, name: str, keys: list[str], x: Rows, person: NDArray[np.int64], found: _Vectors) -> None:
    """All vectors of a model, and the lists that say which there are."""
    for key, row in zip(keys, x, strict=True):
        megaface_devkit.write_vector(megaface_devkit.vector_path(folder, megaface_devkit.PROBES, key, name), row)
    megaface_devkit.write_list(folder, megaface_devkit.PROBES, keys, [str(p) for p in person.tolist()])
    others: list[str] = []
    for said, rows in found.named_distractors():
        others += said
        for key, row in zip(said, rows, strict=True):
            megaface_devkit.write_vector(
                megaface_devkit.vector_path(folder, megaface_devkit.DISTRACTORS, key, name), row
            )
    megaface_devkit.write_list(folder, megaface_devkit.DISTRACTORS, others)
    log.info("%s: %d vectors for the development kit", folder, len(keys) + len(others))


def _figures(test: str, title: str, done: Identification, *, draws: int, seed: int) -> Iterator[Figure]:
    def figure(name: str, value: tuple[float, float, float] | None, passing: float = np.inf) -> Iterator[Figure]:
        if value is not None:
            low, high = value[1:] if draws else (None, None)
            few = f"{passing:.3g} impostors may pass: too few to say" if passing < FEWEST else ""
            yield Figure(test, name, title, "", value[0], low, high, few)

    for size in done.sizes:
        for k in (1, 10):
            yield from figure(f"rank-{k} of {size:,}", done.rank(k, size, samples=draws, seed=seed))
    for far in FARS:
        yield from figure(f"TAR@FAR={far:g}", done.tar(far, samples=draws, seed=seed), far * done.impostor_pairs)
    yield from figure(f"first at FPR={FPR:g}", done.first_at_fpr(samples=draws, seed=seed), FPR * done.probes)
