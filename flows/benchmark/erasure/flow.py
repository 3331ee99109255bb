"""`refinery benchmark erasure`: erases people of a drawn world: what is found, what is left, what comes in again."""

import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import cv2
import numpy as np
import typer

from flows.benchmark.erasure.byte_scan import rows_of, stored_bytes, traces
from flows.cli.options import OutFolder, World
from flows.cli.result import Result
from flows.erase.flow import erase
from flows.erase.selection import Person, Selection, select
from flows.refine.flow import refine
from pipeline.errors import UserError
from pipeline.faces.picture import Image, decode
from pipeline.refined.scoring.known_truth import read_truth
from pipeline.refinement import Refinement, latest
from pipeline.sample.models import DETECTOR, EMBEDDER

REASON = "benchmark"
FAR = 1e-4  # the default of `refinery erase`
QUALITY = 60  # of the JPEG files of edited photos
EDITS: dict[str, Callable[[Image], Image] | None] = {  # of photos that come in again; None: the same bytes
    "the same bytes": None,
    "saved again at JPEG quality 60": lambda photo: photo,
    "half the size": lambda photo: cv2.resize(photo, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
    "mirrored": lambda photo: photo[:, ::-1],
    "brighter": lambda photo: np.asarray(np.clip(photo * 0.9 + 25, 0, 255), np.uint8),
    "cropped by a tenth on each side": lambda photo: photo[
        photo.shape[0] // 10 : -photo.shape[0] // 10, photo.shape[1] // 10 : -photo.shape[1] // 10
    ],
}


class ErasedCase(NamedTuple):
    """A person to erase: an identity of the person, a photo that shows nobody else, and the photos of the person."""

    identity: str
    photo: Path
    photos: frozenset[str]  # face_ids of all photos that show the person and have a face
    misnamed: frozenset[str]  # those of them under an identity of somebody else


@dataclass(frozen=True)
class ErasureFigures(Result):
    """What was found of the people by each way of naming them, what is left of it, and what comes in again."""

    ways: list[dict[str, Any]]
    erased: int
    before: int  # files and columns of the root with something of the erased photos
    after: list[str]
    again: dict[str, str]

    def rows(self) -> list[dict[str, Any]]:
        """The ways of naming a person."""
        return self.ways

    def lines(self) -> list[str]:
        """What is left in the root, and what comes in again."""
        places = f"{self.before} places of the root before, and in {len(self.after)} after"
        return [
            f"{self.erased} photos were erased; something of them is in {places}",
            *self.after,
            "of these photos are kept out when they come in again under another name:",
            *(f"  {edit}: {share}" for edit, share in self.again.items()),
        ]


def erasure(
    world: World,
    out: OutFolder,
    erased: Annotated[int, typer.Option(min=1, help="People to erase, who have photos under wrong names.")] = 20,
) -> ErasureFigures:
    """Erase people of a drawn world who have photos under wrong names, and look for them afterwards.

    The folder OUT must be new; WORLD is not changed. Photos in which no face is found are not counted.
    """
    if out.exists():
        raise UserError(f"{out} is there already: give --out a new folder")
    root, source = out / "root", ["image-folder", str(world / "photos")]
    refine.fn(str(root), source, str(DETECTOR), str(EMBEDDER))
    refinement = latest(str(root))
    cases = _cases(refinement, world, erased)
    by_identity = [select(refinement, Person("", case.identity, "", FAR)) for case in cases]
    by_photo = [select(refinement, Person(str(case.photo), "", "", FAR)) for case in cases]
    ways = [_way("--identity", cases, by_identity), _way("--photo", cases, by_photo)]
    every = {i for found in by_identity for i in found.photos}
    keys = {i: key for i, key in rows_of(refinement.labels, "face_id", "key") if i in every}
    (out / "list.txt").write_text("".join(f"{key}\n" for key in sorted(keys.values())))
    shutil.copytree(root, out / "before")
    erase(str(root), list_file=out / "list.txt", reason=REASON, yes=True)
    gone = {i for i, reason in rows_of(latest(str(root)).labels, "face_id", "reason") if reason == "erased"}
    stored = stored_bytes(latest(str(out / "before")), gone)
    before, after = traces(out / "before", stored), traces(root, stored)
    again = _come_in_again(root, source, [world / "photos" / keys[i] for i in sorted(gone & keys.keys())], out)
    return ErasureFigures(ways, len(gone), len(before), after, again)


def _cases(refinement: Refinement, world: Path, people: int) -> list[ErasedCase]:
    """The people with most photos under wrong names who stand for an identity of their own."""
    truth = read_truth(world)
    face_of_key = dict(rows_of(refinement.labels, "key", "face_id"))
    faces = refinement.main_faces or refinement.faces
    others = {i: n for i, n, jpeg in rows_of(faces, "face_id", "others", "jpeg") if jpeg is not None}
    identity_of = {persons[0]: name for name, persons in truth.persons.items() if len(persons) == 1}
    photos: dict[str, list[tuple[str, str, str]]] = {}
    for key, claimed, person, kind in zip(truth.keys, truth.claimed, truth.person, truth.kind, strict=True):
        if person in identity_of and face_of_key[key] in others:
            photos.setdefault(person, []).append((key, claimed, kind))
    cases = []
    for person, rows in photos.items():
        own = {name for name, persons in truth.persons.items() if person in persons}
        alone = [key for key, claimed, kind in rows if kind == "clean" and others[face_of_key[key]] == 0]
        misnamed = frozenset(face_of_key[key] for key, claimed, _ in rows if claimed not in own)
        if alone and misnamed:
            ids = frozenset(face_of_key[key] for key, *_ in rows)
            cases.append(ErasedCase(identity_of[person], world / "photos" / alone[0], ids, misnamed))
    return sorted(cases, key=lambda case: (-len(case.misnamed), case.identity))[:people]


def _way(name: str, cases: Sequence[ErasedCase], found: Sequence[Selection]) -> dict[str, Any]:
    """The figures of one way of naming the people."""
    photos, misnamed = sum(len(c.photos) for c in cases), sum(len(c.misnamed) for c in cases)
    pairs = list(zip(cases, found, strict=True))
    hits = sum(len(case.photos & selection.photos.keys()) for case, selection in pairs)
    wrong = sum(len(case.misnamed & selection.photos.keys()) for case, selection in pairs)
    strangers = sum(len(selection.photos.keys() - case.photos) for case, selection in pairs)
    return {
        "named by": name,
        "people": len(cases),
        "photos found": f"{hits} of {photos} ({hits / max(1, photos):.1%})",
        "under wrong names": f"{wrong} of {misnamed}",
        "photos of others taken": strangers,
        "further faces": sum(len(selection.further) for selection in found),
    }


def _come_in_again(root: Path, source: Sequence[str], photos: Sequence[Path], out: Path) -> dict[str, str]:
    """By edit the share of these photos that is kept out when it comes in as a second source."""
    for number, edit in enumerate(EDITS.values()):
        folder = out / "again" / f"edit{number}"
        folder.mkdir(parents=True)
        for i, photo in enumerate(photos):
            data = photo.read_bytes()
            if edit is not None:
                image = np.ascontiguousarray(edit(decode(data)))
                data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()
            (folder / f"{i:04}.jpg").write_bytes(data)
    refine.fn(str(root), [*source, "image-folder", f"again={out / 'again'}"], str(DETECTOR), str(EMBEDDER))
    reasons = rows_of(latest(str(root)).labels, "key", "reason")
    kept_out = Counter(key.partition("/")[0] for key, reason in reasons if reason == "erased")
    return {name: f"{kept_out[f'edit{i}']} of {len(photos)}" for i, name in enumerate(EDITS)}
