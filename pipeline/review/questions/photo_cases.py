"""Cases about single photos without an outlier finding: whether the photo shows the person of its claimed identity.

There are three sources: doubtful members of a person's cluster, photos of mixed identities in which people see a
person, and pictures that two identities claim (conflicts).
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

UNKNOWN = 0.5  # the belief in a finding for which the machine has no score
MIN_OUTLIER_BELIEF = 0.01  # least belief at which people may be asked about a face inside its person's cluster


def cases_of_doubtful_members(
    refinement: Refinement,
    calibration: Calibration,
    genuine: GenuineScores,
    *,
    exclude: Collection[str],
    kept_only: bool = True,
) -> Iterator[Case]:
    """The cases of kept photos in their person's cluster whose scores are neither low enough for an outlier finding
    nor high enough to be certain.

    exclude: face_ids that other cases ask about; kept_only: False for removed photos as well.
    """
    root, embedders = refinement.root, len(calibration.far_curves)
    for clusters, labels in zip(refinement.clusters.shards, refinement.labels.shards, strict=True):
        rows = read_shard(root, clusters, ["face_id", "identity", "cluster", "core", "second"])
        kept = read_shard(root, labels, ["identity"])["identity"].is_valid()
        in_cluster = pc.equal(rows["cluster"], 0)
        rows = rows.filter(pc.and_(kept, in_cluster) if kept_only else in_cluster)
        scores = [rows[c].to_numpy(zero_copy_only=False).astype(np.float64) for c in ("core", "second")[:embedders]]
        fused = fuse(scores, calibration.weights)
        belief = np.where(fused < genuine.mean, outlier_belief(fused, calibration.fused_curve, genuine), 0)
        doubtful = np.flatnonzero(belief >= MIN_OUTLIER_BELIEF)
        faces, identities = (rows.take(pa.array(doubtful))[c].to_pylist() for c in ("face_id", "identity"))
        fars = far_at(calibration.fused_curve, fused[doubtful]).tolist()
        for face, identity, p, far in zip(faces, identities, belief[doubtful].tolist(), fars, strict=True):
            if face not in exclude:
                yield outlier_case(
                    face,
                    identity,
                    machine_verdict="no",
                    explanation=explain("outlier", far),
                    error_probability=p,
                    belief=round(p, 4),
                )


def cases_of_confirmed_identities(
    refinement: Refinement, identities: Collection[str], *, kept_only: bool = True
) -> Iterator[Case]:
    """A case for each photo of these identities, in which people see a person and the machine sees none.

    kept_only: False for removed photos as well.
    """
    wanted = pa.array(sorted(identities), pa.string())
    for rows in refinement.labels.batches(["face_id", "claimed", "identity"]) if identities else ():
        chosen = pc.is_in(rows["claimed"], value_set=wanted)
        if kept_only:
            chosen = pc.and_(pc.equal(rows["identity"], rows["claimed"]), chosen)
        rows = rows.filter(chosen.fill_null(False))
        for face, identity in zip(rows["face_id"].to_pylist(), rows["claimed"].to_pylist(), strict=True):
            yield photo_of_mixed_identity(face, identity)


def photo_of_mixed_identity(face: str, identity: str) -> Case:
    """The case whether a photo shows the person of an identity in which the machine sees none; face: face_id."""
    return outlier_case(
        face,
        identity,
        machine_verdict="unsure",
        explanation="no chance match: no two photos are similar",
        error_probability=UNKNOWN,
        belief=UNKNOWN,
    )


def with_conflict_cases(cases: Sequence[Case], conflicts: Sequence[FindingRef], context: FindingContext) -> list[Case]:
    """The cases, and a case for both photos of each conflict.

    A conflict is one picture under two identities, so at least one of the two labels is wrong.
    """
    by_id = {case.id: case for case in cases}
    for conflict in conflicts:
        sides = (conflict.subject, conflict.object or "")
        for face, duplicate in (sides, sides[::-1]):
            identity = context.claimed_identity.get(face)
            if identity is None or context.removed_for_good(face) or context.removed_for_good(duplicate):
                continue
            case = _conflict_case(face, identity, context.claimed_identity.get(duplicate))
            if case.id in by_id:
                case = _with_conflict(by_id[case.id], case)
            by_id[case.id] = case
    return list(by_id.values())


def _conflict_case(face: str, identity: str, other_identity: str | None) -> Case:
    """The case of a photo whose picture another identity claims, too; None: the picture is in a test set."""
    place = "in a test set" if other_identity is None else f"under {other_identity}"
    return outlier_case(
        face,
        identity,
        machine_verdict="unsure",
        explanation=f"same picture also {place}",
        error_probability=UNKNOWN,
        belief=UNKNOWN,
    )


def _with_conflict(case: Case, conflict: Case) -> Case:
    """A case with the machine's view from the conflict case about the same photo."""
    return replace(
        case,
        machine_verdict=conflict.machine_verdict,
        explanation=conflict.explanation,
        error_probability=max(case.error_probability, conflict.error_probability),
        belief=conflict.belief,
    )
