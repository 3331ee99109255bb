"""Where all photos went, as bands of a flow chart: ingested, then with or without a face, then their outcome.

Of every box as many photos go out as come in, so the chart adds up as the account does.
"""

from dataclasses import dataclass

from pipeline.browse.decisions.statements import WITHOUT_FACE
from pipeline.refinement import Account

INGESTED, FACE, NO_FACE = "ingested", "face found", "no face found"


@dataclass(frozen=True)
class Band:
    """The photos that go from one box of the chart to one of the next column."""

    start: str
    end: str
    fate: str  # kept, relabelled or removed, where that is known already; else ""
    photos: int


def photo_flow(account: Account) -> list[Band]:
    """The bands of an account that hold photos; those of the larger boxes come first in each column."""
    without = {reason: n for reason, n in account.removed.items() if reason in WITHOUT_FACE}
    with_face = {reason: n for reason, n in account.removed.items() if reason not in WITHOUT_FACE}
    lost = sum(without.values())
    bands = [
        Band(INGESTED, FACE, "", account.ingested - lost),
        Band(INGESTED, NO_FACE, "removed", lost),
        Band(FACE, "kept", "kept", account.kept - account.moved),
        Band(FACE, "relabelled", "relabelled", account.moved),
        *(Band(FACE, reason, "removed", n) for reason, n in _largest_first(with_face)),
        *(Band(NO_FACE, reason, "removed", n) for reason, n in _largest_first(without)),
    ]
    return [band for band in bands if band.photos]


def _largest_first(photos: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(photos.items(), key=lambda item: (-item[1], item[0]))
