"""Pages: the faces that they show, and the group of annotators that they are sent to."""

from pipeline.review.groups import GroupedIdentity
from pipeline.review.pages.compose import shown_faces
from pipeline.review.questions.question import GRID, PAIR
from tests.builders.tables.composed_pages import composed


def test_pages_show_sure_faces_of_the_person_and_never_a_suspect_as_sure(drawn, drawn_cases):
    refinement, truth = drawn.refinement, drawn.truth
    key = {r["face_id"]: r["key"] for r in refinement.labels.read(["face_id", "key"]).to_pylist()}
    suspects = [c for c in drawn_cases if c.page == GRID]
    questions = composed(refinement, suspects)
    asked_faces = {i.face for q in questions for i in q.question.items}
    assert asked_faces
    for question in questions:
        assert not set(question.question.left) & {i.face for i in question.question.items}
        shows = [truth[key[f]] for f in question.question.left]
        assert len({person for _, person in shows}) == 1
    assert asked_faces >= {c.finding.subject_face for c in suspects if any(c in q.cases for q in questions)}
    assert shown_faces(questions) >= asked_faces


def test_pairs_show_both_sides(drawn, drawn_cases):
    pairs = composed(drawn.refinement, [c for c in drawn_cases if c.page == PAIR])
    kinds = {p.cases[0].finding.kind for p in pairs}
    assert kinds >= {"merge", "split", "misplaced", "overlap"}
    assert all(p.question.left and p.question.right for p in pairs)
    assert all(not set(p.question.left) & set(p.question.right) for p in pairs)


def test_questions_go_to_the_group_of_their_identity_and_the_rest_to_general(drawn, drawn_cases):
    known = {f"p{p:02d}": GroupedIdentity("north" if p % 2 else "south", f"Person {p}") for p in range(50)}
    for question in composed(drawn.refinement, drawn_cases, known):
        name = question.cases[0].identity
        assert question.group == (known[name].group if name in known else "general")
        assert question.question.title.startswith(known[name].title if name in known else name)


def test_a_case_with_different_answers_is_asked_again_on_a_page_of_its_own(drawn, drawn_cases):
    suspects = [c for c in drawn_cases if c.page == GRID][:3]
    again = {suspects[0].id: 2}
    questions = composed(drawn.refinement, suspects, answers_given=again)
    alone = [q for q in questions if q.cases == (suspects[0],)]
    assert len(alone) == 1
    assert alone[0].question.id != composed(drawn.refinement, suspects[:1])[0].question.id
    assert alone[0].question.id == composed(drawn.refinement, suspects[:1], answers_given=again)[0].question.id
