"""`refinery plant`: plants noise of every kind in photos that are believed clean, with the truth beside them.

So a refinement can be measured on anybody's own photos. Unchanged photos are symbolic links to the originals: they work
across disks, leave even the originals' link counts alone, and an image-folder reads them with --follow-links. (A photo
list refuses photos outside its folder, and a hard link would let an edit of one name change the other.)
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Annotated, Any

import typer

from flows.cli.options import (
    Aligned,
    Cache,
    DaskWorkers,
    Detector,
    Embedder,
    FollowLinks,
    IdentityLevel,
    OutFolder,
    Seed,
    Sources,
)
from flows.cli.result import Result
from flows.cli.sizes import parse_workers
from flows.refine.models import load_embedder
from flows.refine.source_pairs import parse_sources
from flows.refine.tables import build_embeddings, build_faces, build_photos
from flows.sample.face_boxes import face_finder
from flows.sample.planted_folder import OPTIONS_FILE, check_folder, write_planted
from flows.sample.planting_source import SourcePhotos, index_sources
from pipeline.errors import UserError, check_all
from pipeline.faces.detect import OnnxDetector
from pipeline.faces.packs import find_model
from pipeline.sample.cases.edited_duplicates import middle
from pipeline.sample.cases.picture_edits import EDITS
from pipeline.sample.cases.truth_tables import TRUTH
from pipeline.sample.models import DETECTOR
from pipeline.sample.planting.lookalike_photos import Vectors
from pipeline.sample.planting.mix import KINDS, Mix, parse_mix
from pipeline.sample.planting.picture_bytes import ALIGNED_EDITS
from pipeline.sample.planting.plan import plan_planting
from pipeline.sample.planting.planted_files import LINK, PlantingPlan
from pipeline.sources.index import Source
from pipeline.tables import storage
from pipeline.tables.columns import vectors
from pipeline.user_cache import faces_cache

log = logging.getLogger("refinery")
MODELS = "--detector scrfd.onnx --embedder arcface.onnx"
PLANTING = 1  # version of the planting: a folder begun by another version is not continued
OF = {
    "companions": "identities",
    "two-names": "persons",
    "two-persons": "pairs of persons",
    "overlap": "identities",
}  # what a kind is counted in; the others: photos


@dataclass(frozen=True)
class PlantedPhotos(Result):
    """What was planted, and where."""

    folder: str
    photos: int
    identities: int
    links: int
    files: int
    left_out: int  # photos of the source that are used nowhere
    has_test_set: bool
    wanted: Mapping[str, int]  # by kind of the mix
    planted: Mapping[str, int]

    def rows(self) -> list[dict[str, Any]]:
        """A row for each kind of noise of the mix."""
        return [
            {
                "noise": kind,
                "asked for": self.wanted[kind],
                "planted": self.planted[kind],
                "counted in": OF.get(kind, "photos"),
            }
            for kind in KINDS
            if self.wanted[kind] or self.planted[kind]
        ]

    def lines(self) -> list[str]:
        """Which rates these photos could not give, where everything is, and what to run next."""
        short = [kind for kind in KINDS if self.planted[kind] < self.wanted[kind]]
        why = "the source has too few people, or too few photos of each"
        made = f"{self.links} links to the originals, {self.files} files"
        photos, test_set = quote(f"{self.folder}/photos"), quote(f"{self.folder}/test")
        options = " --follow-links" * bool(self.links) + f" --test-set {test_set}" * self.has_test_set
        return [
            *([f"not reached: {', '.join(short)}: {why}"] if short else []),
            f"{self.photos} photos of {self.identities} identities in {self.folder}/photos: {made}",
            f"{self.left_out} photos of the source are not used",
            f"next: refinery refine ROOT image-folder {photos}{options} {MODELS}",
            f"      refinery score ROOT {quote(self.folder)} --out mistakes.html",
        ]


def plant(
    source: Sources,
    out: OutFolder,
    *,
    mix: Annotated[
        str,
        typer.Option(
            help="Noise to plant: ms-celeb, megaface or light, or rates from 0 to 1 like outliers=.2,misnamed=.03, or "
            "both like light,junk=.1."
        ),
    ] = "ms-celeb",
    detector: Detector = "",
    embedder: Embedder = "",
    cache: Cache = "",
    aligned: Aligned = False,
    follow_links: FollowLinks = False,
    identity_level: IdentityLevel = 0,
    workers: DaskWorkers = "",
    seed: Seed = 0,
) -> PlantedPhotos:
    """Plant every kind of noise in photos that are believed clean, with the truth beside them for `refinery score`.

    With --detector and --embedder lookalikes are found among the source's people, else they are drawn at random. The
    source is only read. A stopped run goes on with the same command.
    """
    rates, sources, pool, face_detector, *_ = check_all(
        lambda: _mix(mix, aligned=aligned),
        lambda: parse_sources(source, follow_links=follow_links, identity_level=identity_level),
        lambda: parse_workers(workers),
        lambda: OnnxDetector(find_model(detector, "detector")) if detector else None,
        lambda: _check_models(detector, embedder, aligned=aligned),
    )
    _check_place(out, sources)
    photos = index_sources(sources, face_finder(face_detector) if face_detector else middle)
    options = _options(rates, seed, photos, models=(detector, embedder), aligned=aligned)
    earlier = check_folder(out, options)
    if earlier and (out / TRUTH).exists():
        log.info("everything is there already")
        return PlantedPhotos(**{**earlier["result"], "folder": str(out)})
    alike = _vectors(photos, rates, embedder, face_detector, cache=cache, aligned=aligned, workers=pool)
    plan = plan_planting(
        photos.of_persons(),
        rates,
        seed,
        can_be_edited=photos.can_be_edited,
        suffix_of=photos.suffix,
        vectors=alike,
        edits=_edits(aligned=aligned, detector=detector),
    )
    result = _result(out, plan, photos)
    record = {**result.as_json(), "folder": ""}  # the folder may be moved
    storage.put_json(str(out), OPTIONS_FILE, {"options": options, "result": record})
    write_planted(out, plan, photos, seed)
    return result


def _options(mix: Mix, seed: int, photos: SourcePhotos, *, models: tuple[str, str], aligned: bool) -> dict[str, Any]:
    """What the planted photos follow from."""
    return {
        "planting": PLANTING,
        "mix": mix.rates(),
        "seed": seed,
        "source": photos.digest(),
        "models": [Path(model).name for model in models],
        "aligned": aligned,
    }


def _result(out: Path, plan: PlantingPlan, photos: SourcePhotos) -> PlantedPhotos:
    linked = sum(f.make == LINK and photos.file(f.photo) is not None for f in plan.files)
    return PlantedPhotos(
        str(out),
        len(plan.files),
        len(plan.persons),
        linked,
        len(plan.files) - linked,
        plan.left_out + photos.unusable,
        bool(plan.test),
        plan.wanted,
        plan.planted,
    )


def _edits(*, aligned: bool, detector: str) -> list[str]:
    """The edits of duplicates: without a detector it is not known where a tight crop would have to be."""
    return list(ALIGNED_EDITS) if aligned else [edit for edit in EDITS if detector or edit != "tight-crop"]


def _mix(text: str, *, aligned: bool) -> Mix:
    mix = parse_mix(text)
    if aligned and mix.groups:
        raise UserError(f"--aligned --mix {text}: aligned faces are no photos of several people: give groups=0")
    return mix


def _check_models(detector: str, embedder: str, *, aligned: bool) -> None:
    if embedder and not (detector or aligned):
        raise UserError("--embedder alone: give --detector as well, or --aligned")
    if embedder:
        load_embedder(embedder)


def _check_place(out: Path, sources: list[Source]) -> None:
    """Raise UserError where the planted photos would lie among those of a source, or the other way round."""
    place = out.resolve()
    for source in sources:
        path = Path(source.path).resolve()
        folder = path if path.is_dir() else path.parent
        if folder == place or (path.is_dir() and folder in place.parents) or place in folder.parents:
            raise UserError(f"--out {out} and {source.path} lie in each other: give --out a folder of its own")


def _vectors(
    photos: SourcePhotos,
    mix: Mix,
    embedder: str,
    detector: OnnxDetector | None,
    *,
    cache: str,
    aligned: bool,
    workers: Any,
) -> Vectors | None:
    """The embeddings of all photos by number, from tables in the cache; None where lookalikes are drawn at random."""
    if not mix.lookalikes:
        return None
    if not embedder:
        log.warning("without --detector and --embedder, lookalikes are drawn at random")
        return None
    root, face_detector = cache or faces_cache(), detector or OnnxDetector(str(DETECTOR))
    table, locations = build_photos(root, photos.sources, workers=workers)
    faces = build_faces(root, table, locations, face_detector, aligned=aligned, workers=workers)
    embeddings = build_embeddings(root, faces, load_embedder(embedder), workers=workers)
    numbers, found = photos.by_face_id(), {}
    for rows in embeddings.batches(["face_id", "x"]):
        x, valid = vectors(rows["x"])
        for row, face in enumerate(rows["face_id"].to_pylist()):
            if valid[row] and face in numbers:
                found[numbers[face]] = x[row]
    return found
