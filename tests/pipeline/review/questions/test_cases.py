"""The cases of a refinement: each asks about something that an answer can change, and none is asked twice."""

from dataclasses import replace

from pipeline.refined.labels import label_again
from pipeline.review.answers.ledger import LedgerRow, append
from pipeline.review.answers.votes import settled_verdicts
from pipeline.review.questions.cases import find_cases
from pipeline.review.questions.question import GRID
from pipeline.review.questions.queue import DEFAULT_ANSWER_SECONDS, build_queue
from pipeline.schema import finding_id
from tests.builders.tables.composed_pages import composed
from tests.builders.tables.drawn_refinement import refined
from tests.builders.tables.ledger_rows import row


def test_nothing_is_asked_that_an_answer_cannot_change(drawn, drawn_cases):
    rows = {r["face_id"]: r for r in drawn.refinement.labels.read().to_pylist()}
    faces = [c.finding.subject for c in drawn_cases if c.finding.kind == "outlier"]
    assert faces
    assert len(set(faces)) == len(faces)
    assert not {rows[f]["reason"] for f in faces} & {"duplicate", "overlap", "no_face"}
    assert {c.finding.kind for c in drawn_cases} >= {"outlier", "merge", "split", "misplaced", "overlap"}


def test_stray_faces_of_one_group_are_one_question(drawn_cases):
    strays = [(c.identity, c.finding.object) for c in drawn_cases if c.finding.kind == "misplaced"]
    assert strays
    assert len(strays) == len(set(strays))


def test_where_people_see_a_person_and_the_machine_nobody_every_photo_is_asked_about(tmp_path):
    root = str(tmp_path)
    before = refined(root)[0]
    (mixed,) = [c for c in find_cases(before) if c.finding.kind == "mixed"]
    name = mixed.identity
    assert name == "zz"
    assert not [c for c in find_cases(before) if c.identity == name and c.page == GRID]
    append(root, [LedgerRow(mixed.finding, "no", annotator, "case", answer_id=annotator) for annotator in ("a", "b")])
    refinement = label_again(root, settled_verdicts)
    kept = {r["face_id"] for r in refinement.labels.read().to_pylist() if r["identity"] == name}
    suspects = [c for c in find_cases(refinement) if c.identity == name and c.page == GRID]
    assert {c.finding.subject_face for c in suspects} == kept
    assert len(suspects) == 4
    assert [p for p in build_queue(suspects, DEFAULT_ANSWER_SECONDS) if len(p.cases) == 4], (
        "on one page, beside each other"
    )
    (page,) = composed(refinement, suspects)
    assert set(page.question.left) == kept
    assert "several of these photos" in page.question.title


def test_a_duplicate_of_an_outlier_is_not_asked_about_beside_it(tmp_path):
    root = str(tmp_path)
    before = refined(root)[0]
    outliers = {c.finding.subject for c in find_cases(before) if c.finding.kind == "outlier"}
    rows = before.labels.read().to_pylist()
    first, second = [r["face_id"] for r in rows if r["reason"] == "outlier" and r["face_id"] in outliers][:2]
    answer = row(finding_id("duplicate", second, first), "yes", "known", kind="duplicate", subject=second, object=first)
    append(root, [replace(answer, purpose="truth")])
    refinement = label_again(root, settled_verdicts)
    labels = {r["face_id"]: r for r in refinement.labels.read().to_pylist()}
    assert labels[second]["reason"] == "outlier"
    assert labels[second]["finding_id"] == labels[first]["finding_id"]
    asked = {c.finding.subject for c in find_cases(refinement) if c.finding.kind == "outlier"}
    assert first in asked
    assert second not in asked
