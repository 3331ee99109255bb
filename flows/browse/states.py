"""What every page shows at its top: whose decisions these are, and whether all labels are made."""

from dataclasses import dataclass
from pathlib import PurePosixPath

from flows.browse.gallery import Gallery
from pipeline.review.answers import ledger


@dataclass(frozen=True)
class State:
    """The state of a gallery."""

    root: str  # its name
    who: str  # whose decisions these are
    votes: int  # answers that a finding needs
    ready: bool  # whether the photos are read
    pending: bool  # whether there are decisions that the labels on the disk do not have yet
    waiting: str  # for what they wait, in words
    failure: str
    version: int  # rises whenever pages would show something else


def state_of(gallery: Gallery) -> State:
    """The state of a gallery now."""
    return State(
        PurePosixPath(gallery.root).name or gallery.root,
        gallery.who,
        ledger.votes_wanted(gallery.root),
        gallery.is_ready,
        gallery.is_pending,
        gallery.waiting if gallery.is_pending else "",
        gallery.failure,
        gallery.version,
    )
