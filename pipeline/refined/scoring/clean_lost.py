"""Which clean photos were lost: by the size, sharpness and quality of the face, and by the faces in the photo."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.refined.scoring.intervals import Interval, ShareCounts, rate_intervals
from pipeline.refined.scoring.kinds_of_noise import interval_text
from pipeline.refined.scoring.known_truth import Truth
from pipeline.refined.scoring.scored_photos import Mask, ScoredPhotos
from pipeline.refinement import Refinement

MEASURES = ("size_px", "sharpness", "others", "quality")
SIZES = (40.0, 80.0, 160.0)  # pixels of a face's size between bins
SHARPNESS = (50.0, 200.0, 800.0)  # variances of the Laplacian, see faces/quality.py: below 50 a face looks blurred
QUALITIES = (0.55, 0.75, 0.9)  # shares of a sharp face's score, see noise/face_quality: below 0.55 a face is weak
Measures = dict[str, NDArray[np.float64]]


class LostPhotos(NamedTuple):
    """Clean photos of one sort: how many there are, how many were removed as noise, and their share."""

    measure: str
    photos: str  # which of them
    clean: int
    lost: int
    share: Interval | None

    def row(self) -> dict[str, object]:
        """The photos as a row of a table."""
        return {**self._asdict(), "share": interval_text(self.share)}

    def as_json(self) -> dict[str, Any]:
        """Plain values for programs."""
        return {**self._asdict(), "share": self.share and self.share._asdict()}


def read_measures(refinement: Refinement, truth: Truth) -> Measures:
    """Each measure of the faces [n] in the truth's order, NaN where a photo has no face or no such measure."""
    place = {key: i for i, key in enumerate(truth.keys)}
    measures: Measures = {name: np.full(len(truth.keys), np.nan) for name in MEASURES}
    columns = ("size_px", "sharpness", "others")
    faces = refinement.faces.batches(columns)
    qualities = refinement.quality.batches(["quality"]) if refinement.quality is not None else iter(())
    for photos, rows in zip(refinement.photos.batches(["key"]), faces, strict=True):
        at = np.array([place.get(key, -1) for key in photos["key"].to_pylist()], np.int64)
        quality = next(qualities, None)
        for name in MEASURES:
            table = quality if name == "quality" else rows
            if table is not None:
                values = table[name].cast("double").to_numpy()
                measures[name][at[at >= 0]] = values[at >= 0]
    return measures


def clean_lost(photos: ScoredPhotos, truth: Truth, measures: Measures, *, seed: int = 0) -> list[LostPhotos]:
    """The clean photos by sort, and how many of each were removed as noise; sorts without a photo are left out."""
    clean, n = photos.of("clean"), len(photos.claimed_identities)
    lost = clean & photos.removed_as_noise
    sorts = [(measure, words, clean & mask) for measure, words, mask in _sorts(truth, measures) if (clean & mask).any()]
    shares = [
        ShareCounts(*(np.bincount(photos.claimed[m], minlength=n).astype(float) for m in (mask & lost, mask)))
        for *_, mask in sorts
    ]
    intervals = rate_intervals([(None, share) for share in shares], seed=seed)
    return [
        LostPhotos(measure, words, int(mask.sum()), int((mask & lost).sum()), interval.recall)
        for (measure, words, mask), interval in zip(sorts, intervals, strict=True)
    ]


def _sorts(truth: Truth, measures: Measures) -> Iterator[tuple[str, str, Mask]]:
    """The sorts of photos: a measure, which photos in words, and their mask [n]."""
    yield from _bins("size of the face", measures["size_px"], SIZES, " px")
    yield from _bins("sharpness", measures["sharpness"], SHARPNESS)
    yield from _bins("quality", measures["quality"], QUALITIES)
    faces = measures["others"]
    yield "faces in the photo", "one", faces == 0
    yield "faces in the photo", "several", faces > 0
    yield "faces in the photo", "none found", np.isnan(faces)
    if len(truth.planted):
        planted = np.array(truth.planted, object)
        for name in sorted(set(truth.planted) - {""}):
            yield "planted", name, planted == name


def _bins(
    measure: str, values: NDArray[np.float64], edges: Sequence[float], unit: str = ""
) -> Iterator[tuple[str, str, Mask]]:
    yield measure, f"under {edges[0]:g}{unit}", values < edges[0]
    for low, high in pairwise(edges):
        yield measure, f"{low:g} to {high:g}{unit}", (values >= low) & (values < high)
    yield measure, f"{edges[-1]:g}{unit} or more", values >= edges[-1]
