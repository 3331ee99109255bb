"""`refinery find`: ranks the photos of a set by their score with the face in one photo, and draws them on a sheet.

The set is a refinement's root, or any folder of photos, whose faces and embeddings are then kept as tables in the
cache. The threshold is given as a false accept rate and measured on the set itself.
"""

import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.options import Aligned, Cache, DaskWorkers, Detector, Embedder, Far, Flip, OutFile
from flows.cli.out_file import check_out
from flows.cli.sizes import parse_workers
from flows.find.contact_sheet import Tile, draw_sheet
from flows.find.gallery import folder_gallery, refined_gallery
from flows.find.query import read_face
from flows.find.results import FindResult, Match
from flows.find.search import Candidate, best_candidates
from flows.refine.models import load_embedder
from pipeline.errors import UserError
from pipeline.faces.detect import OnnxDetector
from pipeline.faces.packs import find_model
from pipeline.faces.picture import decode
from pipeline.noise.scores.far_curve import threshold_at_far
from pipeline.refinement import FILE, latest
from pipeline.sample.models import DETECTOR, EMBEDDER
from pipeline.sources.formats.folder_walk import CONTACT_SHEET, SHEET_MARK
from pipeline.sources.photo_kinds import SUFFIXES
from pipeline.user_cache import faces_cache

log = logging.getLogger("refinery")


def find(
    root: Annotated[
        str, typer.Argument(metavar="ROOT", help="A refinement's root, or any folder of photos: the set to search.")
    ],
    photo: Annotated[Path, typer.Argument(metavar="PHOTO", help="A photo of the person to find.")],
    *,
    detector: Detector = "",
    embedder: Embedder = "",
    cache: Cache = "",
    aligned: Aligned = False,
    flip: Flip = "",
    top: Annotated[int, typer.Option(help="Photos to show.")] = 24,
    far: Far = 1e-4,
    out: OutFile = Path("found.png"),
    workers: DaskWorkers = "",
) -> FindResult:
    """Rank the photos of a set by their score with the face in one photo: a calibrated threshold, a contact sheet.

    Without --detector and --embedder a refinement is searched with the models that it was made with, and a folder with
    the two small models of drawn people, which know no real faces. A folder's faces are kept in the user's cache.
    """
    if top < 1 or not 0 < far < 0.5:
        raise UserError(f"--top {top} --far {far:g}: give 1 or more, and a share between 0 and 0.5")
    if bool(detector) != bool(embedder) and not aligned:
        raise UserError("give --detector and --embedder together, or neither for drawn people")
    is_root = "://" in root or Path(root, FILE).exists()
    if not embedder:
        detector, embedder, flip = models_of(root, flip) if is_root else _small_models(flip)
    _check_place(out, [path for _, path in latest(root).options.sources.values()] if is_root else [root])
    check_out(
        out, re.compile(re.escape(SHEET_MARK)), kind="a sheet of `refinery find`", roots=[root] if is_root else []
    )
    face_detector = OnnxDetector(find_model(detector, "detector") if detector else str(DETECTOR))
    model = load_embedder(embedder, flip)
    query = read_face(photo, face_detector, aligned=aligned)
    if is_root:
        gallery = refined_gallery(root, model)
    else:
        kept_in, pool = cache or faces_cache(), parse_workers(workers)
        gallery = folder_gallery(kept_in, root, face_detector, model, aligned=aligned, workers=pool)
    threshold = threshold_at_far(gallery.far_curve, far)
    candidates, searched = best_candidates(gallery, model(query.face[None])[0], top)
    matches = [Match.of(rank, c, gallery.far_curve, threshold) for rank, c in enumerate(candidates, start=1)]
    draw_sheet(query.face, [_tile(m, c) for m, c in zip(matches, candidates, strict=True)], out)
    return FindResult(str(photo), query.faces, searched, threshold, far, matches, str(out), gallery.guess)


def models_of(root: str, flip: str = "") -> tuple[str, str, str]:
    """The detector, the embedder and the flip with which a root was refined. Raises UserError where they are gone.

    flip: another one in its place.
    """
    refinement = latest(root)
    files = refinement.options.models[:2]
    if len(files) < 2 or not all(Path(file).exists() for file in files):
        missing = ", ".join(file for file in files if not Path(file).exists()) or "an older version wrote it"
        raise UserError(f"the models of {root} are not known here ({missing}): give --detector and --embedder")
    if not flip:
        named = refinement.embeddings[0].manifest["params"]["embedder"]
        flip = str(named[2]) if isinstance(named, list) and len(named) > 2 else flip
    return files[0], files[1], flip


def _small_models(flip: str) -> tuple[str, str, str]:
    log.warning("the small models of drawn people are used, which know no real faces: give --detector and --embedder")
    return str(DETECTOR), str(EMBEDDER), flip


def _check_place(sheet: Path, folders: Sequence[str]) -> None:
    """Raise UserError for a sheet among the photos of a source that the next run would take for one of them."""
    if sheet.name.lower() == CONTACT_SHEET or sheet.suffix.lower() not in SUFFIXES:
        return
    for folder in folders:
        if Path(folder).resolve() in sheet.resolve().parents:
            raise UserError(
                f"--out {sheet} lies among the photos of {folder}, where it would be taken for one: "
                f"give another folder, or call it {CONTACT_SHEET}"
            )


def _tile(match: Match, candidate: Candidate) -> Tile:
    """The tile of a match on the sheet."""
    caption = f"{match.rank}  {match.cosine:.2f}"
    return Tile(decode(candidate.jpeg), caption, match.identity or match.photo, match.same)
