"""Cases about single photos that no outlier finding raises: doubtful members, people's persons, duplicates.

Each asks whether a photo shows the person of its claimed identity.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.noise.scores.far_curve import far_at
from pipeline.noise.scores.fusion import Calibration, fuse
from pipeline.refinement import Refinement
from pipeline.review.questions.belief import GenuineScores, outlier_belief
from pipeline.review.questions.case import Case, outlier_case
from pipeline.review.questions.explanations import explain
from pipeline.review.questions.finding_context import FindingContext
from pipeline.review.questions.finding_ref import FindingRef
from pipeline.tables.table import read_shard

UNKNOWN = 0.5  # the belief in a finding of which the machine can say nothing
MIN_OUTLIER_BELIEF = 0.01  # from which on a face inside its person's cluster may be asked about


def doubtful_members(
    refinement: Refinement, calibration: Calibration, genuine: GenuineScores, *, with_findings: Collection[str]
) -> Iterator[Case]:
    """Kept photos inside their person's cluster that score too high for a finding and too low to be sure of.

    with_findings: face_ids that are asked about already.
    """
    root, embedders = refinement.root, len(calibration.far_curves)
    for clusters, labels in zip(refinement.clusters.shards, refinement.labels.shards, strict=True):
        rows = read_shard(root, clusters, ["face_id", "identity", "cluster", "core", "second"])
        kept = read_shard(root, labels, ["identity"])["identity"].is_valid()
        rows = rows.filter(pc.and_(kept, pc.equal(rows["cluster"], 0)))
        scores = [rows[c].to_numpy(zero_copy_only=False).astype(np.float64) for c in ("core", "second")[:embedders]]
        total = fuse(scores, calibration.weights)
        belief = np.where(total < genuine.mean, outlier_belief(total, calibration.fused_curve, genuine), 0)
        doubtful = np.flatnonzero(belief >= MIN_OUTLIER_BELIEF)
        faces, identities = (rows.take(pa.array(doubtful))[c].to_pylist() for c in ("face_id", "identity"))
        fars = far_at(calibration.fused_curve, total[doubtful]).tolist()
        for face, identity, p, far in zip(faces, identities, belief[doubtful].tolist(), fars, strict=True):
            if face not in with_findings:
                yield outlier_case(
                    face,
                    identity,
                    machine_verdict="no",
                    explanation=explain("outlier", far),
                    error_probability=p,
                    belief=round(p, 4),
                )


def photos_of_identities(refinement: Refinement, identities: Collection[str]) -> Iterator[Case]:
    """All kept photos of identities in which people see a person and the machine does not: which of them show it?"""
    wanted = pa.array(sorted(identities), pa.string())
    for rows in refinement.labels.batches(["face_id", "claimed", "identity"]) if identities else ():
        kept = pc.and_(pc.equal(rows["identity"], rows["claimed"]), pc.is_in(rows["claimed"], value_set=wanted))
        rows = rows.filter(kept.fill_null(False))
        for face, identity in zip(rows["face_id"].to_pylist(), rows["claimed"].to_pylist(), strict=True):
            yield outlier_case(
                face,
                identity,
                machine_verdict="unsure",
                explanation="no two photos of this name are alike to the machine",
                error_probability=UNKNOWN,
                belief=UNKNOWN,
            )


def with_conflicts(cases: Sequence[Case], conflicts: Sequence[FindingRef], context: FindingContext) -> list[Case]:
    """The cases, and both photos of each conflict: of one picture under two identities at least one label is wrong."""
    by_id = {case.id: case for case in cases}
    for conflict in conflicts:
        sides = (conflict.subject, conflict.object or "")
        for face, duplicate in (sides, sides[::-1]):
            identity = context.identity.get(face)
            if identity is None or context.fixed(face) or context.fixed(duplicate):
                continue
            case = _conflict_case(face, identity, context.identity.get(duplicate, "of a test set"))
            if case.id in by_id:
                case = _joined(by_id[case.id], case)
            by_id[case.id] = case
    return list(by_id.values())


def _conflict_case(face: str, identity: str, other_identity: str) -> Case:
    return outlier_case(
        face,
        identity,
        machine_verdict="unsure",
        explanation=f"the same picture also stands under the name {other_identity}",
        error_probability=UNKNOWN,
        belief=UNKNOWN,
    )


def _joined(case: Case, conflict: Case) -> Case:
    """A case with what a conflict says of the same photo."""
    return replace(
        case,
        machine_verdict=conflict.machine_verdict,
        explanation=conflict.explanation,
        error_probability=max(case.error_probability, conflict.error_probability),
        belief=conflict.belief,
    )
