"""Gold questions: questions whose answer is known, put among the suspects to measure each annotator's accuracy.

The photo is a sure face of the page's person, or a sure face of somebody else; in nothing else does it differ from the
suspects.
"""

from collections.abc import Collection, Mapping, Sequence

from pipeline.review.pages.exemplars import SHOWN
from pipeline.review.questions.case import Case
from pipeline.review.questions.explanations import DRAWN_AT_RANDOM
from pipeline.review.questions.finding_ref import FindingRef
from pipeline.review.questions.persons import ClusterKey
from pipeline.review.questions.question import GRID, Verdict
from pipeline.schema import digest, finding_id

ONE_IN = 10  # cells of a grid, gold questions


def gold_question(
    person: ClusterKey,
    suspects: Sequence[Case],
    exemplars: Mapping[ClusterKey, list[str]],
    *,
    lookalikes: Collection[str] = (),
) -> Case | None:
    """A gold question for a person's page of these suspects, or None: about one in ONE_IN of all cells, drawn by hash.

    exemplars: the surest faces of clusters, those after the first SHOWN not being shown; lookalikes: identities that
    may be the same person as the page's, of which no face is taken for somebody else's.
    """
    identity = person.identity
    draw = int(digest("gold", identity, *sorted(c.id for c in suspects)), 16)
    spare = exemplars.get(person, [])[SHOWN:]
    if draw % ONE_IN >= len(suspects) or not spare:
        return None
    others = sorted(
        key
        for key, faces in exemplars.items()
        if key.identity != identity and key.cluster == 0 and key.identity not in lookalikes and faces
    )
    somebody_else = (draw // ONE_IN) % 2 == 1 and bool(others)
    face = exemplars[others[draw // (2 * ONE_IN) % len(others)]][0] if somebody_else else spare[0]
    expected: Verdict = "yes" if somebody_else else "no"  # to the finding "this photo is an outlier"
    ref = FindingRef(finding_id("gold", face, identity), "outlier", face, identity, face, None)
    return Case(ref, GRID, identity, "unsure", DRAWN_AT_RANDOM, 0.0, 0, 0.5, purpose="gold", expected=expected)
