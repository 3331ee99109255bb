"""Error-versus-reject curves: how well measures of a face foretell that a genuine pair scores low.

Pairs are rejected in the order of the lower measure of their two faces (Grother and Tabassi 2007). The better a
measure, the faster the share of genuine pairs below a fixed threshold falls. Once with the photos of a test set as they
are, and once with a fifth of them spoiled, in ways and strengths other than those from which the quality is learned.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from flows.cli.options import Quality, Root, Seed, TestSets
from flows.cli.result import Result
from flows.evaluate.pair_sets import one_test_set, prepare_pairs
from flows.refine.models import load_embedder, load_quality_model
from pipeline.errors import UserError
from pipeline.faces.face_quality.quality_model import FaceQualityModel
from pipeline.faces.protocols import FaceEmbedder
from pipeline.faces.quality import sharpness
from pipeline.noise.calibration import read_calibration
from pipeline.noise.face_quality.foretold_score import MeasuredFaces, read_foretold_score
from pipeline.noise.scores.far_curve import threshold_at_far
from pipeline.noise.scores.fusion import Calibration, all_impostor_stats, fuse, pair_scores
from pipeline.refinement import Refinement, latest
from pipeline.sample.cases.unrecognisable_faces import WAYS

FAR = 1e-4  # of the threshold that genuine pairs should reach
REJECTED = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5)  # shares of the pairs
SPOILED = 0.2  # share of the photos of the second curve
FACE = 0.74  # width of a face divided by that of its aligned picture
BATCH = 4
Images = NDArray[np.uint8]
Values = NDArray[np.float64]


class PairedFaces(NamedTuple):
    """The faces of a test set and its genuine pairs: pair i is the faces in rows a[i] and b[i]."""

    faces: Images  # [n, 112, 112, 3]
    measures: Mapping[str, Values]  # of the photo, by name: [n]
    a: NDArray[np.int64]
    b: NDArray[np.int64]


@dataclass(frozen=True)
class RejectCurves(Result):
    """For each set of photos and each measure the share of genuine pairs below the threshold, by share of rejected."""

    curves: list[dict[str, Any]]
    pairs: int
    faces: int

    def rows(self) -> list[dict[str, Any]]:
        """A row for each set of photos and measure."""
        return self.curves

    def lines(self) -> list[str]:
        """What the columns mean."""
        return [
            f"{self.pairs} genuine pairs of {self.faces} faces; the share below the threshold with FAR {FAR:g},",
            "after the given share of the pairs with the lowest measures was rejected; AUC: the chance that a pair",
            "below the threshold has a lower measure than one above it",
        ]


def quality(root: Root, test_set: TestSets, *, quality: Quality = "", seed: Seed = 0) -> RejectCurves:
    """Measure how well the quality of faces and other measures foretell that a genuine pair scores low."""
    refinement = latest(root)
    if refinement.degraded is None or not len(refinement.degraded):
        raise UserError(
            f"{root} holds no qualities: run `refinery refine` on it again, with 240 photos of faces or more"
        )
    detector, *models = refinement.options.models
    embedders = [load_embedder(model) for model in models]
    quality_model = load_quality_model(quality) if quality else None
    paired = _paired_faces(root, one_test_set(test_set), detector)
    rng = np.random.default_rng([73, seed])
    spoiled = paired.faces.copy()
    for i in np.flatnonzero(rng.random(len(spoiled)) < SPOILED).tolist():
        spoil = list(WAYS.values())[int(rng.integers(len(WAYS)))]
        spoiled[i] = spoil(spoiled[i], rng, face=FACE)
    curves = _curves("as they are", refinement, paired, embedders, quality_model)
    curves += _curves(
        "a fifth spoiled", refinement, paired._replace(faces=spoiled, measures={}), embedders, quality_model
    )
    return RejectCurves(curves, len(paired.a), len(paired.faces))


def _paired_faces(root: str, test_set: str, detector: str) -> PairedFaces:
    """The genuine pairs of a test set whose photos both show a face."""
    prepared = prepare_pairs(root, test_set, detector=detector)
    rows = prepared.faces.read(["face_id", "jpeg", "score", "size_px", "yaw"])
    rows = rows.filter(rows["jpeg"].is_valid())
    pairs = pq.read_table(prepared.folder / "pairs.parquet")
    pairs = pairs.filter(pairs["same"])
    ids = rows["face_id"].combine_chunks()
    ends = [pc.index_in(pairs[side], value_set=ids).fill_null(-1).to_numpy() for side in ("a", "b")]
    known = (ends[0] >= 0) & (ends[1] >= 0)
    jpegs = [np.frombuffer(jpeg.as_buffer(), np.uint8) for jpeg in rows["jpeg"]]
    faces = np.stack([np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8) for jpeg in jpegs])
    measures = {name: _column(rows, column) for name, column in (("detector's score", "score"), ("size", "size_px"))}
    measures["yaw"] = -np.abs(_column(rows, "yaw"))
    return PairedFaces(faces, measures, ends[0][known], ends[1][known])


def _column(rows: pa.Table, name: str) -> Values:
    return np.asarray(rows[name].to_numpy(zero_copy_only=False), np.float64)


def _curves(
    photos: str,
    refinement: Refinement,
    paired: PairedFaces,
    embedders: list[FaceEmbedder],
    quality_model: FaceQualityModel | None,
) -> list[dict[str, Any]]:
    calibration = read_calibration(refinement.root, refinement.calibration.shards[0])
    raw = [_in_batches(paired.faces, embedder) for embedder in embedders]
    norms = [np.linalg.norm(rows, axis=1) for rows in raw]
    x = [rows / norm[:, None] for rows, norm in zip(raw, norms, strict=True)]
    low = _scores(x, paired, calibration) < threshold_at_far(calibration.fused_curve, FAR)
    sharp = np.array([sharpness(face) for face in paired.faces])
    measures = {"quality": _foretold(refinement, MeasuredFaces(sharp, x, norms))}
    if quality_model:
        measures["--quality model"] = _in_batches(paired.faces, quality_model)
    measures |= {f"norm of embedder {e + 1}": norm for e, norm in enumerate(norms)}
    measures |= {"sharpness": sharp, **paired.measures}
    return [
        {"photos": photos, "measure": name, **_curve(np.minimum(values[paired.a], values[paired.b]), low)}
        for name, values in measures.items()
    ]


def _foretold(refinement: Refinement, faces: MeasuredFaces) -> Values:
    """The quality of faces by what a refinement learned from its degraded faces, without a face-quality model."""
    assert refinement.degraded is not None  # noqa: S101  checked in quality()
    shard = refinement.degraded.shards[0]
    foretold = read_foretold_score(refinement.root, shard, refinement.calibration.shards[0], external=False)
    assert foretold is not None  # noqa: S101
    return foretold(faces)


def _in_batches(faces: Images, model: Any) -> Values:
    blocks = [faces[start : start + BATCH] for start in range(0, len(faces), BATCH)]
    return np.asarray(np.concatenate([model(block) for block in blocks]), np.float64)


def _scores(x: list[Values], paired: PairedFaces, calibration: Calibration) -> Values:
    faces = all_impostor_stats(x, calibration)
    return fuse(pair_scores(faces, paired.a, faces, paired.b), calibration.weights)


def _curve(measure: Values, low: NDArray[np.bool_]) -> dict[str, str]:
    """By share of rejected pairs the share of the rest that is low, and the AUC; measure, low [n]: of the pairs."""
    order = np.argsort(measure, kind="stable")
    shares = {f"{share:.0%}": f"{low[order[round(share * len(order)) :]].mean():.2%}" for share in REJECTED}
    below, above = measure[low], np.sort(measure[~low])
    more, equal = np.searchsorted(above, below, "right"), np.searchsorted(above, below, "left")
    wins = 1 - (more + equal) / 2 / max(1, len(above))
    return {"AUC": f"{wins.mean():.3f}" if len(below) else "-", **shares}
