"""A decision in the gallery counts as the same answer in Label Studio does, and undo takes it back."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.browse.decisions.record import Standing, record, undo
from pipeline.browse.decisions.statements import Decision
from pipeline.browse.snapshot import Snapshot, load_snapshot
from pipeline.errors import UserError
from pipeline.refined.labels import label_again
from pipeline.refinement import Refinement, latest
from pipeline.review.answers import ledger
from pipeline.review.answers.machine_views import findings_with_belief, machine_views
from pipeline.review.answers.question_log import log_questions, read_question_log, to_ledger_rows
from pipeline.review.answers.votes import settle, settled_verdicts
from pipeline.review.questions.case import Case
from pipeline.review.questions.cases import find_cases
from pipeline.review.questions.question import Answer
from pipeline.tables import storage
from tests.builders.tables.drawn_refinement import refined
from tests.builders.tables.ledger_rows import START


def labelled(root: str) -> Refinement:
    return label_again(root, settled_verdicts)


def in_label_studio(root: str, case: Case, choice: str, who: str) -> None:
    """The answer of an annotator to the question about a case."""
    log_questions(root, [(case, "gallery")])
    known = findings_with_belief(ledger.read(root))
    ledger.append(root, machine_views([case], answer_id="policy/sent", known=known))
    answer = Answer(case.id, choice, who, None, START, 2.0, "q", f"server/{who}")
    ledger.append(root, to_ledger_rows([answer], read_question_log(root))[0])


def said(root: str) -> tuple[list[dict[str, object]], list[str], list[str]]:
    """The verdicts, the disputes and the waiting findings of a root, without times and seconds."""
    settled = settle(ledger.read(root), votes=2)
    return settled.verdicts.drop_columns(["at", "seconds", "group"]).to_pylist(), settled.disputed, settled.waiting


def decision_of(case: Case, choice: str) -> Decision:
    """The decision in the gallery that is the same as this choice."""
    if case.finding.kind == "outlier":
        return Decision({"same": "keep", "other": "remove"}[choice], (case.finding.subject,))
    verdict = case.same_means if choice == "same" else {"yes": "no", "no": "yes"}[case.same_means]
    return Decision("finding", finding=case.id, verdict=verdict)


VOTES = {
    "outlier": ["same", "same", "same"],
    "merge": ["different", "different", "different"],
    "split": ["same", "same", "different"],
    "misplaced": ["different", "same"],  # they disagree
}


def test_a_decision_counts_as_the_same_answer_in_label_studio(tmp_path: Path) -> None:
    one, two = str(tmp_path / "studio"), str(tmp_path / "gallery")
    before = refined(one)[0]
    snapshot = load_snapshot(refined(two)[0])
    cases = sorted(find_cases(before), key=lambda c: c.id)
    for kind, votes in VOTES.items():
        case = next(c for c in cases if c.finding.kind == kind and c.page != "mixed")
        for who, choice in zip(("ann", "bob", "eve"), votes, strict=False):
            in_label_studio(one, case, choice, who)
            snapshot = record(snapshot, decision_of(case, choice), who=who).effect.snapshot
            assert said(one) == said(two)
    verdicts, disputed, waiting = said(two)
    assert (len(verdicts), len(disputed), len(waiting)) == (3, 1, 0)
    labels = [labelled(root).labels for root in (one, two)]
    assert labels[0].address == labels[1].address != before.labels.address
    fresh = load_snapshot(latest(two))  # what the gallery showed before the labels were made again
    assert fresh.fates.identity.tolist() == snapshot.fates.identity.tolist()
    assert fresh.fates.reason.tolist() == snapshot.fates.reason.tolist()


@pytest.fixture
def snapshot(tmp_path: Path) -> Snapshot:
    snapshot = load_snapshot(refined(str(tmp_path / "root"))[0])
    ledger.set_votes_wanted(snapshot.root, 1)
    return snapshot


Changes = set[tuple[str, str]]


def decided(snapshot: Snapshot, decision: Decision) -> tuple[Snapshot, Changes]:
    """What a decision changes that is made twice, because the machine may be surer than one answer."""
    changes: Changes = set()
    for _ in range(2):
        recorded = record(snapshot, decision, who="ann")
        snapshot = recorded.effect.snapshot
        changes |= {(c.before, c.after) for c in recorded.effect.changes}
    assert recorded.standing.outvoted == recorded.standing.waiting == 0
    return snapshot, changes


def photo(snapshot: Snapshot, name: str, reason: str) -> tuple[str, ...]:
    """The face_id of a photo that is claimed as this identity and has this reason."""
    rows = np.flatnonzero(snapshot.photos.claimed == snapshot.photos.code_of_name[name]).tolist()
    return (snapshot.photos.face_id(next(row for row in rows if snapshot.reason(row) == reason)),)


def test_every_kind_of_decision_and_its_undo(snapshot: Snapshot) -> None:
    start, face = snapshot, photo(snapshot, "p05", "")
    split = next(p for p in snapshot.photos.names[snapshot.photos.claimed_names :] if p.startswith("p10"))
    # the machine doubts more that it is the claimed person than that it is another one: this takes one vote more
    back = {("kept: split", "outlier"), ("outlier", "kept")}
    expected = [
        (Decision("keep", photo(snapshot, "p05", "outlier")), {("outlier", "kept")}),
        (Decision("remove", face), {("kept", "outlier")}),
        (Decision("unusable", face), {("kept", "poor")}),
        (Decision("move", face, name="p06"), {("kept", "kept: misplaced")}),
        (Decision("merge", name="p05", other="p06"), {("kept", "kept: merge")}),
        (Decision("separate", name="p01", other="q01"), {("kept: merge", "kept")}),
        (Decision("move", photo(snapshot, "p10", "split"), name="p06"), {("kept: split", "kept: misplaced")}),
        (Decision("move", photo(snapshot, "p10", "split"), name="p10"), back),
        (Decision("unsplit", name=split), {("kept: split", "outlier")}),
        (Decision("keep", photo(snapshot, "p40", "duplicate")), {("duplicate", "kept")}),
    ]
    for decision, changes in expected:
        after, made = decided(start, decision)
        assert made == changes, decision
        if changes == {("kept: split", "kept: misplaced")}:  # the labels of all photos have it, too
            shown = load_snapshot(labelled(start.root)).fates
            assert shown.identity.tolist() == after.fates.identity.tolist()
            assert shown.reason.tolist() == after.fates.reason.tolist()
        answers = ledger.answers_of_people(ledger.read(start.root))["answer_id"].unique().to_pylist()
        for answer in answers:
            undone = undo(after, answer)
            assert undone.standing == Standing()  # nothing was said that could wait or be outvoted
            after = undone.effect.snapshot
        assert after.fates.identity.tolist() == start.fates.identity.tolist()
        assert after.fates.reason.tolist() == start.fates.reason.tolist()
    assert labelled(start.root).labels.address == start.refinement.labels.address
    with pytest.raises(UserError, match="no decision"):
        undo(start, "gallery/none")


class Passes(np.ndarray[Any, Any]):
    """The kinds of all findings, which count how often they are gone through."""

    passes = 0

    def __eq__(self, other: object) -> Any:
        Passes.passes += 1
        return self.view(np.ndarray) == other


@pytest.mark.parametrize("kind", ["keep", "remove", "move"])
def test_findings_are_gone_through_as_often_for_many_photos_as_for_one(snapshot: Snapshot, kind: str) -> None:
    kept = [row for row in range(len(snapshot.photos)) if not snapshot.reason(row) and snapshot.photos.claimed[row] > 0]
    counted = replace(snapshot, findings=replace(snapshot.findings, kind=snapshot.findings.kind.view(Passes)))
    passes = []
    for rows in (kept[:1], kept[1:26]):
        Passes.passes = 0
        faces = tuple(snapshot.photos.face_id(row) for row in rows)
        said = record(counted, Decision(kind, faces, name="p01" if kind == "move" else ""), who="ann").standing
        assert sum(said) >= len(faces)
        passes.append(Passes.passes)
    assert passes[1] <= passes[0] > 0


def test_a_write_that_was_cut_short_leaves_nothing_and_the_decision_can_be_made_again(
    snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    decision = Decision("keep", photo(snapshot, "p05", "outlier"))
    with monkeypatch.context() as patch:
        patch.setattr(storage.os, "fsync", killed)
        with pytest.raises(SystemExit):
            record(snapshot, decision, who="ann")
    assert not len(ledger.read(snapshot.root))
    assert decided(snapshot, decision)[1] == {("outlier", "kept")}


def killed(_: int) -> None:
    """In place of fsync: the process ends before the file has its name."""
    raise SystemExit
