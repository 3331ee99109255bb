"""The cases of items that are on the server but not in the question log, which was lost or is of an earlier backup.

They are found again by their ids: an id is a digest of the kind, the subject and the object of a finding. The machine's
belief is that of the time when the question was asked: it does not depend on what people's answers made of the labels.
"""

from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from pipeline.refinement import Refinement
from pipeline.review.label_studio.records import SentTask
from pipeline.review.pages.gold import gold_case
from pipeline.review.questions.audit import case_of_photo
from pipeline.review.questions.case import Case
from pipeline.review.questions.cases import find_cases
from pipeline.review.questions.photo_cases import photo_of_mixed_identity
from pipeline.review.questions.question import MIXED
from pipeline.tables.face_rows import rows_of_faces


class LabelledFace(NamedTuple):
    """The label of a photo."""

    face: str
    claimed: str
    identity: str | None
    reason: str


def cases_of_sent_items(
    refinement: Refinement, tasks: Iterable[SentTask], *, known_items: Collection[str]
) -> Iterator[tuple[SentTask, Case]]:
    """The cases of the items of tasks that are not among known_items, each with its task; items about findings that the
    refinement does not have any more are left out.
    """
    known_items = frozenset(known_items)
    lost = [sent for sent in tasks if not known_items.issuperset(sent.task.items)]
    if not lost:
        return
    faces = {face for sent in lost for face in sent.task.faces.values()}
    columns = ("face_id", "claimed", "identity", "reason")
    labels = {row[0]: LabelledFace(*row) for row in rows_of_faces(refinement.labels, faces, columns)}
    candidates = {case.id: case for case in find_cases(refinement, before_answers=True)}
    for sent in lost:
        task, mixed = sent.task, sent.project.mark.page == MIXED
        identities = {candidates[i].identity for i in task.items if i in candidates}
        identities |= {labels[f].claimed for f in task.faces.values() if f in labels}
        for item in task.items:
            if item in known_items:
                continue
            label = labels.get(task.faces.get(item, ""))
            case = candidates.get(item)
            if case is None and label is not None:
                case = _case_of_face(item, label, identities, mixed=mixed)
            if case is not None:
                yield sent, case


def _case_of_face(item: str, label: LabelledFace, identities: Collection[str], *, mixed: bool) -> Case | None:
    """The case of an item about one photo: of the audit, of an identity without a person, or a gold question.

    identities: whose page the item may be on; mixed: whether the page is a mixed one. None when no case has the id.
    """
    kept_by_machine = case_of_photo(label.face, label.claimed, label.claimed, "")  # whatever people answered since
    possible = [photo_of_mixed_identity(label.face, label.claimed) if mixed else kept_by_machine]
    if label.identity is not None:
        possible.append(case_of_photo(label.face, label.claimed, label.identity, label.reason))
    possible += [gold_case(label.face, i, somebody_else=label.claimed != i) for i in sorted(identities)]
    return next((case for case in possible if case.id == item), None)
