"""Gold questions: questions with a known answer among the suspects of a page, to measure each annotator's accuracy.

The photo is a sure face of the page's person or of another person. Otherwise it looks like a suspect.
"""

from collections.abc import Collection, Mapping, Sequence

from pipeline.review.pages.exemplars import SHOWN
from pipeline.review.questions.case import Case
from pipeline.review.questions.explanations import DRAWN_AT_RANDOM
from pipeline.review.questions.finding_ref import FindingRef
from pipeline.review.questions.persons import ClusterKey
from pipeline.review.questions.question import GRID, Verdict
from pipeline.schema import digest, finding_id

ONE_IN = 10  # about one cell in ten is a gold question


def gold_question(
    person: ClusterKey,
    suspects: Sequence[Case],
    exemplars: Mapping[ClusterKey, list[str]],
    *,
    lookalikes: Collection[str] = (),
) -> Case | None:
    """A gold question for a person's page with these suspects, or None: a hash draws about one cell in ONE_IN as gold.

    exemplars: by cluster, as choose_exemplars() returns them; lookalikes: identities that may be the same person, so
    that their faces cannot stand for another person.
    """
    identity = person.identity
    draw = int(digest("gold", identity, *sorted(c.id for c in suspects)), 16)
    spare = exemplars.get(person, [])[SHOWN:]
    if draw % ONE_IN >= len(suspects) or not spare:
        return None
    other_persons = sorted(
        key
        for key, faces in exemplars.items()
        if key.identity != identity and key.cluster == 0 and key.identity not in lookalikes and faces
    )
    somebody_else = (draw // ONE_IN) % 2 == 1 and bool(other_persons)
    face = exemplars[other_persons[draw // (2 * ONE_IN) % len(other_persons)]][0] if somebody_else else spare[0]
    return gold_case(face, identity, somebody_else=somebody_else)


def gold_case(face: str, identity: str, *, somebody_else: bool) -> Case:
    """The gold question whether a photo shows the person of an identity; somebody_else: the known answer."""
    expected: Verdict = "yes" if somebody_else else "no"  # to the finding "this photo is an outlier"
    ref = FindingRef(finding_id("gold", face, identity), "outlier", face, identity, face, None)
    return Case(ref, GRID, identity, "unsure", DRAWN_AT_RANDOM, 0.0, 0, 0.5, purpose="gold", expected=expected)
