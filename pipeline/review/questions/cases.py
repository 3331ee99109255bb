"""The cases of a refinement: everything that people may be asked about.

A case is left out when no answer could change a label: the photo is removed for another reason, or it is relabelled
together with its whole cluster.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.noise.calibration import read_calibration
from pipeline.noise.policy import judge
from pipeline.noise.scores.fusion import Calibration
from pipeline.refined.resolve_steps.merge_persons import without_contradictions
from pipeline.refinement import Refinement
from pipeline.review.questions.belief import (
    SAME_PERSON_KINDS,
    GenuineScores,
    error_probabilities,
    finding_beliefs,
    genuine_scores,
)
from pipeline.review.questions.case import Case
from pipeline.review.questions.explanations import explain_findings
from pipeline.review.questions.finding_context import FindingContext, read_context
from pipeline.review.questions.finding_ref import FindingRef, finding_ref
from pipeline.review.questions.persons import identities_without_person
from pipeline.review.questions.photo_cases import (
    cases_of_confirmed_identities,
    cases_of_doubtful_members,
    with_conflict_cases,
)
from pipeline.review.questions.question import PAGE_OF_KIND, PAIR

ASKABLE_KINDS = ("outlier", "conflict", "misplaced", "merge", "split", "overlap", "mixed")


def find_cases(refinement: Refinement, *, before_answers: bool = False) -> list[Case]:
    """All cases of a refinement, in no order; build_queue() chooses and orders those that are worth an answer.

    before_answers: whether the cases are those from before people answered: without outlier findings that only people's
    answers added, on which the machine has no score, and with photos that the answers removed.
    """
    findings = refinement.judged_findings.read()
    confirmed = _confirmed_by_people(refinement, findings)
    findings = _without_answers_about_photos(refinement, findings) if before_answers else findings
    findings = findings.filter(pc.is_in(findings["kind"], value_set=pa.array(ASKABLE_KINDS)))
    calibration = read_calibration(refinement.root, refinement.calibration.shards[0])
    genuine, context = genuine_scores(refinement, calibration), read_context(refinement, findings)
    refs = _finding_refs(findings, context)
    subjects = {ref.subject for ref in refs}
    finding_cases = _cases_of_findings(
        refinement, findings, refs, calibration=calibration, genuine=genuine, context=context
    )
    confirmed &= identities_without_person(context.persons)
    of_confirmed = cases_of_confirmed_identities(refinement, confirmed, kept_only=not before_answers)
    photo_cases = [c for c in of_confirmed if c.finding.subject not in subjects]
    cases = [*_join_strays(finding_cases, context), *photo_cases]
    cases = _changeable(cases, context, removed_too=before_answers)
    subjects |= {c.finding.subject for c in photo_cases}
    members = cases_of_doubtful_members(
        refinement, calibration, genuine, exclude=subjects, kept_only=not before_answers
    )
    return with_conflict_cases([*cases, *members], [ref for ref in refs if ref.kind == "conflict"], context)


def _confirmed_by_people(refinement: Refinement, findings: pa.Table) -> set[str]:
    """The mixed identities in which people see one person.

    These are the mixed findings with the verdict "no": the policy alone never gives a mixed finding that verdict.
    """
    verdicts = refinement.decisions.read(["verdict"])["verdict"]
    denied = pc.and_(pc.equal(findings["kind"], "mixed"), pc.equal(verdicts, "no"))
    return set(findings.filter(denied)["subject"].to_pylist())


def _without_answers_about_photos(refinement: Refinement, findings: pa.Table) -> pa.Table:
    """These findings, without the outlier findings among them that only people's answers added."""
    machines = pc.is_in(findings["finding_id"], value_set=refinement.findings.read(["finding_id"])["finding_id"])
    return findings.filter(pc.or_(machines, pc.not_equal(findings["kind"], "outlier")))


def _finding_refs(findings: pa.Table, context: FindingContext) -> list[FindingRef]:
    medoids = {name: person.medoid for name, person in context.persons.items()}
    rows = zip(*(findings[c].to_pylist() for c in ("kind", "subject", "object")), strict=True)
    return [finding_ref(kind, subject, other, medoids) for kind, subject, other in rows]


def _cases_of_findings(
    refinement: Refinement,
    findings: pa.Table,
    refs: Sequence[FindingRef],
    *,
    calibration: Calibration,
    genuine: GenuineScores,
    context: FindingContext,
) -> list[Case]:
    """One case for each finding [n] that is not a conflict; refs [n]: the references to the findings."""
    verdicts = without_contradictions(findings, judge(findings, refinement.thresholds, calibration))
    persons = len(refinement.persons)
    beliefs = finding_beliefs(findings, verdicts, calibration, genuine, persons=persons)
    errors = error_probabilities(beliefs, verdicts, keep_undecided=refinement.options.undecided == "keep")
    explanations = explain_findings(findings, calibration, persons=len(context.persons))
    return [
        Case(
            ref,
            page=PAGE_OF_KIND.get(ref.kind, PAIR),
            identity=context.page_identity(ref),
            machine_verdict=str(verdict),
            explanation=explanation,
            error_probability=float(error),
            photos=context.photos_at_stake(ref),
            belief=round(float(belief), 4),
            same_means="yes" if ref.kind in SAME_PERSON_KINDS else "no",
        )
        for ref, verdict, explanation, error, belief in zip(refs, verdicts, explanations, errors, beliefs, strict=True)
        if ref.kind != "conflict"
    ]


def _join_strays(cases: Sequence[Case], context: FindingContext) -> list[Case]:
    """The cases, with one case in place of several about faces of one cluster that may all be the same other person."""
    by_question: dict[tuple[object, ...], list[Case]] = defaultdict(list)
    for i, case in enumerate(cases):
        cluster = context.cluster.get(case.finding.subject, -1)
        stray = case.finding.kind == "misplaced" and cluster >= 0
        by_question[(case.identity, cluster, case.finding.object) if stray else (i,)].append(case)
    joined = []
    for equal in by_question.values():
        first = min(equal, key=lambda c: (-c.error_probability, c.id))
        further = tuple(c.finding for c in equal if c is not first)
        joined.append(replace(first, photos=sum(c.photos for c in equal), further_findings=further))
    return joined


def _changeable(cases: Sequence[Case], context: FindingContext, *, removed_too: bool) -> list[Case]:
    """The cases whose answer can change a label; removed_too: or could, before the photo was removed for good.

    No outlier case is asked about a face that is relabelled alone (misplaced) or with its cluster (split): the case of
    the relabelling asks about it.
    """
    relabelled = {
        ref.subject
        for case in cases
        if case.finding.kind == "misplaced" and case.machine_verdict != "no"
        for ref in case.findings
    }
    further_persons = {p.key for p in context.persons.values() if p.cluster > 0}

    def gone(face: str) -> bool:
        return not removed_too and context.removed_for_good(face)

    def changeable(case: Case) -> bool:
        kind, face = case.finding.kind, case.finding.subject
        if kind == "outlier":
            cluster = (case.identity, context.cluster.get(face, -1))
            return face not in relabelled and cluster not in further_persons and not gone(face)
        unnamed = kind == "misplaced" and context.removal_reason.get(face) == "unnamed"
        return kind in ("overlap", "merge", "mixed") or unnamed or not gone(face)

    return [case for case in cases if changeable(case)]
