"""The cases of questions on the server are found again without the question log, gold questions included."""

from collections.abc import Iterator

import pytest

from pipeline.refined.labels import label_again
from pipeline.review.answers import ledger
from pipeline.review.answers.ledger import LedgerRow
from pipeline.review.answers.machine_views import findings_with_belief, machine_views
from pipeline.review.answers.votes import settled_verdicts
from pipeline.review.label_studio.project_mark import ProjectMark
from pipeline.review.label_studio.records import Progress, Project, SentTask, Task
from pipeline.review.pages.compose import GroupQuestion
from pipeline.review.pages.sent_cases import cases_of_sent_items
from pipeline.review.questions.case import Case
from pipeline.review.questions.question import MIXED, verdict_of
from pipeline.review.round import RoundLimits, plan_round
from tests.builders.tables.drawn_refinement import refined


def sent(question: GroupQuestion, number: int) -> SentTask:
    """A question as it is on the server."""
    mark = ProjectMark("review", question.group, question.question.page, "id")
    project = Project(1, "1@a", mark, "", "", "", "", votes=2, shows_predictions=True, progress=Progress(0, 0, 0, 0))
    items = question.question.items
    faces = {item.id: item.face for item in items if item.face}
    ids = tuple(item.id for item in items)
    task = Task(number, question.question.id, ids, answered=True, finished=True, intact=True, current=True, faces=faces)
    return SentTask(project, task)


def meaning(cases: Iterator[Case]) -> dict[str, tuple[object, ...]]:
    """What an answer about each case decides, by the case's id; the face that stands for a person does not matter."""
    return {c.id: (frozenset(f[:-1] for f in c.findings), c.same_means, c.expected, c.purpose == "gold") for c in cases}


@pytest.mark.parametrize("seed", [0, 1])
def test_every_case_of_a_round_is_found_again_by_its_id(tmp_path, seed):
    refinement, _ = refined(str(tmp_path), seed=seed)
    questions = plan_round(refinement, (), {}, RoundLimits(budget=150)).questions
    tasks = [sent(q, n) for n, q in enumerate(questions)]
    logged = meaning(case for q in questions for case in q.cases)
    assert {gold for *_, gold in logged.values()} == {True, False}
    assert (MIXED in {q.question.page for q in questions}) == (seed == 0)
    assert meaning(case for _, case in cases_of_sent_items(refinement, tasks, known_items=())) == logged


def test_known_items_and_items_of_no_finding_are_left_out(tmp_path):
    refinement, _ = refined(str(tmp_path))
    one, other, *_ = plan_round(refinement, (), {}, RoundLimits(budget=20)).questions
    strange = sent(other, 2)
    strange = strange._replace(
        task=Task(2, "q", ("no finding",), True, True, True, True, faces={"no finding": "no face"})
    )
    known = {item.id for item in one.question.items}
    assert list(cases_of_sent_items(refinement, [sent(one, 1), strange], known_items=known)) == []


def test_the_beliefs_are_those_of_the_first_time_whatever_people_answered_since(tmp_path):
    """The labels after the answers are others, and many a question would not be asked any more."""
    root = str(tmp_path)
    refinement, _ = refined(root)
    questions = plan_round(refinement, (), {}, RoundLimits(budget=150)).questions
    tasks = [sent(q, n) for n, q in enumerate(questions)]
    cases = [case for q in questions for case in q.cases if case.purpose != "gold"]
    first = {(case.id, case.belief) for case in cases}
    without_person = {case.identity for case in cases if case.page == MIXED}
    ledger.append(
        root,
        (
            LedgerRow(ref, verdict, "truth", "truth", f"truth/{ref.finding_id}")
            for case in cases
            for ref in case.findings
            if case.identity not in without_person  # answers there bring other questions, with another belief
            for verdict in [verdict_of("other" if ref.kind == "outlier" else "different", case.same_means)]
        ),
    )
    now = label_again(root, settled_verdicts)
    assert now.labels.address != refinement.labels.address
    again = [case for _, case in cases_of_sent_items(now, tasks, known_items=()) if case.purpose != "gold"]
    assert {(case.id, case.belief) for case in again} == first


def test_the_machines_belief_is_logged_once(tmp_path, drawn_cases):
    root = str(tmp_path)
    first = machine_views([*drawn_cases, *drawn_cases[:5]], answer_id="policy/1")
    assert len({r.finding.finding_id for r in first}) == len(first)
    ledger.append(root, first)
    known = findings_with_belief(ledger.read(root))
    assert known == {r.finding.finding_id for r in first}
    assert machine_views(drawn_cases, answer_id="policy/2", known=known) == []
