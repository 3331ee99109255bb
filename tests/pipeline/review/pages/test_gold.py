"""Gold questions: the known answer is right, and the page does not show which question is gold."""

from pipeline.review.pages.gold import gold_question
from pipeline.review.questions.persons import ClusterKey
from pipeline.review.questions.question import GRID
from tests.builders.tables.composed_pages import composed


def test_gold_questions_have_right_answers_and_look_like_the_other_cells(drawn, drawn_cases):
    questions = composed(drawn.refinement, [c for c in drawn_cases if c.page == GRID])
    gold = [(q, c) for q in questions for c in q.cases if c.purpose == "gold"]
    cells = sum(len(q.cases) for q in questions)
    assert 0.02 < len(gold) / cells < 0.2
    rows = drawn.refinement.labels.read(["face_id", "key"]).to_pylist()
    person = {r["face_id"]: drawn.truth[r["key"]] for r in rows}
    for question, case in gold:
        same = person[case.finding.subject] == person[question.question.left[0]]
        assert case.expected == ("no" if same else "yes")
        assert case.finding.subject not in question.question.left
    assert {c.expected for _, c in gold} == {"yes", "no"}
    suspects = [c for c in drawn_cases if c.page == GRID][:20]
    assert gold_question(ClusterKey("nobody", 0), suspects, {}) is None
