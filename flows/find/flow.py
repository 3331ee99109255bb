"""Who is this? The photos of a set ranked by their likeness to the face in one photo, with a sheet to look at.

The set is a refinement's root, or any folder of photos, whose faces and vectors are then kept like any other table. The
threshold is a false accept rate measured on the set itself, as everywhere else.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import cv2
import numpy as np
import typer
from numpy.typing import NDArray

from flows.cli.options import Aligned, Cache, DaskWorkers, Detector, Embedder, Flip, OutFile
from flows.cli.result import Result
from flows.cli.sizes import parse_workers
from flows.find.contact_sheet import Tile, draw_sheet
from flows.refine.models import load_embedder
from flows.refine.tables import build_embeddings, build_faces, build_photos
from flows.refine.test_sets import test_set_source
from pipeline.errors import UserError
from pipeline.faces.align import SIZE, NoFace, align_main_face
from pipeline.faces.detect import OnnxDetector
from pipeline.faces.packs import find_model
from pipeline.faces.picture import Image, UnreadablePhoto, decode
from pipeline.faces.protocols import FaceDetector, FaceEmbedder
from pipeline.noise.calibration import FACES, IDENTITIES, read_calibration
from pipeline.noise.scores.calibrate import calibrate
from pipeline.noise.scores.far_curve import FarCurve, far_at, threshold_at_far
from pipeline.noise.scores.score_norm import ImpostorModel, impostor_stats, score_matrix
from pipeline.refinement import latest
from pipeline.sample.models import DETECTOR, EMBEDDER
from pipeline.tables.build import Workers
from pipeline.tables.columns import vectors
from pipeline.tables.table import Table, read_shard

log = logging.getLogger("refinery")
ENOUGH = 100  # names in a set whose strangers are pairs across names; with fewer, every photo counts as a name


class Gallery(NamedTuple):
    """A set to look in: three tables with the same rows, how strangers look to its model, and what became of photos."""

    photos: Table
    faces: Table
    embeddings: Table
    view: ImpostorModel
    tail: FarCurve
    labels: Table | None


@dataclass(frozen=True)
class Match:
    """A photo that may show the same person; needed: the cosine that this pair takes at the rate asked for."""

    rank: int
    photo: str
    identity: str
    cosine: float
    needed: float
    likeness: float
    far: float  # the share of strangers that look at least as alike
    same: bool


@dataclass(frozen=True)
class FindResult(Result):
    """What was found, best first."""

    photo: str
    faces: int  # seen in the photo
    searched: int
    threshold: float
    far: float
    hits: list[Match]
    sheet: str

    def rows(self) -> list[dict[str, Any]]:
        """A line a photo."""
        return [
            {
                "rank": h.rank,
                "photo": h.photo,
                "identity": h.identity,
                "cosine": f"{h.cosine:.3f}",
                "needed": f"{h.needed:.3f}",
                "strangers as alike": f"{h.far:.1e}",
                "same": "yes" if h.same else "",
            }
            for h in self.hits
        ]

    def lines(self) -> list[str]:
        """What was asked, what the threshold means, where to look."""
        many = f", the one that it is about of {self.faces}" if self.faces > 1 else ""
        means = f"of strangers a share of {self.far:g} looks as alike (here {self.far * self.searched:.2g} photos)"
        return [
            f"the face in {self.photo}{many}, among {self.searched} photos with a face",
            f"same: {means}; likeness {self.threshold:.2f}, the cosine that takes for each pair is under needed",
            f"to look at: {self.sheet}",
        ]


def find(
    root: Annotated[
        str, typer.Argument(metavar="ROOT", help="A refinement's root, or any folder of photos: the set to look in.")
    ],
    photo: Annotated[Path, typer.Argument(metavar="PHOTO", help="A photo of the person to look for.")],
    detector: Detector = "",
    embedder: Embedder = "",
    cache: Cache = "evaluation",
    aligned: Aligned = False,
    flip: Flip = "none",
    top: Annotated[int, typer.Option(help="Photos to show.")] = 24,
    far: Annotated[float, typer.Option(help="False accept rate: share of impostors that pass as the person.")] = 1e-4,
    out: OutFile = Path("found.png"),
    workers: DaskWorkers = "",
) -> FindResult:
    """Rank the photos of a set by their score with the face in one photo: a calibrated threshold, a contact sheet.

    Without --detector and --embedder the two small models of drawn people are used, which know no real faces.
    """
    if top < 1 or not 0 < far < 0.5:
        raise UserError(f"--top {top} --far {far:g}: give 1 or more, and a share between 0 and 0.5")
    if bool(detector) != bool(embedder) and not aligned:
        raise UserError("give --detector and --embedder together, or neither for drawn people")
    if not embedder:
        log.warning("with the small models of drawn people, blind to real faces: give --detector and --embedder")
    finder = OnnxDetector(find_model(detector, "detector") if detector else str(DETECTOR))
    model = load_embedder(embedder or str(EMBEDDER), flip)
    face, many = _face(photo, finder, aligned)
    if "://" in root or Path(root, "refinement.json").exists():
        gallery = _refined(root, model)
    else:
        gallery = _folder(cache, root, finder, model, aligned=aligned, workers=parse_workers(workers))
    limit = threshold_at_far(gallery.tail, far)
    best, searched = _ranked(gallery, model(face[None])[0], top)
    hits = [_hit(rank, row, gallery.tail, limit) for rank, row in enumerate(best, start=1)]
    draw_sheet(face, [_tile(h, row) for h, row in zip(hits, best, strict=True)], out)
    return FindResult(str(photo), many, searched, limit, far, hits, str(out))


def _face(photo: Path, detector: FaceDetector, aligned: bool) -> tuple[Image, int]:
    """The face to look for, and how many the photo shows."""
    try:
        image = decode(photo.read_bytes())
        if aligned:
            return np.asarray(cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_AREA), np.uint8), 1
        face, faces, _ = align_main_face(image, detector(image))
        return face, len(faces.scores)
    except OSError as error:
        raise UserError(f"cannot read {photo} ({error.strerror or error}): give a photo") from None
    except (UnreadablePhoto, NoFace) as error:
        raise UserError(
            f"{photo} shows no face to look for ({error}): give another photo, or another --detector"
        ) from None


def _refined(root: str, model: FaceEmbedder) -> Gallery:
    done = latest(root)
    table = done.embeddings[0]
    if table.manifest["params"]["embedder"] != model.named_by:
        raise UserError(
            f"the vectors of {root} are not of {model.model}: give --embedder and --flip as refine had them"
        )
    found = read_calibration(root, done.calibration.shards[0])
    return Gallery(done.photos, done.faces, table, found.impostors[0], found.far_curves[0], done.labels)


def _folder(
    root: str, folder: str, finder: FaceDetector, model: FaceEmbedder, *, aligned: bool, workers: Workers
) -> Gallery:
    photos, source_paths = build_photos(root, [test_set_source(folder)], workers=workers)
    faces = build_faces(root, photos, source_paths, finder, aligned=aligned, workers=workers)
    table = build_embeddings(root, faces, model, workers=workers)
    x, names = _sample(table)
    if not len(x):
        raise UserError(f"no photo of {folder} shows a face: give another folder, or another --detector")
    found = calibrate([x], identity=names)
    return Gallery(photos, faces, table, found.impostors[0], found.far_curves[0], None)


def _sample(table: Table) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Faces to measure strangers on: a few of each name, or where few are named, each for itself."""
    rows: list[str] = []
    x: list[NDArray[Any]] = []
    counts: dict[str, int] = {}
    named = len({n for t in table.batches(["identity"]) for n in t["identity"].unique().to_pylist()} - {None})
    for part in table.batches(["identity", "x"]):
        values, there = vectors(part["x"])
        for i, name in zip(np.flatnonzero(there).tolist(), part["identity"].filter(there).to_pylist(), strict=True):
            name = name if named >= ENOUGH and name is not None else f"{len(rows)}~"
            counts[name] = counts.get(name, 0) + 1
            if counts[name] <= FACES and len(rows) < FACES * IDENTITIES:
                rows.append(name)
                x.append(values[i])
    return np.array(x), np.unique(rows, return_inverse=True)[1] if rows else np.zeros(0, np.int64)


def _ranked(gallery: Gallery, vector: NDArray[np.float32], top: int) -> tuple[list[dict[str, Any]], int]:
    """The rows of the best, and among how many photos with a face they were found; one shard in memory at a time."""
    query = impostor_stats((vector / np.linalg.norm(vector))[None], gallery.view)
    best: list[dict[str, Any]] = []
    searched = 0
    for photo_rows, face_shard, embedded, label_rows in _shards(gallery):
        x, there = vectors(embedded["x"])
        at = np.flatnonzero(there)
        searched += len(at)
        others = impostor_stats(x[at].astype(np.float64), gallery.view)
        alike = score_matrix(query, others)[0]
        slope = 0.5 / query.impostor_deviation[0] + 0.5 / others.impostor_deviation
        for i in np.argsort(-alike, kind="stable")[:top].tolist():
            best.append(
                {
                    "likeness": float(alike[i]),
                    "cosine": float(query.x[0] @ others.x[i]),
                    "slope": float(slope[i]),
                    "photo": photo_rows["key"][at[i]].as_py(),
                    "shard": face_shard,
                    "row": int(at[i]),
                    "identity": _identity(photo_rows, label_rows, int(at[i])),
                }
            )
        best = sorted(best, key=lambda r: (-r["likeness"], r["photo"]))[:top]
    for row in best:
        row["jpeg"] = read_shard(gallery.faces.root, row["shard"], ["jpeg"])["jpeg"][row["row"]].as_py()
    return best, searched


def _shards(gallery: Gallery) -> Iterator[tuple[Any, Any, Any, Any]]:
    labels = (
        gallery.labels.batches(["identity", "reason"]) if gallery.labels else iter([None] * len(gallery.faces.shards))
    )
    yield from zip(
        gallery.photos.batches(["key", "identity"]),
        gallery.faces.shards,
        gallery.embeddings.batches(["x"]),
        labels,
        strict=True,
    )


def _identity(photo_rows: Any, label_rows: Any, i: int) -> str:
    """The claimed name, and what became of it where it is another."""
    claimed = photo_rows["identity"][i].as_py() or ""
    if label_rows is None:
        return claimed
    now, reason = label_rows["identity"][i].as_py(), label_rows["reason"][i].as_py()
    return claimed if now == claimed else f"{claimed} -> {now or reason}"


def _hit(rank: int, row: dict[str, Any], tail: FarCurve, limit: float) -> Match:
    needed = row["cosine"] + (limit - row["likeness"]) / row["slope"]
    return Match(
        rank,
        row["photo"],
        row["identity"],
        row["cosine"],
        needed,
        row["likeness"],
        float(far_at(tail, np.array([row["likeness"]]))[0]),
        row["likeness"] >= limit,
    )


def _tile(hit: Match, row: dict[str, Any]) -> Tile:
    return Tile(decode(row["jpeg"]), f"{hit.rank}  {hit.cosine:.2f}", hit.identity or hit.photo, hit.same)
