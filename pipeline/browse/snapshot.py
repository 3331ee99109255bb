"""A refinement as the pages of `refinery browse` see it: its photos, findings and fates, loaded once and never changed.

After a decision or a new labelling there is a new snapshot, which shares with the former one what did not change.
"""

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.browse.finding_index import FindingIndex, load_findings
from pipeline.browse.photo_index import Codes, PhotoIndex, Rows, load_photos, name_codes, read_all
from pipeline.noise.calibration import read_calibration
from pipeline.noise.scores.fusion import Calibration
from pipeline.refined.reasons import RELABELLED, REMOVED
from pipeline.refinement import Refinement
from pipeline.review.questions.belief import GenuineScores, fit_genuine_scores

REASONS = ("", *dict.fromkeys((*REMOVED, *RELABELLED)))  # by their numbers


@dataclass(frozen=True)
class Fates:
    """What became of each of n photos."""

    identity: Codes  # [n] code of the name it is kept under, -1: removed
    reason: NDArray[np.uint8]  # [n] number in REASONS
    finding: Rows  # [n] row of the finding that decided, -1: none


@dataclass(frozen=True)
class Snapshot:
    """A refinement with its photos, findings and fates."""

    refinement: Refinement
    calibration: Calibration
    genuine: GenuineScores
    photos: PhotoIndex
    findings: FindingIndex
    fates: Fates

    @property
    def root(self) -> str:
        """The root of the refinement."""
        return self.refinement.root

    def reason(self, row: int) -> str:
        """The reason of a photo's fate; "" for one that is kept as claimed."""
        return REASONS[int(self.fates.reason[row])]

    def name(self, code: int) -> str | None:
        """The name of a code, None for -1."""
        return self.photos.names[code] if code >= 0 else None

    def finding(self, row: int) -> str | None:
        """The finding_id that decided about a photo."""
        at = int(self.fates.finding[row])
        return self.findings.table["finding_id"][at].as_py() if at >= 0 else None


def load_snapshot(refinement: Refinement, former: Snapshot | None = None) -> Snapshot:
    """The snapshot of a refinement; former: an earlier one, of which tables that are the same are not read again."""
    calibration = read_calibration(refinement.root, refinement.calibration.shards[0])
    if former is not None and _same_photos(former.refinement, refinement):
        photos, genuine = former.photos, former.genuine
    else:
        photos = load_photos(refinement, calibration)
        genuine = fit_genuine_scores(photos.score.astype(np.float64), photos.cluster, calibration)
    findings = load_findings(refinement, photos, calibration)
    return Snapshot(refinement, calibration, genuine, photos, findings, _load_fates(refinement, photos, findings))


def _same_photos(a: Refinement, b: Refinement) -> bool:
    tables = ((r.photos, r.clusters, r.persons, r.calibration) for r in (a, b))
    return a.root == b.root and len({tuple(t.address for t in of) for of in tables}) == 1


def _load_fates(refinement: Refinement, photos: PhotoIndex, findings: FindingIndex) -> Fates:
    labels = read_all(refinement.labels, ("identity", "reason", "finding_id"))
    decided = np.flatnonzero(np.asarray(labels["finding_id"].is_valid()))
    rows = pc.index_in(labels["finding_id"].take(pa.array(decided)), value_set=findings.table["finding_id"])
    finding = np.full(len(photos), -1, np.int64)
    finding[decided] = rows.fill_null(-1).to_numpy()
    reason = name_codes(labels["reason"], REASONS)
    return Fates(name_codes(labels["identity"], photos.names), np.maximum(reason, 0).astype(np.uint8), finding)


def with_fates(snapshot: Snapshot, fates: Fates, findings: FindingIndex) -> Snapshot:
    """The snapshot with other fates and findings, after a decision whose labels are not in the tables yet."""
    return replace(snapshot, fates=fates, findings=findings)
