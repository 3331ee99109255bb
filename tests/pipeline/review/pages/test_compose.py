"""Pages: the faces that they show, and the group of annotators that they are sent to."""

from collections import Counter

from pipeline.review.groups import GroupedIdentity
from pipeline.review.pages.compose import shown_faces
from pipeline.review.questions.audit import case_of_photo
from pipeline.review.questions.question import GRID, MIXED, PAIR
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


def test_an_overlap_page_says_which_side_is_the_test_set(drawn, drawn_cases):
    overlaps = composed(drawn.refinement, [c for c in drawn_cases if c.finding.kind == "overlap"])
    assert overlaps
    assert all(p.question.left_name.startswith("the data: ") for p in overlaps)
    assert all(p.question.right_name.startswith("the test set: ") for p in overlaps)


def test_a_mixed_identity_is_asked_about_by_its_photos_each_of_which_gets_an_answer(drawn, drawn_cases):
    mixed = [c for c in drawn_cases if c.finding.kind == "mixed"]
    assert mixed
    assert {c.page for c in mixed} == {MIXED}
    for page in composed(drawn.refinement, mixed):
        identity, *photos = page.cases
        assert [item.id for item in page.question.items] == [c.id for c in page.cases]
        assert page.question.left == tuple(c.finding.subject for c in photos)
        assert {(c.finding.kind, c.finding.object, c.same_means) for c in photos} == {
            ("outlier", identity.identity, "no")
        }
        assert len(photos) > 1


def test_a_photo_on_a_mixed_page_is_on_no_other_page(drawn, drawn_cases):
    mixed = next(c for c in drawn_cases if c.finding.kind == "mixed")
    (page,) = composed(drawn.refinement, [mixed])
    both = composed(drawn.refinement, [mixed, page.cases[1], next(c for c in drawn_cases if c.page == GRID)])
    items = [item.id for q in both for item in q.question.items]
    assert len(items) == len(set(items))
    assert {page.cases[1].id, mixed.id} <= set(items)
    again = composed(drawn.refinement, [mixed, page.cases[1]], answers_given={mixed.id: 2, page.cases[1].id: 2})
    assert [q.question.page for q in again] == [MIXED]


def test_of_an_identity_without_a_person_the_photos_that_people_confirmed_are_the_sure_ones(drawn, drawn_cases):
    mixed = next(c for c in drawn_cases if c.finding.kind == "mixed")
    (page,) = composed(drawn.refinement, [mixed])
    asked, *others = page.cases[1:]
    (before,) = composed(drawn.refinement, [asked])
    assert set(before.question.left) >= {c.finding.subject for c in others[:2]}
    assert "several of these photos" in before.question.title
    (after,) = composed(drawn.refinement, [asked], confirmed_faces=[others[0].finding.subject])
    assert after.question.left == (others[0].finding.subject,)
    assert "several" not in after.question.title


def test_where_the_audit_asks_about_every_photo_of_a_person_some_stay_to_compare_with(drawn):
    identity, cases = audit_of_one_person(drawn.refinement)
    pages = composed(drawn.refinement, cases)
    asked = {i.face for q in pages for i in q.question.items}
    sure = {f for q in pages for f in q.question.left}
    assert asked, identity
    assert sure
    assert not asked & sure
    assert asked | sure <= {c.finding.subject for c in cases}


def audit_of_one_person(refinement):
    """The identity with the fewest photos in its person's cluster, five at least, and the audit of all its photos."""
    rows = refinement.labels.read(["face_id", "claimed", "identity", "reason"]).to_pylist()
    kept = [r for r in rows if r["identity"] and r["identity"] == r["claimed"] and not r["reason"]]
    number = Counter(r["identity"] for r in kept)
    identity = min((n, i) for i, n in number.items() if n >= 5)[1]
    return identity, [case_of_photo(*r.values()) for r in kept if r["identity"] == identity]


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
