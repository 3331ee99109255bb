"""All identities of a refinement in figures, to be searched, sorted and shown by page."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.browse.snapshot import Snapshot
from pipeline.errors import UserError
from pipeline.noise.scores.fusion import fuse

Floats = NDArray[np.float64]
# by the name of an order: what it sorts by, in words; the highest comes first, of equal ones the name decides
ORDERS = {
    "removed": "most removed",
    "suspicious": "most suspicious: photos kept that are expected to be wrong",
    "size": "largest",
    "cohesion": "least cohesive",
    "two_persons": "likely two persons",
    "twin": "likely one person with another name",
    "name": "name",
}
MAX_ROWS = 500  # of a page


@dataclass(frozen=True)
class IdentityRow:
    """One identity, or further person, in the list."""

    name: str
    claimed: int  # photos
    kept: int  # photos kept under it, whatever they were claimed as
    removed: int  # of the claimed photos
    moved_away: int
    moved_here: int
    expected_wrong: float  # kept photos that are expected not to show the person
    cohesion: float | None  # mean score of the person's faces with their centre
    second_person: float | None  # size of the largest further person, as a share of the first one's
    twin: float | None  # highest score with another name that is not merged with it


@dataclass(frozen=True)
class IdentityPage:
    """A part of the list."""

    total: int  # identities that match the search
    offset: int
    rows: list[IdentityRow]


class IdentityTable:
    """The figures of every name [names] of a snapshot, as arrays; sorted orders are kept."""

    def __init__(self, snapshot: Snapshot) -> None:
        photos, fates, n = snapshot.photos, snapshot.fates, len(snapshot.photos.names)
        claimed, kept_as = photos.claimed, fates.identity
        is_kept = kept_as >= 0
        self.names, self.folded = photos.names, photos.folded_names
        self.claimed = _count(claimed, n)
        self.kept = _count(kept_as, n)
        self.removed = _count(claimed[~is_kept], n)
        moved = is_kept & (kept_as != claimed)
        self.moved_away, self.moved_here = _count(claimed[moved], n), _count(kept_as[moved], n)
        self.expected_wrong = _expected_wrong(snapshot)
        self.cohesion, self.second_person = _persons(snapshot)
        self.twin = _twins(snapshot)
        self.listed = np.flatnonzero((self.claimed > 0) | (self.kept > 0))
        self._orders: dict[str, NDArray[np.int64]] = {}

    def page(self, *, order: str, query: str = "", offset: int = 0, limit: int = 100) -> IdentityPage:
        """A part of the list; order: one of ORDERS; query: part of a name, without regard to case."""
        if order not in ORDERS:
            raise UserError(f"an order is one of {', '.join(ORDERS)}, found {order[:40]!r}")
        codes = self._order(order)
        if query:
            folded = query.casefold()
            matches = np.fromiter((folded in name for name in self.folded), bool, len(self.folded))
            codes = codes[matches[codes]]
        offset, limit = max(0, offset), min(max(1, limit), MAX_ROWS)
        rows = [self.row(int(code)) for code in codes[offset : offset + limit]]
        return IdentityPage(len(codes), offset, rows)

    def row(self, code: int) -> IdentityRow:
        """One identity."""
        return IdentityRow(
            self.names[code],
            int(self.claimed[code]),
            int(self.kept[code]),
            int(self.removed[code]),
            int(self.moved_away[code]),
            int(self.moved_here[code]),
            round(float(self.expected_wrong[code]), 2),
            *(_finite(a[code]) for a in (self.cohesion, self.second_person, self.twin)),
        )

    def _order(self, order: str) -> NDArray[np.int64]:
        if order not in self._orders:
            values: dict[str, NDArray[Any]] = {
                "removed": self.removed,
                "suspicious": self.expected_wrong,
                "size": self.claimed,
                "cohesion": -self.cohesion,
                "two_persons": self.second_person,
                "twin": self.twin,
                "name": np.zeros(len(self.names)),
            }
            value = np.nan_to_num(values[order][self.listed].astype(np.float64), nan=-np.inf)
            # claimed identities come in the order of their names, then further persons
            self._orders[order] = self.listed[np.argsort(-value, kind="stable")]
        return self._orders[order]


def _count(codes: NDArray[Any], n: int) -> NDArray[np.int64]:
    return np.bincount(codes[codes >= 0], minlength=n).astype(np.int64)


def _expected_wrong(snapshot: Snapshot) -> Floats:
    """For each name the sum over its kept photos of the probability that the photo is an outlier."""
    index, fates = snapshot.findings, snapshot.fates
    rows = np.flatnonzero((index.kind == "outlier") & (index.subject_row >= 0) & np.isin(index.who, ["policy"]))
    probability = np.where(np.isfinite(index.probability[rows]), index.probability[rows], 0.5)
    kept_as = fates.identity[index.subject_row[rows]]
    # a photo that was relabelled is no longer an outlier of the identity that it is kept under
    counts = (kept_as >= 0) & (kept_as == snapshot.photos.claimed[index.subject_row[rows]])
    n = len(snapshot.photos.names)
    return np.bincount(kept_as[counts], weights=probability[counts], minlength=n).astype(np.float64)


def _persons(snapshot: Snapshot) -> tuple[Floats, Floats]:
    """For each name the cohesion of its person, and the size of the largest further person beside it as a share."""
    photos, n = snapshot.photos, len(snapshot.photos.names)
    columns = ("cohesion", "cohesion_second")[: len(snapshot.calibration.far_curves)]
    by_embedder = [photos.persons[c].to_numpy(zero_copy_only=False).astype(np.float64) for c in columns]
    scores = fuse(by_embedder, snapshot.calibration.weights)
    cohesion = np.full(n + 1, np.nan)
    cohesion[photos.person_code] = scores
    size, cluster = (photos.persons[c].to_numpy().astype(np.int64) for c in ("size", "cluster"))
    first, second = np.zeros(n + 1), np.zeros(n + 1)
    first[photos.person_identity[cluster == 0]] = size[cluster == 0]
    np.maximum.at(second, photos.person_identity[cluster > 0], size[cluster > 0])
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(second > 0, second / first, np.nan)
    return cohesion[:n], share[:n]


def _twins(snapshot: Snapshot) -> Floats:
    """For each name the highest score with another person, among those with whom it is not merged."""
    index, n = snapshot.findings, len(snapshot.photos.names)
    rows = np.flatnonzero((index.kind == "merge") & (index.verdict != "yes") & np.isfinite(index.fused))
    best = np.full(n + 1, -np.inf)
    for names in (index.subject_name, index.object_name):
        np.maximum.at(best, names[rows], index.fused[rows])
    return np.where(np.isfinite(best[:n]), best[:n], np.nan)


def _finite(value: Any) -> float | None:
    return round(float(value), 2) if np.isfinite(value) else None
