"""From cases to pages: the faces that each page shows side by side, and the group of annotators that it goes to."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from pipeline.review.groups import GENERAL, GroupedIdentity
from pipeline.review.pages.exemplars import SHOWN
from pipeline.review.pages.gold import gold_question
from pipeline.review.pages.page_faces import PageFaces
from pipeline.review.questions.case import Case
from pipeline.review.questions.persons import ClusterKey
from pipeline.review.questions.photo_cases import photo_of_mixed_identity
from pipeline.review.questions.question import GRID, MIXED, PAIR, Item, Question, question_id
from pipeline.review.questions.queue import CELLS_PER_PAGE


@dataclass(frozen=True)
class GroupQuestion:
    """A question with the group of annotators that answers it, and its cases; a gold question is one of them."""

    group: str
    question: Question
    cases: tuple[Case, ...]
    repeated: bool = False  # whether it asks for one more answer, because the answers so far differ


def compose_questions(
    faces: PageFaces,
    cases: Sequence[Case],
    grouped_identities: Mapping[str, GroupedIdentity],
    *,
    answers_given: Mapping[str, int],
    sent_items: Collection[str] = (),
    confirmed_faces: Collection[str] = (),
) -> list[GroupQuestion]:
    """The questions for these cases, in the order of the cases; suspects of one identity share pages.

    faces: read for these cases. grouped_identities: group and title, by identity. answers_given: by finding_id of a
    case that is asked once more, the number of its answers; such a case gets a page of its own, whose id does not
    depend on the other cases. sent_items: ids of items that were sent before; no gold question is sent twice.
    confirmed_faces: face_ids of photos that, as people say, show their claimed identity; they are the sure ones of an
    identity in which the machine sees no person.
    """
    composer = _Composer(faces, grouped_identities, sent_items, confirmed_faces)
    on_mixed_pages = {c.id for case in cases if case.page == MIXED for c in composer.mixed(case).cases[1:]}
    cases = [c for c in cases if c.id not in on_mixed_pages]
    first_time = [c for c in cases if c.id not in answers_given]
    suspects: dict[str, list[Case]] = defaultdict(list)
    for case in first_time:
        if case.page == GRID:
            suspects[case.identity].append(case)
    questions: list[GroupQuestion] = []
    for case in first_time:
        if case.page == GRID:
            questions += composer.grids(suspects.pop(case.identity, []))
        else:
            questions.append(composer.page(case))
    for case in cases:
        if case.id in answers_given:
            questions.append(composer.repeated(case, answers_given[case.id]))
    return [q for q in questions if _can_be_answered(q.question)]


def _can_be_answered(question: Question) -> bool:
    """Whether a page shows photos to compare: a grid its person, a pair both sides, a mixed page two or more."""
    if question.page == MIXED:
        return len(question.left) > 1
    return bool(question.left and (question.right or question.page == GRID))


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
    confirmed_faces: Collection[str]

    def grids(self, suspects: Sequence[Case]) -> list[GroupQuestion]:
        """One identity's suspects on as many grids as they need; a gold question may be on the first.

        An audited photo that stands among the sure ones, because no others are left, waits for a later round.
        """
        sure = set(self.faces.exemplars.get(self._person(suspects[0].identity), ())) if suspects else set()
        suspects = [c for c in suspects if c.finding.subject_face not in sure]
        starts = range(0, len(suspects), CELLS_PER_PAGE)
        return [self.grid(suspects[i : i + CELLS_PER_PAGE], with_gold=i == 0) for i in starts]

    def repeated(self, case: Case, answers: int) -> GroupQuestion:
        """The page that asks one more annotator about a case; answers: the number of answers that the case has."""
        page = self.grid([case], round=answers) if case.page == GRID else self.page(case, round=answers)
        return replace(page, repeated=True)

    def page(self, case: Case, *, round: int = 0) -> GroupQuestion:
        """The page of a case that has one for itself."""
        return self.mixed(case, round=round) if case.page == MIXED else self.pair(case, round=round)

    def grid(self, suspects: Sequence[Case], *, round: int = 0, with_gold: bool = False) -> GroupQuestion:
        identity = suspects[0].identity
        person = self._person(identity)
        gold = self._gold(person, suspects) if with_gold else None
        cases = sorted([*suspects, gold] if gold else suspects, key=lambda c: c.id)  # no place shows which one is gold
        items = tuple(Item(c.id, c.finding.subject_face or "", c.machine_verdict, c.explanation) for c in cases)
        left, title = self.faces.exemplars.get(person, ()), self._title(identity)
        if identity in self.faces.without_person:
            photos = self.faces.of_identities.get(identity, ())
            left = [f for f in photos if f in self.confirmed_faces]
            if not left:
                left, title = photos, f"{title} (the person whom several of these photos show)"
        question = Question(question_id(GRID, items, round), GRID, title, tuple(left[:SHOWN]), (), items)
        return GroupQuestion(self._group(identity), question, tuple(cases))

    def pair(self, case: Case, *, round: int = 0) -> GroupQuestion:
        left, right = _sides(case, self.faces, self._title)
        items = (Item(case.id, "", case.machine_verdict, case.explanation),)
        title = self._title(case.identity)
        question = Question(
            question_id(PAIR, items, round),
            PAIR,
            title,
            tuple(left.faces[:SHOWN]),
            tuple(right.faces[:SHOWN]),
            items,
            left.heading,
            right.heading,
            case.same_means,
        )
        return GroupQuestion(self._group(case.identity), question, (case,))

    def mixed(self, case: Case, *, round: int = 0) -> GroupQuestion:
        """The page that asks which photos of an identity show one person; each photo has an answer of its own."""
        photos = self.faces.of_identities.get(case.identity, [])
        photo_cases = [photo_of_mixed_identity(face, case.identity) for face in photos]
        items = tuple(Item(c.id, c.finding.subject_face or "", "unsure", "") for c in photo_cases)
        items = (Item(case.id, "", case.machine_verdict, case.explanation), *items)
        title = self._title(case.identity)
        question = Question(question_id(MIXED, items, round), MIXED, title, tuple(photos), (), items)
        return GroupQuestion(self._group(case.identity), question, (case, *photo_cases))

    def _gold(self, person: ClusterKey, suspects: Sequence[Case]) -> Case | None:
        lookalikes = self.faces.lookalikes.get(person.identity, ())
        gold = gold_question(person, suspects, self.faces.exemplars, lookalikes=lookalikes)
        return None if gold is None or gold.id in self.sent_items else gold

    def _person(self, identity: str) -> ClusterKey:
        return self.faces.persons[identity].key if identity in self.faces.persons else ClusterKey(identity, 0)

    def _group(self, name: str) -> str:
        """The group of an identity, or of the identity that a further person is under."""
        claimed = self.faces.persons[name].identity if name in self.faces.persons else name
        return self.grouped_identities[claimed].group if claimed in self.grouped_identities else GENERAL

    def _title(self, name: str) -> str:
        """The title of an identity, or of a further person under one, for people."""
        if name in self.faces.persons and self.faces.persons[name].cluster > 0:
            return f"another person under {self._title(self.faces.persons[name].identity)}"
        return self.grouped_identities[name].title if name in self.grouped_identities else name


class _Side(NamedTuple):
    """One side of a pair: its heading and its face_ids."""

    heading: str
    faces: Sequence[str]


def _sides(case: Case, faces: PageFaces, title: Callable[[str], str]) -> tuple[_Side, _Side]:
    """The left and the right side of a pair; title: gives the name of an identity or person for people."""
    finding, identity = case.finding, case.identity
    subject, other = finding.subject, finding.object or ""
    if finding.kind == "split":
        others = f"other photos under {title(identity)}"
        return _Side(title(identity), faces.of_split_side(subject)), _Side(others, faces.of_split_side(other))
    if finding.kind == "misplaced":
        stray = f"photos under {title(identity)}" if identity != other else "a photo without a name"
        return _Side(stray, [ref.subject for ref in case.findings]), _Side(title(other), faces.of_person(other))
    left = faces.of_person(subject) or [subject]
    if finding.kind == "overlap":
        right = _Side(f"the test set: {other}", faces.of_test_sets.get(other, []))
        return _Side(f"the data: {title(subject)}", left), right
    return _Side(title(subject), left), _Side(title(other), faces.of_person(other))
