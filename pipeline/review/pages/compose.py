"""From cases to pages: the faces that each page shows side by side, and the group of annotators that it goes to."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from pipeline.refinement import Refinement
from pipeline.review.groups import GENERAL, GroupedIdentity
from pipeline.review.pages.exemplars import SHOWN
from pipeline.review.pages.gold import gold_question
from pipeline.review.pages.page_faces import PageFaces, read_page_faces
from pipeline.review.questions.case import Case
from pipeline.review.questions.persons import ClusterKey
from pipeline.review.questions.question import GRID, PAIR, Item, Question, question_id
from pipeline.review.questions.queue import CELLS_PER_PAGE


@dataclass(frozen=True)
class GroupQuestion:
    """A question with the group of annotators that answers it, and its cases; a gold question is one of them."""

    group: str
    question: Question
    cases: tuple[Case, ...]
    repeated: bool = False  # whether it asks for one more answer, because the answers so far differ


def compose_questions(
    refinement: Refinement,
    cases: Sequence[Case],
    grouped_identities: Mapping[str, GroupedIdentity],
    *,
    answers_given: Mapping[str, int],
    sent_items: Collection[str] = (),
) -> list[GroupQuestion]:
    """The questions for these cases, in the order of the cases; suspects of one identity share pages.

    grouped_identities: group and title, by identity. answers_given: the number of answers of each case that is asked
    once more because they differ, by finding_id; such a case gets a page of its own, whose id does not depend on the
    other cases. sent_items: ids of items that were sent before; no gold question is sent twice.
    """
    composer = _Composer(read_page_faces(refinement, cases), grouped_identities, sent_items)
    first_time = [c for c in cases if c.id not in answers_given]
    suspects: dict[str, list[Case]] = defaultdict(list)
    for case in first_time:
        if case.page == GRID:
            suspects[case.identity].append(case)
    questions: list[GroupQuestion] = []
    for case in first_time:
        if case.page == PAIR:
            questions.append(composer.pair(case))
        else:
            questions += composer.grids(suspects.pop(case.identity, []))
    for case in cases:
        if case.id in answers_given:
            questions.append(composer.repeated(case, answers_given[case.id]))
    return [q for q in questions if q.question.left and (q.question.right or q.question.page == GRID)]


def shown_faces(questions: Collection[GroupQuestion]) -> set[str]:
    """The face_ids of all faces on the questions' pages."""
    shown: set[str] = set()
    for question in (q.question for q in questions):
        shown.update(question.left, question.right, (item.face for item in question.items if item.face))
    return shown


@dataclass(frozen=True)
class _Composer:
    """Puts cases on pages."""

    faces: PageFaces
    grouped_identities: Mapping[str, GroupedIdentity]
    sent_items: Collection[str]

    def grids(self, suspects: Sequence[Case]) -> list[GroupQuestion]:
        """One identity's suspects on as many grids as they need; a gold question may be on the first."""
        starts = range(0, len(suspects), CELLS_PER_PAGE)
        return [self.grid(suspects[i : i + CELLS_PER_PAGE], with_gold=i == 0) for i in starts]

    def repeated(self, case: Case, answers: int) -> GroupQuestion:
        """The page that asks one more annotator about a case; answers: the number of answers that the case has."""
        page = self.grid([case], round=answers) if case.page == GRID else self.pair(case, round=answers)
        return replace(page, repeated=True)

    def grid(self, suspects: Sequence[Case], *, round: int = 0, with_gold: bool = False) -> GroupQuestion:
        identity = suspects[0].identity
        person = self.faces.persons[identity].key if identity in self.faces.persons else ClusterKey(identity, 0)
        gold = self._gold(person, suspects) if with_gold else None
        cases = sorted([*suspects, gold] if gold else suspects, key=lambda c: c.id)  # no place shows which one is gold
        items = tuple(Item(c.id, c.finding.subject_face or "", c.machine_verdict, c.explanation) for c in cases)
        left, title = tuple(self.faces.exemplars.get(person, ())[:SHOWN]), self._title(identity)
        if identity in self.faces.without_person:
            left = tuple(self.faces.of_identities.get(identity, ())[:SHOWN])
            title += " · the one whom several of these photos show"
        question = Question(question_id(GRID, items, round), GRID, title, left, (), items)
        return GroupQuestion(self._group(identity), question, tuple(cases))

    def pair(self, case: Case, *, round: int = 0) -> GroupQuestion:
        (left_name, left), (right_name, right) = _sides(case, self.faces)
        items = (Item(case.id, "", case.machine_verdict, case.explanation),)
        title = self._title(case.identity)
        if case.finding.kind == "mixed":
            title += " · is there one person whom several of these photos show?"
        question = Question(
            question_id(PAIR, items, round),
            PAIR,
            title,
            tuple(left[:SHOWN]),
            tuple(right[:SHOWN]),
            items,
            self._title(left_name),
            self._title(right_name),
            case.same_means,
        )
        return GroupQuestion(self._group(case.identity), question, (case,))

    def _gold(self, person: ClusterKey, suspects: Sequence[Case]) -> Case | None:
        lookalikes = self.faces.lookalikes.get(person.identity, ())
        gold = gold_question(person, suspects, self.faces.exemplars, lookalikes=lookalikes)
        return None if gold is None or gold.id in self.sent_items else gold

    def _group(self, name: str) -> str:
        """The group of an identity, or of the identity that a further person is under."""
        claimed = self.faces.persons[name].identity if name in self.faces.persons else name
        return self.grouped_identities[claimed].group if claimed in self.grouped_identities else GENERAL

    def _title(self, name: str) -> str:
        return self.grouped_identities[name].title if name in self.grouped_identities else name


def _sides(case: Case, faces: PageFaces) -> tuple[tuple[str, list[str]], tuple[str, list[str]]]:
    """Name and face_ids of the left side of a pair, and the same of the right side."""
    finding, identity = case.finding, case.identity
    subject, other = finding.subject, finding.object or ""
    if finding.kind == "mixed":
        photos = faces.of_identities.get(identity, [])
        return (identity, photos[::2]), (identity, photos[1::2])
    if finding.kind == "split":
        others = f"other photos under {identity}"
        return (identity, faces.of_split_side(subject)), (others, faces.of_split_side(other))
    if finding.kind == "misplaced":
        stray = f"photos under {identity}" if identity != other else "a photo without a name"
        return (stray, [ref.subject for ref in case.findings]), (other, faces.of_person(other))
    right = faces.of_test_sets.get(other, []) if finding.kind == "overlap" else faces.of_person(other)
    return (identity, faces.of_person(subject) or [subject]), (other, right)
