"""What the gallery's port takes: decisions, undo, and photos that annotators shall judge."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from flows.browse.gallery import Gallery
from pipeline.browse.decisions.record import Recorded
from pipeline.browse.decisions.statements import MAX_FACES, Decision
from pipeline.browse.pages.photo_pictures import check_not_erased
from pipeline.review.answers import ledger

MAX_NAME = 4000


class Decided(BaseModel):
    """The body of a decision: see statements.Decision."""

    kind: str = Field(max_length=20)
    faces: list[Annotated[str, Field(max_length=100)]] = Field(default=[], max_length=MAX_FACES)
    name: str = Field(default="", max_length=MAX_NAME)
    other: str = Field(default="", max_length=MAX_NAME)
    finding: str = Field(default="", max_length=100)
    verdict: str = Field(default="", max_length=10)


class Undone(BaseModel):
    """The body of an undo."""

    answer_id: str = Field(max_length=500)


class Asked(BaseModel):
    """The photos that annotators shall judge."""

    faces: list[Annotated[str, Field(max_length=100)]] = Field(min_length=1, max_length=MAX_FACES)


@dataclass(frozen=True)
class Waiting:
    """How many photos are asked about in the next round that were not before."""

    new: int


@dataclass(frozen=True)
class Change:
    """Photos whose outcome changed."""

    before: str
    after: str
    photos: int


@dataclass(frozen=True)
class Outcome:
    """What a decision or an undo did: see record.Standing."""

    answer_id: str
    in_force: int
    waiting: int
    disputed: int
    outvoted: int
    votes: int  # answers that a finding needs in this root
    photos: int  # whose fate changed
    changes: list[Change]


def decision_endpoints(gallery: Gallery) -> APIRouter:
    """The endpoints of decisions, of undo, and of questions to annotators."""
    router = APIRouter(prefix="/api")

    @router.post("/decide")
    def decide(body: Decided) -> Outcome:
        given = Decision(body.kind, tuple(body.faces), body.name, body.other, body.finding, body.verdict)
        return _outcome(gallery, gallery.decide(given))

    @router.post("/undo")
    def undo(body: Undone) -> Outcome:
        return _outcome(gallery, gallery.undo(body.answer_id))

    @router.post("/ask")
    def ask(body: Asked) -> Waiting:
        loaded = gallery.loaded()
        rows = [loaded.row(face) for face in body.faces]
        for row in rows:
            check_not_erased(loaded.snapshot, row)
        return Waiting(gallery.ask([loaded.snapshot.photos.face_id(row) for row in rows]))

    return router


def _outcome(gallery: Gallery, recorded: Recorded) -> Outcome:
    changes = [Change(c.before, c.after, c.photos) for c in recorded.effect.changes]
    photos = sum(c.photos for c in changes)
    return Outcome(recorded.answer_id, *recorded.standing, ledger.votes_wanted(gallery.root), photos, changes)
