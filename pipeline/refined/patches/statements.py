"""What the row of a patch states about its photo, apart from what depends on the copy that it was made of.

Whom a photo shows is the same in every copy, and so is that it is in a test set. Which of two duplicates is the better
one, whether a face can be found or recognised, and whether enough photos of an identity are left is not: there each
copy's own refinement decides.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

NOTHING, SHOWS, NOT_CLAIMED, NO_PERSON, OVERLAP = range(5)
# SHOWS: the photo shows the person of the identity `after`; NOT_CLAIMED: it does not show that of `before`; NO_PERSON:
# nor do the other photos of that identity show one
NOT_CLAIMED_REASONS = ("outlier", "misplaced", "merge", "split")


def statements(rows: pa.Table) -> NDArray[np.int8]:
    """What each row states; columns before, after and reason."""
    kept, named = (np.asarray(rows[c].is_valid()) for c in ("after", "before"))
    wrong = np.asarray(pc.is_in(rows["reason"], value_set=pa.array(NOT_CLAIMED_REASONS)))
    mixed, overlap = (np.asarray(pc.equal(rows["reason"], reason)) for reason in ("mixed", "overlap"))
    stated = np.select(
        [~named, kept, wrong, mixed, overlap], [NOTHING, SHOWS, NOT_CLAIMED, NO_PERSON, OVERLAP], NOTHING
    )
    return stated.astype(np.int8)
