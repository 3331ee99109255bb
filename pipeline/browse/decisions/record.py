"""A person's decision in the gallery: into the ledger as answers to findings, and what it changes at once.

The answers go through the functions that answers from Label Studio go through: the machine's view first, as the prior
of the vote, then the answers, then the vote. So a decision here counts as much as the same answer there.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.browse.decisions.effect import Effect, effect_of, part_about
from pipeline.browse.decisions.neighbourhood import Neighbourhood
from pipeline.browse.decisions.statements import Decision, Statement, statements_of
from pipeline.browse.finding_index import FindingIndex
from pipeline.browse.snapshot import Snapshot
from pipeline.errors import UserError
from pipeline.noise.policy import judge
from pipeline.refined.resolve_steps.merge_persons import without_contradictions
from pipeline.refined.verdicts import PersonClusters, current_answers
from pipeline.review.answers import ledger
from pipeline.review.answers.answer_time import next_answer_time
from pipeline.review.answers.machine_views import findings_with_belief, machine_views
from pipeline.review.answers.question_log import LoggedItem, to_ledger_rows
from pipeline.review.answers.votes import Settlement, settle
from pipeline.review.questions.audit import KEPT_BELIEF
from pipeline.review.questions.belief import finding_beliefs, outlier_belief
from pipeline.review.questions.case import Case
from pipeline.review.questions.finding_ref import FindingRef
from pipeline.review.questions.photo_cases import UNKNOWN
from pipeline.review.questions.question import PAGE_OF_KIND, PAIR, Answer
from pipeline.schema import digest

ANSWER_PREFIX = "gallery/"  # of the answer_id of decisions made here
GROUP = "gallery"  # in place of a group of annotators


class Standing(NamedTuple):
    """How many answers of a decision are in force, wait for another vote, are disputed, or are outvoted; undo: none."""

    in_force: int = 0
    waiting: int = 0
    disputed: int = 0
    outvoted: int = 0


class Recorded(NamedTuple):
    """A decision in the ledger: its id, how its answers stand, and what it changes."""

    answer_id: str
    standing: Standing
    effect: Effect


def record(snapshot: Snapshot, decision: Decision, *, who: str) -> Recorded:
    """Add a decision to the ledger, as the answer of `who`. Raises UserError for one that can change nothing."""
    root = snapshot.root
    said = statements_of(snapshot, decision)
    everything = ledger.read(root, superseded=True)
    before = settle(ledger.in_force(everything), votes=ledger.votes_wanted(root))
    at = next_answer_time(ledger.rows_of(everything), prefix=ANSWER_PREFIX)
    answer_id = ANSWER_PREFIX + digest("decision", who, at.isoformat(), *(s.ref.finding_id for s in said))
    part = part_about(snapshot, [s.ref for s in said])
    cases = _cases(snapshot, part, said)
    views = machine_views(
        (case for case in cases if case is not None),
        answer_id=f"policy/{snapshot.refinement.decisions.address}",
        known=findings_with_belief(everything),
    )
    answers = [Answer(s.ref.finding_id, s.choice, who, None, at, 0.0, "", answer_id) for s in said]
    rows = [replace(row, seconds=None) for row in to_ledger_rows(answers, _logged(said))[0]]  # nobody took the time
    ledger.append(root, [*views, *rows])  # one file: both or neither
    after = settle(ledger.read(root), votes=ledger.votes_wanted(root))
    return Recorded(answer_id, _standing(said, after), _effect(snapshot, part, before, after))


def undo(snapshot: Snapshot, answer_id: str) -> Recorded:
    """Withdraw all answers of a person with this id. Raises UserError where none is in force."""
    root = snapshot.root
    table = ledger.read(root)
    rows = [r for r in ledger.rows_of(ledger.answers_of_people(table)) if r.answer_id == answer_id]
    if not rows:
        raise UserError(f"no decision {answer_id[:60]!r} of a person is in force: reload the page")
    before = settle(table, votes=ledger.votes_wanted(root))
    ledger.withdraw(root, rows)
    after = settle(ledger.read(root), votes=ledger.votes_wanted(root))
    part = part_about(snapshot, [row.finding for row in rows])
    return Recorded(answer_id, Standing(), _effect(snapshot, part, before, after))


def _effect(snapshot: Snapshot, part: Neighbourhood, before: Settlement, after: Settlement) -> Effect:
    clusters = _clusters_of(snapshot, before.verdicts, after.verdicts)
    return effect_of(snapshot, part, *(current_answers(s.verdicts, clusters) for s in (before, after)))


def _clusters_of(snapshot: Snapshot, *verdicts: pa.Table) -> PersonClusters:
    """The persons, and the clusters of the faces that verdicts of people (columns as ANSWERS) are stored with."""
    photos, columns = snapshot.photos, ("face", "other", "subject", "object")
    faces = sorted({value for table in verdicts for c in columns for value in table[c].to_pylist() if value})
    cluster_of_face = {
        face: (photos.names[photos.claimed[row]], int(photos.cluster[row]))
        for face, row in zip(faces, photos.rows_of(faces).tolist(), strict=True)
        if row >= 0 and photos.cluster[row] >= 0 and photos.claimed[row] >= 0
    }
    return photos.person_clusters.with_faces(cluster_of_face)


def _logged(said: Iterable[Statement]) -> list[LoggedItem]:
    """The statements as the question log would have them, if they had been asked."""
    return [
        LoggedItem(
            s.ref.finding_id,
            s.ref,
            GROUP,
            PAGE_OF_KIND.get(s.ref.kind, PAIR),
            "case",
            None,
            s.same_means,
            "",
        )
        for s in said
    ]


def _cases(snapshot: Snapshot, part: Neighbourhood, said: Sequence[Statement]) -> list[Case | None]:
    """The machine's view on each statement; None where it has none, as on persons that it never compared."""
    refs, in_conflict = [s.ref for s in said], _in_conflict(snapshot.findings)
    limits = snapshot.refinement.thresholds
    verdicts = without_contradictions(part.findings, judge(part.findings, limits, snapshot.calibration))
    persons = len(snapshot.photos.persons)
    beliefs = finding_beliefs(part.findings, verdicts, snapshot.calibration, snapshot.genuine, persons=persons)
    places = pc.index_in(pa.array([r.finding_id for r in refs]), value_set=part.findings["finding_id"]).to_pylist()
    cases: list[Case | None] = []
    for s, place in zip(said, places, strict=True):
        if place is not None:
            cases.append(_case(s, str(verdicts[place]), round(float(beliefs[place]), 4)))
        else:
            belief = _belief_without_finding(snapshot, s.ref, in_conflict) if s.ref.kind == "outlier" else None
            cases.append(None if belief is None else _case(s, "no" if belief < UNKNOWN else "unsure", belief))
    return cases


def _case(said: Statement, verdict: str, belief: float) -> Case:
    page = PAGE_OF_KIND.get(said.ref.kind, PAIR)
    return Case(said.ref, page, "", verdict, "", 0.0, 1, belief, same_means=said.same_means)


def _in_conflict(index: FindingIndex) -> set[int]:
    """The photos of which the same picture is claimed as another identity."""
    rows = np.flatnonzero(index.kind == "conflict")
    return {*index.subject_row[rows].tolist(), *index.object_row[rows].tolist()}


def _belief_without_finding(snapshot: Snapshot, ref: FindingRef, in_conflict: Collection[int]) -> float | None:
    """The probability that a photo without an outlier finding does not show its claimed identity.

    As where people are asked about such photos: unknown for pictures under two identities and for identities without a
    person, else by the score, or that of any kept photo.
    """
    row = int(snapshot.photos.rows_of([ref.subject])[0])
    if row < 0:
        return None
    score = float(snapshot.photos.score[row])
    if row in in_conflict or not np.isfinite(score):
        return UNKNOWN
    if snapshot.photos.cluster[row] == 0 and score < snapshot.genuine.mean:
        curve = snapshot.calibration.fused_curve
        return round(float(outlier_belief(np.array([score]), curve, snapshot.genuine)[0]), 4)
    return round(1 - KEPT_BELIEF, 4)


def _standing(said: Sequence[Statement], settlement: Settlement) -> Standing:
    columns = (settlement.verdicts[c].to_pylist() for c in ("finding_id", "verdict"))
    verdict = dict(zip(*columns, strict=True))
    counts = {"in_force": 0, "waiting": 0, "disputed": 0, "outvoted": 0}
    for s in said:
        finding = s.ref.finding_id
        if finding in verdict:
            # an answer without weight ("unusable") is never outvoted: the finding that the face is poor counts
            wanted = {"same": s.same_means, "other": _opposite(s.same_means), "different": _opposite(s.same_means)}
            counts["in_force" if verdict[finding] == wanted.get(s.choice, verdict[finding]) else "outvoted"] += 1
        else:
            counts["disputed" if finding in settlement.disputed else "waiting"] += 1
    return Standing(**counts)


def _opposite(verdict: str) -> str:
    return "no" if verdict == "yes" else "yes"
