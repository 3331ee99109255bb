"""The plan of an erasure: what was found of a person in a root, counted, and what the sheet shows of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from flows.erase.found_photos import (
    FoundPhoto,
    face_tombstones,
    found_photos,
    photo_tombstones,
    source_locations,
)
from flows.erase.person_search import test_faces_like
from flows.erase.selection import Selection
from pipeline.erasure.intent import REMOVED, Intent, next_number, now
from pipeline.erasure.kept_vectors import as_words, digest_of_embedder
from pipeline.erasure.ledger_references import files_with_faces, rows_about
from pipeline.erasure.leftovers import table_files
from pipeline.erasure.open_tasks import items_about
from pipeline.erasure.receipt import digest_of_tables
from pipeline.errors import UserError
from pipeline.faces.tombstones.tombstones import make_key
from pipeline.refinement import Refinement
from pipeline.review.questions.asked_for import asked_for
from pipeline.tables.face_rows import rows_of_faces


@dataclass(frozen=True)
class Plan:
    """What was found of a person; in_test_sets: photos of test sets that show the person, which are only counted."""

    refinement: Refinement
    selection: Selection
    photos: Sequence[FoundPhoto] = field(repr=False)
    in_test_sets: int | None = None  # None: not searched

    def found(self) -> dict[str, int]:
        """The counts of what was found."""
        identities = {photo.row.identity for photo in self.photos}
        counts = {
            "photos of the person": len(self.photos),
            "identities that claim them": len(identities),
            "further faces of the person in photos of others, which stay": len(self.selection.further),
            "files to delete in your sources": len(set(self.paths())),
        }
        if self.selection.other:
            counts["photos under the identity that do not show its person, which stay"] = self.selection.other
        if self.selection.unknown:
            counts["lines of the list that name no photo"] = self.selection.unknown
        if self.in_test_sets is not None:
            counts["photos of test sets that show the person, which stay"] = self.in_test_sets
        return counts

    def paths(self) -> list[str]:
        """Where the photos lie in the user's sources."""
        locations = source_locations(self.refinement)
        return [photo.path(locations) for photo in self.photos]

    def faces(self) -> list[tuple[bytes | None, str, str]]:
        """The faces with their captions, as the sheet takes them."""
        shown = [(p.jpeg, _score(p.score), p.identity) for p in self.photos]
        if self.refinement.candidates is not None and self.selection.further:
            rows = rows_of_faces(self.refinement.candidates, self.selection.further, ["face_id", "jpeg", "identity"])
            shown += [(jpeg, _score(self.selection.further[i]), f"beside {name}") for i, jpeg, name in rows]
        return shown

    @cached_property
    def further(self) -> list[str]:
        """The further faces that go: those that show the person, and those in the person's photos."""
        candidates, photos = self.refinement.candidates, set(self.selection.photos)
        if candidates is None:
            return []
        rows = (row for batch in candidates.batches(["face_id", "photo"]) for row in batch.to_pylist())
        return sorted(r["face_id"] for r in rows if r["photo"] in photos or r["face_id"] in self.selection.further)

    def intent(self, *, reason: str, name: str, keep_vector: bool = False) -> Intent:
        """The intent of the erasure. The root gets a key if it has none. keep_vector: of the person."""
        refinement, root = self.refinement, self.refinement.root
        key, ids = make_key(root), {*self.selection.photos, *self.further}
        ledger = files_with_faces(root, ids)
        faces = sum(photo.jpeg is not None for photo in self.photos)
        tombstones = photo_tombstones(refinement, self.photos, key)
        removed = {
            "aligned faces": faces,
            "sketches of these faces": faces,
            "vectors of these faces": faces * len(refinement.embeddings),
            "further faces with their sketches": len(self.further),
            "rows of answers and questions whose faces were taken out": rows_about(root, ledger, ids),
            "photos that annotators were to judge first": len(ids.intersection(asked_for(root))),
        }
        counts = self.found() | {
            "photos known again by their bytes": len({t.bytes for t in tombstones}),
            "photos known again by their picture, too": len({t.bytes for t in tombstones if t.picture}),
        }
        return Intent(
            next_number(root),
            now(),
            reason.strip(),
            name.strip(),
            tuple(sorted(self.selection.photos)),
            tuple(self.further),
            tuple(tombstones),
            tuple(face_tombstones(refinement, self.selection.further, key)),
            tuple((counts | {f"{REMOVED}{what}": n for what, n in removed.items()}).items()),
            digest_of_tables(refinement),
            tuple(table_files(root)),
            tuple(ledger),
            tuple(items_about(root, ids, self._identities())),
            *(self._vector() if keep_vector else ("", "")),
        )

    def _vector(self) -> tuple[str, str]:
        """The mean of the person's vectors, and what stands for the embedder."""
        model, found = self.selection.model, self.selection.found
        if model is None or found is None or found.mean is None:
            raise UserError("--keep-vector: a list of photos gives none: give --photo or --identity")
        return as_words(found.mean), digest_of_embedder(model.named_by)

    def _identities(self) -> set[str]:
        """The identities on whose pages the photos may be shown."""
        rows = rows_of_faces(self.refinement.labels, self.selection.photos, ["claimed", "identity"])
        return {name for row in rows for name in row if name}


def plan(refinement: Refinement, selection: Selection) -> Plan:
    """The plan of an erasure of what was selected."""
    in_test_sets = None
    if selection.model is not None and selection.found is not None:
        in_test_sets = test_faces_like(refinement, selection.model, selection.found)
    return Plan(refinement, selection, found_photos(refinement, selection), in_test_sets)


def _score(score: float | None) -> str:
    return "no score" if score is None else f"score {score:.1f}"
