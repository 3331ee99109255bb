"""The pages about some cases of a refinement."""

from collections.abc import Collection, Mapping, Sequence

from pipeline.refinement import Refinement
from pipeline.review.groups import GroupedIdentity
from pipeline.review.pages.compose import GroupQuestion, compose_questions
from pipeline.review.pages.page_faces import read_page_faces
from pipeline.review.questions.case import Case


def composed(
    refinement: Refinement,
    cases: Sequence[Case],
    known: Mapping[str, GroupedIdentity] | None = None,
    *,
    answers_given: Mapping[str, int] | None = None,
    confirmed_faces: Collection[str] = (),
) -> list[GroupQuestion]:
    """The pages about these cases; the other arguments are those of compose_questions()."""
    return compose_questions(
        read_page_faces(refinement, cases),
        cases,
        known or {},
        answers_given=answers_given or {},
        confirmed_faces=confirmed_faces,
    )
