"""Photos whose fate (kept, relabelled, removed) differs between two refinements A and B, with faces to compare.

Photos are matched by face_id, a digest of source and key, so the sources of the two roots must have the same names. Of
each difference one photo of each identity is shown first, then a second one; the order of identities is arbitrary.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.noise.findings import read_findings
from pipeline.refinement import Refinement
from pipeline.report.counts import KEPT, RELABELLED, REMOVED
from pipeline.report.face_sides import Cluster, Side, clusters_of_persons, faces_of_clusters, sides_of_findings
from pipeline.report.photos.shown_photos import ShownPhoto, shown_photos
from pipeline.report.photos.thumbnails import thumbnails
from pipeline.tables.face_rows import rows_of_faces

SHOWN_DIFFERENCES = 20  # the most frequent differences, for which faces are shown; the table lists all differences
NOT_IN_A, NOT_IN_B = "not in A", "not in B"
Fates = tuple[str, str]  # the fates of a photo in A and in B, in words


class Fate(NamedTuple):
    """The fate of a photo in one refinement."""

    words: str  # "kept", or "relabelled" or "removed" with the reason
    new_identity: str  # the identity that it is relabelled as; "" for none


class Difference(NamedTuple):
    """A photo with different fates in A and in B, as the report shows it."""

    fates: Fates
    names: tuple[str, ...]  # its claimed identity and those it has in A and in B
    sides: tuple[Side, ...]


class Differences(NamedTuple):
    """The differences between two refinements."""

    counts: list[tuple[Fates, int]]  # number of photos for each pair of fates, the most frequent first
    entries: list[Difference]  # the photos that are shown
    pictures: dict[str, str]  # by face_id: a data address that holds the picture
    photos: dict[str, ShownPhoto]  # by face_id
    in_both: int  # the number of photos that both refinements have


class _PhotoView(NamedTuple):
    """A photo in one refinement: its identities, and the faces to show beside it."""

    names: tuple[str, ...]  # claimed identity and refined identity
    claimed: Side  # the person of its claimed identity
    others: tuple[Side, ...]  # the sides of the finding that changed its label, and the person of its refined identity


def find_differences(a: Refinement, b: Refinement, *, per_kind: int, max_bytes: int) -> Differences:
    """The differences between two refinements.

    per_kind: photos to show for each pair of fates; max_bytes: of all pictures together.
    """
    counts, ids, in_both = _count_differences(a, b, per_kind)
    shown = [fates for fates, _ in counts if ids.get(fates)][:SHOWN_DIFFERENCES]
    faces = {face for fates in shown for face in ids[fates]}
    in_a, in_b = (_photo_views(refinement, faces) for refinement in (a, b))
    side_faces = {
        f for views in (in_a, in_b) for v in views.values() for side in (v.claimed, *v.others) for f in side.faces
    }
    clusters = rows_of_faces(a.clusters, side_faces, ("face_id", "identity", "cluster"))
    cluster_in_a = {face: (identity, cluster) for face, identity, cluster in clusters}
    entries = [
        Difference(
            fates,
            tuple(dict.fromkeys([*in_a[face].names, *in_b[face].names])),
            tuple(_sides(face, in_a[face], in_b[face], cluster_in_a)),
        )
        for place in range(per_kind)  # one of each difference in turn, so that none uses the whole budget
        for fates in shown
        for face in ids[fates][place : place + 1]
    ]
    wanted = [face for entry in entries for side in entry.sides for face in side.faces]
    photos = shown_photos(b, set(wanted)) | shown_photos(a, set(wanted))
    return Differences(counts, entries, thumbnails([a, b], wanted, max_bytes=max_bytes), photos, in_both)


def _count_differences(
    a: Refinement, b: Refinement, per_kind: int
) -> tuple[list[tuple[Fates, int]], dict[Fates, list[str]], int]:
    """The number of photos for each pair of fates, up to per_kind of their face_ids, and how many photos both have.

    Photos that only one refinement has are counted, without face_ids. Only the fates in A are held in memory.
    """
    fates_in_a = {face: fate for face, _, fate in _fates(a)}
    counts: Counter[Fates] = Counter()
    faces: dict[Fates, list[tuple[str, str]]] = defaultdict(list)
    in_both = 0
    for face, claimed, in_b in _fates(b):
        in_a = fates_in_a.get(face)
        in_both += in_a is not None
        if in_a is None:
            counts[NOT_IN_A, in_b.words] += 1
        elif in_a != in_b:
            same_words = in_a.words == in_b.words
            fates = (in_a.words, f"{in_b.words}, as another person" if same_words else in_b.words)
            counts[fates] += 1
            faces[fates].append((claimed, face))
    if len(fates_in_a) > in_both:
        counts["in A", NOT_IN_B] = len(fates_in_a) - in_both
    by_frequency = sorted(counts.items(), key=lambda c: (-c[1], c[0]))
    shown = {fates: _identities_in_turn(pairs)[:per_kind] for fates, pairs in faces.items()}
    return by_frequency, shown, in_both


def _identities_in_turn(pairs: Sequence[tuple[str, str]]) -> list[str]:
    """The faces of pairs (identity, face): one of each identity, then a second of each that has one, and so on."""
    counts: Counter[str] = Counter()
    order = []
    for identity, face in sorted(pairs):
        order.append((counts[identity], face))
        counts[identity] += 1
    return [face for _, face in sorted(order)]


def _fates(refinement: Refinement) -> Iterator[tuple[str, str, Fate]]:
    """The face_id, claimed identity and fate of each photo; equal fates are the same object, to save memory."""
    known: dict[tuple[str | None, ...], Fate] = {}
    columns = ("face_id", "claimed", "identity", "reason")
    for rows in refinement.labels.batches(columns):
        for face, claimed, identity, reason in zip(*(rows[c].to_pylist() for c in columns), strict=True):
            new_identity = identity if identity != claimed else None
            key = (identity and "", new_identity, reason)
            if key not in known:
                fate = REMOVED if identity is None else RELABELLED if new_identity else KEPT
                known[key] = Fate(fate if fate == KEPT else f"{fate}: {reason}", new_identity or "")
            yield face, claimed or "", known[key]


def _photo_views(refinement: Refinement, faces: AbstractSet[str]) -> dict[str, _PhotoView]:
    """The photos with these face_ids in one refinement, by face_id."""
    labels = list(rows_of_faces(refinement.labels, faces, ("face_id", "claimed", "identity", "finding_id")))
    ids = pa.array(sorted({finding for *_, finding in labels if finding}), pa.string())
    tables = (t.filter(pc.is_in(t["finding_id"], value_set=ids)) for t in refinement.judged_findings.batches())
    sides = sides_of_findings(refinement, [finding for table in tables for finding in read_findings(table)])
    cluster_of_person = clusters_of_persons(refinement)
    names = {name for _, claimed, identity, _ in labels for name in (claimed, identity) if name}
    faces_of = faces_of_clusters(refinement.clusters, {cluster_of_person.get(name, (name, 0)) for name in names})

    def person(name: str | None) -> Side:
        return Side(name or "no identity", faces_of.get(cluster_of_person.get(name or "", (name, 0)), ()))

    return {
        face: _PhotoView(
            tuple(name for name in (claimed, identity) if name),
            person(claimed),
            (*(sides[finding].sides if finding in sides else ()), person(identity)),
        )
        for face, claimed, identity, finding in labels
    }


def _sides(face: str, in_a: _PhotoView, in_b: _PhotoView, cluster_in_a: Mapping[str, Cluster]) -> Iterator[Side]:
    """The sides to show of a photo: itself, its claimed person, and the other persons it was compared with in A and B.

    A person is shown once: a side is left out if a face of the same cluster in A is in an earlier side.
    """
    yield Side(f"the photo, claimed as {in_a.claimed.caption}", (face,))
    shown: set[object] = {face}
    claimed_in_b = in_b.claimed._replace(caption=f"{in_b.claimed.caption}, as B has it")
    for side in (in_a.claimed, *in_a.others, claimed_in_b, *in_b.others):
        faces = tuple(f for f in side.faces if f != face)
        clusters = {cluster_in_a[f] for f in faces if f in cluster_in_a} if len(faces) > 1 else set()
        content: set[object] = {*faces, *(c for c in clusters if c[1] is not None and c[1] >= 0)}
        if faces and not content & shown:
            shown |= content
            yield side._replace(faces=faces)
