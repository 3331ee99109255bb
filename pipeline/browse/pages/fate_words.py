"""How a photo got its fate, and what would change it, in sentences."""

from dataclasses import dataclass

from pipeline.browse.finding_index import ShownFinding
from pipeline.refined.reasons import FINDINGS, RELABELLED, REMOVED

VERDICTS = {"yes": "right", "no": "wrong", "unsure": "waits for people"}
POLICY = "policy"


@dataclass(frozen=True)
class FateWords:
    """The fate in one line, why it is so, and what would change it."""

    fate: str
    why: str
    change: str


def fate_in_words(
    *, identity: str | None, claimed: str | None, reason: str, deciding: ShownFinding | None, min_faces: int
) -> FateWords:
    """The fate of a photo in sentences; deciding: the finding that decided, None where none did."""
    if identity is None:
        fate, why = f"removed: {reason}", REMOVED.get(reason, reason)
    elif reason:
        fate, why = f"kept under {identity} ({reason})", RELABELLED.get(reason, reason)
    else:
        fate, why = f"kept under {identity}", "no finding against it is taken to be right"
    return FateWords(fate, why + _decider(deciding), _change(identity, claimed, reason, deciding, min_faces))


def _decider(deciding: ShownFinding | None) -> str:
    """Who took the deciding finding to be right."""
    if deciding is None:
        return ""
    by = "by the thresholds" if deciding.who == POLICY else f"by {deciding.who}"
    return f"; the finding ({FINDINGS.get(deciding.kind, deciding.kind)}) is {VERDICTS[deciding.verdict]} {by}"


def _change(
    identity: str | None, claimed: str | None, reason: str, deciding: ShownFinding | None, min_faces: int
) -> str:
    """What would change the fate."""
    if reason == "too_few":
        return f"it is kept once {min_faces} photos or more are left under its identity"
    if reason == "unnamed":
        return "it is kept once people move it to an identity"
    if reason in ("unreadable", "no_face", "erased"):
        return "nothing that people decide: there is no face to compare"
    if reason == "mixed":
        return "it is kept once people see one person among the photos of its identity"
    if reason == "duplicate" and deciding is not None:
        return "it is kept once people say that it is another picture than the one that is kept"
    if reason in ("merge", "split", "overlap") and deciding is not None:
        return "it changes with all of its person, once people say that this finding is wrong"
    if identity is None:
        return f"it is kept once people say that it shows {claimed}, or move it to the person that it shows"
    return "it is removed once people say that it shows somebody else, or that nobody can be recognised"
