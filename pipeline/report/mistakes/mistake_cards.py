"""Cards of mistakes: the faces of a photo, of its identity's person, and of what it was taken for, and why."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from html import escape
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.noise.findings import Finding, read_findings
from pipeline.refined.scoring.known_truth import Truth
from pipeline.refined.scoring.scored_photos import ScoredPhotos
from pipeline.refinement import Refinement
from pipeline.report.face_sides import FACES_A_PERSON, FindingSides, Side, sides_of_findings
from pipeline.report.finding_cards import Faces, card, filtered_cards, is_pictured, select
from pipeline.report.gallery import in_the_pages_words
from pipeline.report.html.page import table
from pipeline.report.mistakes.mistaken_photos import (
    DUPLICATE,
    EXPLANATIONS,
    MistakenIdentities,
    MistakenPhoto,
    identity_mistakes,
    label_words,
    photo_mistakes,
    some_of_each_identity,
)
from pipeline.report.photos.shown_photos import shown_photos
from pipeline.report.photos.thumbnails import thumbnails

LABEL_COLUMNS = ("key", "face_id", "claimed", "identity", "reason", "score", "finding_id")


class MistakeEntry(NamedTuple):
    """A mistake as the page shows it."""

    kind: str
    names: tuple[str, ...]  # of identities and persons
    treatment: str  # what the refinement did
    evidence: str
    sides: tuple[Side, ...]


class Mistakes(NamedTuple):
    """The mistakes that are shown, the counts of all, and the pictures."""

    entries: list[MistakeEntry]
    counts: Mapping[str, int]  # by kind
    faces: Faces


def find_mistakes(
    refinement: Refinement, labels: pa.Table, photos: ScoredPhotos, truth: Truth, *, per_kind: int, max_bytes: int
) -> Mistakes:
    """The mistakes of a refinement.

    labels: its labels with LABEL_COLUMNS in the truth's order; photos: the same, coded. per_kind: mistakes to show of
    each kind; max_bytes: of all pictures together.
    """
    counts, shown = dict[str, int](), list[MistakenPhoto]()
    for kind, mask in photo_mistakes(photos, truth):
        rows = np.flatnonzero(mask).tolist()
        counts |= {kind: len(rows)} if rows else {}
        shown += [MistakenPhoto(kind, r) for r in some_of_each_identity(rows, photos.claimed.tolist(), per_kind)]
    of_identities = list(identity_mistakes(photos, truth))
    counts |= Counter(mistake.kind for mistake in of_identities)
    taken = Counter[str]()
    shown_identities = []
    for mistake in of_identities:
        taken[mistake.kind] += 1
        shown_identities += [mistake] if taken[mistake.kind] <= per_kind else []
    writer = _EntryWriter(refinement, labels, photos, truth, [m.row for m in shown])
    entries = [writer.of_photo(m) for m in shown] + [writer.of_identities(m) for m in shown_identities]
    wanted = [face for entry in _kinds_in_turn(entries) for side in entry.sides for face in side.faces]
    pictures = thumbnails([refinement], wanted, max_bytes=max_bytes)
    return Mistakes(entries, counts, Faces(pictures, shown_photos(refinement, set(wanted))))


def mistake_section(mistakes: Mistakes) -> str:
    """HTML of a table of mistakes by kind, and of cards of some of each kind."""
    if not mistakes.counts:
        return "<p>There are none.</p>"
    shown = Counter(e.kind for e in mistakes.entries if is_pictured(e.sides, mistakes.faces.pictures))
    kinds = [kind for kind in EXPLANATIONS if kind in mistakes.counts]
    counts = table(
        ("mistake", "what it means", "in all", "shown below"),
        [(kind, EXPLANATIONS[kind], mistakes.counts[kind], shown[kind]) for kind in kinds],
    )
    cards = (
        card(
            {"kind": e.kind, "names": " ".join(e.names)},
            heading=escape(e.kind),
            sides=e.sides,
            names=e.names,
            evidence=" · ".join(word for word in (e.treatment, e.evidence) if word),
            faces=mistakes.faces,
        )
        for e in mistakes.entries
    )
    return counts + filtered_cards([select("kind", "Mistake", {kind: kind for kind in kinds})], cards)


def _kinds_in_turn(entries: Sequence[MistakeEntry]) -> list[MistakeEntry]:
    """One of each kind, then a second of each: no kind uses the whole budget for pictures."""
    seen, order = Counter[str](), []
    for entry in entries:
        order.append((seen[entry.kind], entry))
        seen[entry.kind] += 1
    return [entry for _, entry in sorted(order, key=lambda o: o[0])]


class _EntryWriter:
    """Looks up the faces and the words of mistakes."""

    def __init__(
        self, refinement: Refinement, labels: pa.Table, photos: ScoredPhotos, truth: Truth, rows: Sequence[int]
    ) -> None:
        self.labels, self.photos, self.truth = labels, photos, truth
        ids = {f for f in labels["finding_id"].take(pa.array(rows, pa.int64())).to_pylist() if f}
        self.findings = _findings(refinement, ids)
        self.sides = sides_of_findings(refinement, list(self.findings.values()))
        self.person_code = {name: code for code, name in enumerate(photos.person_names)}
        clean = np.flatnonzero(photos.of("clean"))
        self.clean_rows = defaultdict[tuple[int, int], list[int]](list)
        self.rows_of_claimed = defaultdict[int, list[int]](list)
        self.rows_of_person = defaultdict[int, list[int]](list)
        pairs = zip(clean.tolist(), photos.claimed[clean].tolist(), photos.person[clean].tolist(), strict=True)
        for row, claimed, person in pairs:
            self.clean_rows[claimed, person].append(row)
            self.rows_of_claimed[claimed].append(row)
            self.rows_of_person[person].append(row)

    def face(self, row: int) -> str:
        """The face_id of a photo."""
        return str(self.labels["face_id"][row].as_py())

    def faces_of(self, claimed: int, person: int, without: Collection[int] = ()) -> tuple[str, ...]:
        """Faces of clean photos of a person, those under one claimed identity."""
        rows = [row for row in self.clean_rows[claimed, person] if row not in without]
        return tuple(self.face(row) for row in rows[:FACES_A_PERSON])

    def of_photo(self, mistake: MistakenPhoto) -> MistakeEntry:
        """A mistake about a photo as the page shows it."""
        kind, row = mistake
        claimed, person = self.truth.claimed[row], self.truth.person[row] or "nobody"
        more = self.truth.planted[row] if len(self.truth.planted) else ""
        what = f"{self.truth.kind[row]}{f' ({more})' if more else ''}"
        own = [(self.photos.person_names[p], faces) for p, faces in self._own(row)]
        sides = [Side(f"the photo; it shows {person}", (self.face(row),))]
        sides += [Side(f"{name}, whom {claimed} stands for" if name != claimed else name, faces) for name, faces in own]
        original = int(self.truth.original[row])
        if kind == DUPLICATE and original >= 0:
            sides.append(Side("the same picture", (self.face(original),)))
        finding = self.labels["finding_id"][row].as_py()
        found, record = self.sides.get(finding, FindingSides((), ())), self.findings.get(finding)
        sides += [side._replace(caption=f"compared with: {side.caption}") for side in found.sides[1:]]
        identity = int(self.photos.identity[row])
        if identity >= 0 and self.photos.identities[identity] != claimed:
            owner = self.photos.person_of_identity.get(identity, -1)
            faces = tuple(self.face(r) for r in self.rows_of_person[owner][:FACES_A_PERSON])
            sides.append(Side(f"kept as: {self.photos.identities[identity]}", faces))
        evidence = in_the_pages_words(record.evidence or "") if record else ""
        names = tuple(dict.fromkeys((claimed, *found.names)))
        return MistakeEntry(kind, names, f"{what} · {label_words(self.labels, row)}", evidence, _without_repeats(sides))

    def _own(self, row: int) -> list[tuple[int, tuple[str, ...]]]:
        """The persons of a photo's claimed identity with faces of their other clean photos, at most two persons."""
        claimed = int(self.photos.claimed[row])
        rows = self.rows_of_claimed.get(claimed, [])
        persons = [person for person, _ in Counter(self.photos.person[rows].tolist()).most_common(2)]
        faces_of = [(p, self.faces_of(claimed, p, {row})) for p in persons]
        return [(p, faces) for p, faces in faces_of if faces]

    def of_identities(self, mistake: MistakenIdentities) -> MistakeEntry:
        """A mistake about claimed identities as the page shows it."""
        sides = []
        for claimed, person in mistake.members:
            code, name = self.person_code.get(person, -1), self.photos.claimed_identities[claimed]
            identity = self.photos.main_identities.get((claimed, code))
            became = "not kept" if identity is None else f"now {self.photos.identities[identity]}"
            sides.append(Side(f"{person}, claimed as {name}; {became}", self.faces_of(claimed, code)))
        names = dict.fromkeys(self.photos.claimed_identities[claimed] for claimed, _ in mistake.members)
        return MistakeEntry(mistake.kind, tuple(names), "", "", tuple(sides))


def _without_repeats(sides: Sequence[Side]) -> tuple[Side, ...]:
    """The sides, each face only where it is first; a side of which no face is left is left out."""
    seen, left = set[str](), []
    for side in sides:
        faces = tuple(face for face in side.faces if face not in seen)
        seen.update(faces)
        left += [side._replace(faces=faces)] if faces else []
    return tuple(left)


def _findings(refinement: Refinement, ids: Collection[str]) -> dict[str, Finding]:
    """The findings with these ids, by id."""
    wanted = pa.array(sorted(ids), pa.string())
    tables = (t.filter(pc.is_in(t["finding_id"], value_set=wanted)) for t in refinement.judged_findings.batches())
    return {f.finding_id: f for t in tables for f in read_findings(t)}
