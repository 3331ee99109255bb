"""`refinery calibrate`: keeps the embeddings of other people's faces by a model, for data sets of few identities."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.options import Aligned, DaskWorkers, Detector, Flip
from flows.cli.result import Result
from flows.cli.sizes import parse_workers
from flows.refine.calibration.cohort import keep_cohort
from flows.refine.calibration.reference import WHAT
from flows.refine.models import load_embedder
from flows.refine.tables import build_embeddings, build_faces
from flows.refine.test_sets import check_has_faces, index_test_set
from pipeline.errors import UserError
from pipeline.faces.detect import OnnxDetector
from pipeline.faces.packs import find_model
from pipeline.noise.scores.calibrate import FEW_IDENTITIES
from pipeline.sample.models import DETECTOR
from pipeline.sources.files import existing_path
from pipeline.user_cache import cohorts_cache, faces_cache


@dataclass(frozen=True)
class CohortResult(Result):
    """The cohort of a model: how many faces of how many people it holds, and where it is kept."""

    model: str
    faces: int
    identities: int
    folder: str

    def lines(self) -> list[str]:
        """What was kept, and when it is used."""
        lines = [f"{self.faces:,} faces of {self.identities:,} people by {self.model} are kept in {self.folder}"]
        if self.identities <= FEW_IDENTITIES:
            lines.append(f"these are few people: more than {FEW_IDENTITIES} make thresholds a measurement")
        lines.append(f"`refinery refine` uses them for data of at most {FEW_IDENTITIES} identities with this embedder")
        return lines


def calibrate(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="The embedder: an ONNX file, a checkpoint or an InsightFace pack.")
    ],
    path: Annotated[
        str,
        typer.Argument(
            metavar="PATH", help="Photos of some hundred people: a folder for each, or one photo of each in a folder."
        ),
    ],
    *,
    detector: Detector = "",
    aligned: Aligned = False,
    flip: Flip = "",
    workers: DaskWorkers = "",
) -> CohortResult:
    """Keep embeddings of other people's faces, on which thresholds for data of few identities are measured.

    With two embedders, run it once for each with the same PATH.
    """
    existing_path(path)
    embedder = load_embedder(model, flip)
    if not detector and not (aligned or path.endswith(".bin")):
        raise UserError("give --detector, or --aligned if the photos are aligned crops of 112x112")
    face_detector = OnnxDetector(find_model(detector, "detector") if detector else str(DETECTOR))
    root, pool = faces_cache(), parse_workers(workers)
    indexed = index_test_set(root, path, workers=pool)
    faces = build_faces(
        root, indexed.photos, indexed.source_paths, face_detector, aligned=aligned or indexed.aligned, workers=pool
    )
    check_has_faces(faces, path, what=WHAT)
    kept = keep_cohort(build_embeddings(root, faces, embedder, workers=pool), embedder, Path(path).absolute().name)
    identities = len(kept.embeddings.read(["identity"])["identity"].unique())
    return CohortResult(model, len(kept.embeddings), identities, cohorts_cache())
