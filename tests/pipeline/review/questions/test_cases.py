"""What is worth asking, in which order, on which pages, by whom."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from pipeline.noise.scores.far_curve import FarCurve
from pipeline.refined.labels import label_again
from pipeline.review.answers.ledger import LedgerRow, append, read, table_of
from pipeline.review.answers.votes import settle
from pipeline.review.groups import KnownIdentity, propose_groups
from pipeline.review.pages.compose import compose_questions, shown_faces
from pipeline.review.pages.gold import gold_question
from pipeline.review.questions.audit import draw_audit, estimate_noise, renew_audit
from pipeline.review.questions.belief import GenuineScores, outlier_belief
from pipeline.review.questions.cases import cases
from pipeline.review.questions.persons import ClusterKey
from pipeline.review.questions.question import GRID, PAIR
from pipeline.review.questions.queue import (
    CELLS_PER_PAGE,
    PAGE_SECONDS,
    answer_seconds,
    build_queue,
    expected_corrections,
    within_budget,
)
from pipeline.review.questions.queue import (
    DEFAULT_ANSWER_SECONDS as SECONDS,
)
from pipeline.review.round import RoundLimits, plan_round
from pipeline.schema import LEDGER
from tests.builders.tables.drawn_refinement import refined
from tests.builders.tables.ledger_rows import row


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    root = str(tmp_path_factory.mktemp("root"))
    return root, *refined(root)


@pytest.fixture(scope="module")
def every(done):
    return cases(done[1])


def test_nothing_is_asked_that_an_answer_cannot_change(done, every):
    rows = {r["face_id"]: r for r in done[1].labels.read().to_pylist()}
    faces = [c.finding.subject for c in every if c.finding.kind == "outlier"]
    assert faces
    assert len(set(faces)) == len(faces)
    assert not {rows[f]["reason"] for f in faces} & {"duplicate", "overlap", "no_face"}
    assert {c.finding.kind for c in every} >= {"outlier", "merge", "split", "misplaced", "overlap"}


def test_stray_faces_of_one_group_are_one_question(every):
    asked = [(c.identity, c.finding.object) for c in every if c.finding.kind == "misplaced"]
    assert len(asked) == len(set(asked))


def test_where_people_see_a_person_and_the_machine_nobody_every_photo_is_asked_about(tmp_path):
    root = str(tmp_path)
    before = refined(root)[0]
    (asked,) = [c for c in cases(before) if c.finding.kind == "mixed"]
    name = asked.identity
    assert name == "zz"
    assert not [c for c in cases(before) if c.identity == name and c.page == GRID]
    append(root, [LedgerRow(asked.finding, "no", who, "case", answer_id=who) for who in ("a", "b")])
    done = label_again(root, settle(read(root)).verdicts)
    kept = {r["face_id"] for r in done.labels.read().to_pylist() if r["identity"] == name}
    which = [c for c in cases(done) if c.identity == name and c.page == GRID]
    assert {c.finding.subject_face for c in which} == kept
    assert len(which) == 4
    assert [p for p in build_queue(which, SECONDS) if len(p.cases) == 4], "on one page, beside each other"
    (sheet,) = compose_questions(done, which, {}, answers_given={})
    assert set(sheet.question.left) == kept
    assert "several of these photos" in sheet.question.title


def test_belief_falls_with_likeness():
    genuine = GenuineScores(6.0, 1.5, 0.3)
    z = np.linspace(-3, 8, 40)
    p = outlier_belief(z, FarCurve(0, 1, 0), genuine)
    assert p[0] > 0.95
    assert p[-1] < 0.001
    assert all(a >= b - 1e-9 for a, b in pairwise(p))


def test_the_machine_is_right_where_it_is_sure(done, every):
    _, refinement, truth = done
    key = {r["face_id"]: r["key"] for r in refinement.labels.read(["face_id", "key"]).to_pylist()}
    suspects = [c for c in every if c.finding.kind == "outlier"]
    holds = np.array([truth[key[c.finding.subject]][0] != "clean" for c in suspects])
    belief = np.array([c.belief for c in suspects])
    assert holds[belief > 0.9].mean() > 0.9


def test_the_queue_puts_first_what_corrects_most_for_a_second(every):
    queue = build_queue(every, SECONDS, min_error_probability=0.0)
    worth = [
        sum(map(expected_corrections, p.cases)) / (PAGE_SECONDS + sum(SECONDS[c.page] for c in p.cases)) for p in queue
    ]
    assert worth == sorted(worth, reverse=True)
    assert worth == pytest.approx([p.corrections_per_second for p in queue])
    assert sorted(c.id for p in queue for c in p.cases) == sorted(c.id for c in every)
    assert all(len(p.cases) <= CELLS_PER_PAGE and len({c.identity for c in p.cases}) == 1 for p in queue)


def test_a_budget_cuts_the_queue_and_what_is_answered_makes_room(every):
    queue = build_queue(every, SECONDS, min_error_probability=0.0)
    first = within_budget(queue, SECONDS, answered=(), budget=5)
    assert len(first) == 5
    later = within_budget(queue, SECONDS, answered={first[0].id}, budget=5)
    assert later[:4] == first[1:]
    assert within_budget(queue, SECONDS, answered=(), budget=0) == []
    minute = within_budget(queue, SECONDS, answered=(), budget=10**6, minutes=1)
    assert (
        60 - PAGE_SECONDS - 8
        < sum(SECONDS[c.page] for c in minute) + PAGE_SECONDS * len({(c.page, c.identity) for c in minute})
        <= 60
    )


def test_seconds_are_measured_once_there_are_enough_answers(tmp_path):
    append(str(tmp_path), [row(f"{i}", "no", "w", choice="same", seconds=1.5) for i in range(40)])
    append(str(tmp_path), [row(f"m{i}", "no", "w", choice="different", kind="merge", seconds=20.0) for i in range(29)])
    assert answer_seconds(read(str(tmp_path))) == {GRID: 1.5, PAIR: SECONDS[PAIR]}


def test_pages_show_sure_faces_of_the_person_and_never_a_suspect_as_sure(done, every):
    _, refinement, truth = done
    key = {r["face_id"]: r["key"] for r in refinement.labels.read(["face_id", "key"]).to_pylist()}
    suspects = [c for c in every if c.page == GRID]
    sheets = compose_questions(refinement, suspects, {}, answers_given={})
    asked = {i.face for s in sheets for i in s.question.items}
    for sheet in sheets:
        assert not set(sheet.question.left) & {i.face for i in sheet.question.items}
        shows = [truth[key[f]] for f in sheet.question.left]
        assert len({who for kind, who in shows}) == 1
    assert asked >= {c.finding.subject_face for c in suspects if any(c in s.cases for s in sheets)}
    assert shown_faces(sheets) >= asked


def test_pairs_show_both_sides(done, every):
    pairs = compose_questions(done[1], [c for c in every if c.page == PAIR], {}, answers_given={})
    kinds = {s.cases[0].finding.kind for s in pairs}
    assert kinds >= {"merge", "split", "misplaced", "overlap"}
    assert all(s.question.left and s.question.right for s in pairs)
    assert all(not set(s.question.left) & set(s.question.right) for s in pairs)


def test_questions_go_to_the_group_of_their_identity_and_the_rest_to_general(done, every):
    known = {f"p{p:02d}": KnownIdentity("north" if p % 2 else "south", f"Person {p}") for p in range(50)}
    for sheet in compose_questions(done[1], every, known, answers_given={}):
        name = sheet.cases[0].identity
        assert sheet.group == (known[name].group if name in known else "general")
        assert sheet.question.title.startswith(known[name].title if name in known else name)


def test_what_two_answered_differently_is_asked_again_on_a_page_of_its_own(done, every):
    some = [c for c in every if c.page == GRID][:3]
    again = {some[0].id: 2}
    sheets = compose_questions(done[1], some, {}, answers_given=again)
    alone = [s for s in sheets if s.cases == (some[0],)]
    assert len(alone) == 1
    assert alone[0].question.id != compose_questions(done[1], some[:1], {}, answers_given={})[0].question.id
    assert alone[0].question.id == compose_questions(done[1], some[:1], {}, answers_given=again)[0].question.id


def test_gold_is_known_and_looks_like_the_rest(done, every):
    sheets = compose_questions(done[1], [c for c in every if c.page == GRID], {}, answers_given={})
    gold = [(s, c) for s in sheets for c in s.cases if c.purpose == "gold"]
    cells = sum(len(s.cases) for s in sheets)
    assert 0.02 < len(gold) / cells < 0.2
    rows = done[1].labels.read(["face_id", "key"]).to_pylist()
    person = {r["face_id"]: done[2][r["key"]] for r in rows}
    for sheet, case in gold:
        same = person[case.finding.subject] == person[sheet.question.left[0]]
        assert case.expected == ("no" if same else "yes")
        assert case.finding.subject not in sheet.question.left
    assert {c.expected for _, c in gold} == {"yes", "no"}
    some = [c for c in every if c.page == GRID][:20]
    assert gold_question(ClusterKey("nobody", 0), some, {}) is None


def test_an_audit_draws_from_what_is_kept_and_stays_until_it_is_answered(done):
    _, refinement, _ = done
    kept = {r["face_id"] for r in refinement.labels.read().to_pylist() if r["identity"]}
    drawn = draw_audit(refinement, 40)
    assert len({c.finding.subject for c in drawn} & kept) == 40
    assert drawn == draw_audit(refinement, 40)
    first = renew_audit(refinement, 40, set())
    assert renew_audit(refinement, 40, set()) == first
    other = replace(refinement, labels=refinement.decisions)
    assert renew_audit(other, 40, set()).labels == first.labels  # not answered yet


def test_the_estimate_of_noise_is_wilsons_interval():
    """5 wrong of 100: 2.15% to 11.18% (Wilson 1927, computed by hand)."""
    rows = [row(f"f{i}", "yes" if i < 5 else "no", w, purpose="audit") for i in range(100) for w in ("v", "w")]
    found = estimate_noise({f"f{i}": "yes" for i in range(120)}, settle(table_of(rows)).verdicts)
    assert found is not None
    assert (found.judged, found.wrong) == (100, 5)
    assert (found.low, found.high) == (pytest.approx(0.0215, abs=1e-4), pytest.approx(0.1118, abs=1e-4))
    assert estimate_noise({"none": "yes"}, settle(LEDGER.empty_table()).verdicts) is None


def test_groups_are_proposed_by_neighbours_and_never_overrule(done):
    """Every person's likest neighbours with a group are of one group here: the vote is whole."""
    _, refinement, _ = done
    known = {f"p{p:02d}": KnownIdentity("north", "") for p in range(30)}
    found = propose_groups(refinement, known)
    assert found
    assert not set(found) & set(known)
    assert {p.group for p in found.values()} == {"north"}
    assert all(p.share == 1 for p in found.values())
    assert propose_groups(refinement, {}) == {}


def test_a_draft_asks_nothing_twice(done):
    _, refinement, _ = done
    terms = RoundLimits(budget=30, audit=10)
    first = plan_round(refinement, (), {}, terms)
    items = [i.id for s in first.questions for i in s.question.items]
    assert len(items) == len(set(items))
    again = plan_round(refinement, set(items), {}, terms)
    assert not [i for s in again.questions for i in s.question.items if i.id in items and s.question.page == PAIR]
    assert not [c for s in again.questions for c in s.cases if c.purpose != "gold" and c.id in items]
    assert again.wanted_items == first.wanted_items
