"""The mistakes of a refinement against a known truth: photos by kind, and claimed identities that were confused."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.refined.scoring.known_truth import Truth
from pipeline.refined.scoring.person_identities import Part, PersonIdentities
from pipeline.refined.scoring.scored_photos import Mask, ScoredPhotos

LOST, ANOTHER = "clean photo removed as noise", "clean photo kept as another person"
OUTLIER, MISNAMED = "outlier kept", "misnamed photo kept under a wrong identity"
DUPLICATE, NO_DUPLICATE = "duplicate kept", "removed as a duplicate, but is none"
JUNK, OVERLAP_LOST = "file without a face kept", "removed for the test set, but not in it"
NOT_MERGED, WRONG_MERGE = "two identities of one person, not merged", "identities of two people, merged"
NOT_SPLIT, WRONG_SPLIT = "identity of two persons, not split", "identity of one person, split"
OVERLAP = "identity in the test set, kept"
EXPLANATIONS: Mapping[str, str] = {
    LOST: "the photo shows the person of its identity, and was removed for a reason that says it does not",
    ANOTHER: "the photo shows the person of its identity, and got an identity that belongs to another person",
    OUTLIER: "the photo shows somebody who has no identity in the data, and is kept",
    MISNAMED: "the photo shows the person of another identity, and is kept under one that is not that person's",
    DUPLICATE: "the same picture is there twice, and both are kept",
    NO_DUPLICATE: "the photo was removed as the same picture as another one, which it is not",
    JUNK: "the file is empty, damaged or shows no face, and is kept",
    OVERLAP_LOST: "the photo was removed because its person or picture is in a test set, and the person is not",
    NOT_MERGED: "the photos of one person are kept under two identities",
    WRONG_MERGE: "the photos of two people got one identity",
    NOT_SPLIT: "the photos of two persons are kept under one identity, or one of them was removed",
    WRONG_SPLIT: "clean photos of one person got several identities",
    OVERLAP: "the person is in the test set, and most photos of the identity are kept",
}


class MistakenPhoto(NamedTuple):
    """A photo that was treated wrongly: its row in the truth, and the kind of mistake."""

    kind: str
    row: int


class MistakenIdentities(NamedTuple):
    """The photos of persons under claimed identities that were treated wrongly together."""

    kind: str
    members: tuple[Part, ...]


def photo_mistakes(photos: ScoredPhotos, truth: Truth) -> Iterator[tuple[str, Mask]]:
    """Each kind of mistake about a photo, and the mask [n] of its photos."""
    clean, stopped = photos.of("clean"), photos.stopped()
    pictures = photos.of("duplicate").copy()
    pictures[photos.original[pictures & (truth.original >= 0)]] = True
    yield LOST, clean & photos.removed_as_noise
    yield ANOTHER, clean & photos.kept & ~photos.right
    yield OUTLIER, photos.of("outlier") & ~stopped
    yield MISNAMED, photos.of("flip") & ~stopped
    yield DUPLICATE, photos.of("duplicate") & ~stopped
    yield NO_DUPLICATE, photos.removed_for("duplicate") & ~pictures
    yield JUNK, photos.of("junk") & photos.kept
    if truth.overlap is not None:
        known = [i for i, name in enumerate(photos.claimed_identities) if name in truth.overlap]
        yield OVERLAP_LOST, clean & photos.removed_for("overlap") & ~np.isin(photos.claimed, known)


def identity_mistakes(photos: ScoredPhotos, truth: Truth) -> Iterator[MistakenIdentities]:
    """The mistakes about whole identities, of those whose persons the truth names.

    What was rightly removed for the test set need not have been merged or split.
    """
    parts, found = PersonIdentities(photos, truth), set(photos.overlap_identities())
    tested = {claimed for claimed in parts.persons if photos.claimed_identities[claimed] in (truth.overlap or ())}
    for one, two, merged in parts.of_one_person():
        if not merged and not {one.claimed, two.claimed} & tested & found:
            yield MistakenIdentities(NOT_MERGED, (one, two))
    for one, two in parts.merged():
        if one.person != two.person:
            yield MistakenIdentities(WRONG_MERGE, (one, two))
    several, split = parts.of_several_persons(), parts.split()
    for claimed, persons in parts.persons.items():
        of_claimed = tuple(Part(claimed, name) for name in persons)
        if claimed in several and not several[claimed] and claimed not in tested & found:
            yield MistakenIdentities(NOT_SPLIT, of_claimed)
        if claimed in split and claimed not in several:
            yield MistakenIdentities(WRONG_SPLIT, of_claimed)
        if claimed in tested - found:
            yield MistakenIdentities(OVERLAP, of_claimed)


def some_of_each_identity(rows: Iterable[int], claimed: Sequence[int], count: int) -> list[int]:
    """At most `count` rows: one of each claimed identity, then a second of each that has one, and so on."""
    seen, order = Counter[int](), []
    for row in rows:
        order.append((seen[claimed[row]], row))
        seen[claimed[row]] += 1
    return [row for _, row in sorted(order)[:count]]


def label_words(labels: pa.Table, row: int) -> str:
    """What the refinement did with a photo, in words."""
    claimed, identity, reason, score = (labels[c][row].as_py() for c in ("claimed", "identity", "reason", "score"))
    words = f"removed: {reason}" if identity is None else "kept" if identity == claimed else f"kept as {identity}"
    return f"{words}, score {score:.2f}" if score is not None else words
