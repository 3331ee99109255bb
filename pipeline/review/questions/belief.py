"""How likely it is that a finding holds: what orders the queue, and nothing else.

Strangers are as alike as the calibration's curve says, faces of one person as the data's own groups show; Bayes' rule
puts the two beside each other. Where the embedders contradict each other half the belief is given up.
"""

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.noise.findings import score_columns
from pipeline.noise.score_norm import Calibration, Floats, Tail, fuse, rate

SELDOM, OFTEN = 0.005, 0.995  # no finding is taken for more certain than that
TWINS = 0.05  # share of persons with a second name, or in a test set: what merges and overlaps begin with
HARD = 0.02  # share of a person's photos that are anywhere between the person and strangers: blurred, turned away
FEW = 10  # faces inside groups, with fewer of which the pairs must tell
STEP = 0.05  # of likeness, for the slope of a curve
SAME = ("misplaced", "merge", "overlap")  # kinds that claim "one person"; the others claim "not one"


class Own(NamedTuple):
    """The likeness of a person's faces to the person: mean and deviation; share: of faces outside any person."""

    mean: float
    deviation: float
    outside: float


def own_faces(core: Floats, group: NDArray[Any], calibration: Calibration) -> Own:
    """From each face's likeness to its name's person [n], nan for none, and its group [n].

    The faces inside a person's group were chosen for being alike, so they show the middle but not the spread; that is
    as wide as of pairs of one person's photos, in proportion.
    """
    inside = core[(group == 0) & np.isfinite(core)]
    mean = float(np.median(inside)) if len(inside) >= FEW else calibration.same
    spread = calibration.spread * max(mean / max(calibration.same, 1e-3), 1.0)
    return Own(mean, max(spread, 1.0), float(np.clip((group != 0).mean(), 0.02, 0.8)))


def holds(
    findings: pa.Table, verdicts: NDArray[np.object_], calibration: Calibration, own: Own, persons: int
) -> Floats:
    """The probability [n] that each finding is right; verdicts [n]: the policy's; persons: among whom one may meet."""
    scores = score_columns(findings)[: len(calibration.tails)]
    total = fuse(scores, calibration.weights)
    kind = np.asarray(findings["kind"].to_numpy(), object)
    p = np.where(verdicts == "yes", OFTEN, SELDOM)
    apart = np.isin(kind, ("outlier", "split", "mixed")) & np.isfinite(total)
    p[apart] = stranger(total[apart], calibration.tail, own)
    same = np.isin(kind, SAME) & np.isfinite(total)
    p[same] = TWINS / (TWINS + rate(calibration.tail, total[same]) * max(1, persons))
    p[(verdicts == "unsure") & ~np.isfinite(total)] = 0.5
    unsure = (verdicts == "unsure") & (kind != "mixed")  # of a name without a person, "no" is never said
    p[unsure] = 0.25 + 0.5 * p[unsure]
    p[kind == "conflict"] = 0.5
    return np.asarray(np.clip(p, SELDOM, OFTEN))


def wrong(p: Floats, verdicts: NDArray[np.object_], *, keep: bool) -> Floats:
    """The probability [n] that what happens without an answer is wrong; keep: the undecided stay."""
    acts = (verdicts == "yes") | ((verdicts == "unsure") & (not keep))
    return np.where(acts, 1 - p, p)


def stranger(z: NDArray[np.floating[Any]], tail: Tail, own: Own) -> Floats:
    """The probability [n] that faces this like a person [n] are somebody else."""
    theirs = own.outside * _density(tail, z)
    usual = np.exp(-0.5 * ((z - own.mean) / own.deviation) ** 2) / (own.deviation * np.sqrt(2 * np.pi))
    # a photo of a person may be like anything
    hard = ((tail.a <= z) & (z <= own.mean)) / max(own.mean - tail.a, 1e-3)
    persons = (1 - own.outside) * ((1 - HARD) * usual + HARD * hard)
    return np.asarray(theirs / np.maximum(theirs + persons, 1e-12))


def _density(tail: Tail, z: NDArray[np.floating[Any]]) -> Floats:
    """Of strangers' likeness; under their median, where the curve ends, as far above it."""
    z = np.maximum(z, 2 * tail.a - z)
    return np.asarray(np.maximum(rate(tail, z - STEP) - rate(tail, z + STEP), 1e-12) / (2 * STEP))
