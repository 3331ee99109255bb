"""Some identities of a refinement as a data set of their own: its stored embeddings, refined without the others."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline import schema
from pipeline.noise import stages
from pipeline.noise.calibration import read_calibration
from pipeline.noise.scores.basis import CalibrationBasis
from pipeline.refined.labels import label
from pipeline.refined.scoring.known_truth import WRONG_LABEL, Truth
from pipeline.refined.scoring.score import score_columns
from pipeline.refined.scoring.scored_photos import ScoredPhotos
from pipeline.refinement import Refinement
from pipeline.sample.cases.few_identities import deal_photos
from pipeline.tables.build import build
from pipeline.tables.columns import vectors
from pipeline.tables.table import Table


class Counts(NamedTuple):
    """Photos of some identities: wrong labels found, all wrong labels, clean photos lost, all clean photos."""

    found: int
    wrong: int
    lost: int
    clean: int

    @property
    def f1(self) -> float:
        """Of the wrong labels found; 1 where there are none and no clean photo was lost."""
        return 2 * self.found / (self.found + self.lost + self.wrong) if self.wrong + self.lost else 1.0

    def plus(self, other: "Counts") -> "Counts":
        """The sums."""
        return Counts(*(a + b for a, b in zip(self, other, strict=True)))


class Subset(NamedTuple):
    """A refined subset: the counts of each of its original identities, its merges, and what its thresholds rest on."""

    counts: dict[str, Counts]
    merged: int  # persons under two identities that were merged
    to_merge: int
    basis: CalibrationBasis


class StoredFaces:
    """The photos, faces and embeddings of a refinement in memory, with the truth in the same order of rows."""

    def __init__(self, refinement: Refinement, truth: Truth, *, embedder: int) -> None:
        """Raises KeyError for a photo of the truth that the refinement lacks. embedder: 0 all, 1 or 2 only that one."""
        photos = refinement.photos.read()
        place = {key: row for row, key in enumerate(photos["key"].to_pylist())}
        rows = pa.array([place[key] for key in truth.keys], pa.int64())
        self.truth = truth
        self.photos, self.faces = photos.take(rows), refinement.faces.read().take(rows)
        used = refinement.embeddings if embedder == 0 else refinement.embeddings[embedder - 1 : embedder]
        self.embeddings = [table.read().take(rows) for table in used]
        self.claimed = np.array(truth.claimed, object)
        self.identities = sorted(set(truth.claimed))
        jpeg = self.faces.schema.get_field_index("jpeg")  # pictures are not read by any stage of noise
        self.faces = self.faces.set_column(jpeg, "jpeg", pa.nulls(len(rows), pa.binary()))

    def centres(self) -> NDArray[np.float64]:
        """The median vector of each identity's faces by the first embedder, as unit vectors [n, d]."""
        x = vectors(self.embeddings[0]["x"])[0].astype(np.float64)
        centres = np.array([np.median(x[self.claimed == name], axis=0) for name in self.identities])
        return np.asarray(centres / np.maximum(np.linalg.norm(centres, axis=1, keepdims=True), 1e-9))

    def sizes(self) -> NDArray[np.int64]:
        """The number of photos of each identity."""
        return np.array([int((self.claimed == name).sum()) for name in self.identities], np.int64)

    def refined(
        self, root: str, identities: Sequence[str], *, names_each: int = 1, references: Sequence[str] = ()
    ) -> Subset:
        """These identities refined as a data set of their own, in a root that may be empty.

        names_each: the photos of each are dealt to so many identities. references: identities of the same refinement
        that only the calibration uses.
        """
        rows = np.flatnonzero(np.isin(self.claimed, list(identities)))
        truth, names = self._dealt(rows, names_each)
        order = np.array(sorted(range(len(rows)), key=lambda i: (names[i], truth.keys[i])))
        tables = self._tables(root, rows[order], [names[i] for i in order])
        others = np.flatnonzero(np.isin(self.claimed, list(references)))
        further = self._tables(root, others, self.claimed[others].tolist())[2:] if len(others) else []
        noise = stages.find_noise(root, tables[1], tables[2:], references=[further] if further else ())
        labels = label(root, tables[0], noise, undecided="keep", min_faces=2).labels.read(["identity", "reason"])
        labels = labels.take(pa.array(np.argsort(order)))
        score = score_columns(labels, truth)
        basis = read_calibration(root, noise.calibration.shards[0]).basis
        return Subset(
            _counts(labels, truth, self.claimed[rows]), score.merged, score.persons_under_two_identities, basis
        )

    def _dealt(self, rows: NDArray[np.intp], names_each: int) -> tuple[Truth, list[str]]:
        """The truth about these rows as a data set of their own, and the identity that each claims in it."""
        t, row_of = self.truth, {int(row): i for i, row in enumerate(rows)}
        old = [
            {"path": t.keys[r], "claimed": t.claimed[r], "person": t.person[r], "kind": t.kind[r]}
            | {"of": t.keys[int(t.original[r])] if t.original[r] >= 0 else ""}
            for r in rows.tolist()
        ]
        dealt = deal_photos(old, {name: " ".join(persons) for name, persons in t.persons.items()}, names_each)
        original = np.array([row_of.get(int(t.original[r]), -1) for r in rows.tolist()], np.int64)
        claimed, kind = [row["claimed"] for row in dealt], [row["kind"] for row in dealt]
        persons = {row["claimed"]: t.persons[row["was"]] for row in dealt if row["was"] in t.persons}
        keys = [row["path"] for row in dealt]
        return Truth(claimed, [row["person"] for row in dealt], kind, original, persons, None, keys), claimed

    def _tables(self, root: str, rows: NDArray[np.intp], identities: Sequence[str]) -> list[Table]:
        """Photos, faces and embeddings of these rows under these identities [n], of one shard each."""
        name = schema.digest(*(self.truth.keys[r] for r in rows.tolist()), *identities)
        columns = [("photos", self.photos), ("faces", self.faces)]
        columns += [(f"embeddings_{e}", table) for e, table in enumerate(self.embeddings)]
        tables = []
        for kind, table in columns:
            part = table.take(pa.array(rows))
            claimed = pa.array(identities, pa.string())
            part = part.set_column(part.schema.get_field_index("identity"), "identity", claimed)
            unhashed = {"table": part}
            tables.append(build(root, kind, as_given, [name], schema=part.schema, unhashed=unhashed))
        return tables


def as_given(part: str, *, table: pa.Table) -> pa.Table:
    """The table; part: the digest that names it."""
    del part
    return table


def _counts(labels: pa.Table, truth: Truth, of: NDArray[np.object_]) -> dict[str, Counts]:
    """The counts of each original identity; of [n]: the one of each photo."""
    photos = ScoredPhotos(labels, truth)
    wrong, clean = photos.of(*WRONG_LABEL), photos.of("clean")
    masks = (photos.stopped() & wrong, wrong, (photos.removed_as_noise | photos.relabelled) & clean, clean)
    return {name: Counts(*(int(mask[of == name].sum()) for mask in masks)) for name in sorted(set(of.tolist()))}
