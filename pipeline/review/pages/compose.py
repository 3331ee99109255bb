"""From cases to pages: which faces are shown beside which, and which group of annotators is asked."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from pipeline.refinement import Refinement
from pipeline.review.groups import GENERAL, KnownIdentity
from pipeline.review.pages.exemplars import SHOWN
from pipeline.review.pages.gold import gold_question
from pipeline.review.pages.page_faces import PageFaces, read_page_faces
from pipeline.review.questions.case import Case
from pipeline.review.questions.persons import ClusterKey
from pipeline.review.questions.question import GRID, PAIR, Item, Question, question_id
from pipeline.review.questions.queue import CELLS_PER_PAGE


@dataclass(frozen=True)
class GroupQuestion:
    """A question, the group that is asked, and the cases that it asks about, a gold question included."""

    group: str
    question: Question
    cases: tuple[Case, ...]
    repeated: bool = False  # the answers so far differ, one more is wanted


def compose_questions(
    refinement: Refinement,
    cases: Sequence[Case],
    known: Mapping[str, KnownIdentity],
    *,
    answers_given: Mapping[str, int],
    sent_items: Collection[str] = (),
) -> list[GroupQuestion]:
    """The questions for these cases, in their order; suspects of one identity share pages.

    known: group and title of identities. answers_given: for each finding_id that is asked again because its answers
    differ, how many there are: such a case has a page of its own, so that it is the same page however many there are.
    sent_items: ids of items that were sent before, of which no gold question is to be one.
    """
    composer = _Composer(read_page_faces(refinement, cases), known, sent_items)
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
    """The face_ids of every face that the questions' pages show."""
    shown: set[str] = set()
    for question in (q.question for q in questions):
        shown.update(question.left, question.right, (item.face for item in question.items if item.face))
    return shown


@dataclass(frozen=True)
class _Composer:
    """Puts cases on pages."""

    faces: PageFaces
    known: Mapping[str, KnownIdentity]
    sent_items: Collection[str]

    def grids(self, suspects: Sequence[Case]) -> list[GroupQuestion]:
        """One identity's suspects on as many grids as they take, a gold question on the first."""
        starts = range(0, len(suspects), CELLS_PER_PAGE)
        return [self.grid(suspects[i : i + CELLS_PER_PAGE], with_gold=i == 0) for i in starts]

    def repeated(self, case: Case, answers: int) -> GroupQuestion:
        """The page on which one more annotator is asked about a case that has so many answers."""
        page = self.grid([case], round=answers) if case.page == GRID else self.pair(case, round=answers)
        return replace(page, repeated=True)

    def grid(self, suspects: Sequence[Case], *, round: int = 0, with_gold: bool = False) -> GroupQuestion:
        identity = suspects[0].identity
        person = self.faces.persons[identity].key if identity in self.faces.persons else ClusterKey(identity, 0)
        gold = self._gold(person, suspects) if with_gold else None
        cases = sorted([*suspects, gold] if gold else suspects, key=lambda c: c.id)  # gold must not stand last
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
        """An identity's group; a further person found under an identity is for the group that knows the identity."""
        claimed = self.faces.persons[name].identity if name in self.faces.persons else name
        return self.known[claimed].group if claimed in self.known else GENERAL

    def _title(self, name: str) -> str:
        return self.known[name].title if name in self.known else name


def _sides(case: Case, faces: PageFaces) -> tuple[tuple[str, list[str]], tuple[str, list[str]]]:
    """What the two sides of a pair are called, and their faces."""
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
