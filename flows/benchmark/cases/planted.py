"""The wrong labels that a refinement found in photos with a known truth, beside other methods on the same embeddings.

The others are those of peer_methods.py. Each gets the setting with the best F1 on these very photos, which takes the
truth; on real data nobody has it. A photo without a face has no embedding, and counts as removed by all of them.
Duplicates are neither found nor lost here.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from flows.benchmark.peer_methods import SETTINGS, Data, Ints, Mask
from flows.cli.options import NONE_GIVEN, Only, Root
from flows.cli.result import Result
from flows.refine.score import TruthFolder
from pipeline.errors import UserError
from pipeline.progress import stage_progress
from pipeline.refined.scoring.known_truth import WRONG_LABEL, Truth, read_truth
from pipeline.refined.scoring.score import Rate, in_order_of_truth, score_photos, stopped_rate
from pipeline.refined.scoring.scored_photos import ScoredPhotos
from pipeline.refinement import Refinement, latest
from pipeline.tables.columns import vectors


@dataclass(frozen=True)
class FoundLabels(Result):
    """What each method found of the wrong labels, at which setting, and what it lost of the clean photos."""

    methods: list[dict[str, Any]]
    wrong: int
    clean: int

    def rows(self) -> list[dict[str, Any]]:
        """One row for each method, the refinement first."""
        return self.methods

    def lines(self) -> list[str]:
        """What was looked for, and that the others know the truth."""
        best = "each other method has its best setting for these photos, which only the truth shows"
        return [f"{self.wrong} wrong labels, {self.clean} clean photos; {best}"]


def planted(root: Root, truth: TruthFolder, *, only: Only = NONE_GIVEN) -> FoundLabels:
    """Measure a refinement beside cosines to centres, DBSCAN, cleanlab and connected components on its embeddings."""
    names = [name for name in SETTINGS if not only or name in only]
    if not names:
        raise UserError(f"--only {' --only '.join(only)}: give some of {', '.join(SETTINGS)}")
    known, refinement = read_truth(truth), latest(root)
    labels = in_order_of_truth(refinement.labels.read(["key", "identity", "reason"]), known)
    photos = ScoredPhotos(labels, known)
    score = score_photos(photos, known)
    rows = [_row("refinery", "", score.noise, score.clean_lost, score.clean)]
    data, place = _embedded(refinement, known)
    with stage_progress("other methods", total=len(names), unit="methods") as advance:
        for name in names:
            found = [_found(name, setting, data, place, photos) for setting in SETTINGS[name][1]]
            rate, lost, setting = max(found, key=lambda f: f[0].f1)
            rows.append(_row(name, f"{setting:g}", rate, lost, score.clean))
            advance(1)
    return FoundLabels(rows, int(photos.of(*WRONG_LABEL).sum()), score.clean)


def _found(name: str, setting: float, data: Data, place: Ints, photos: ScoredPhotos) -> tuple[Rate, int, float]:
    """What a method finds at a setting, how many clean photos it loses, and the setting."""
    removed: Mask = np.ones(len(photos.kind), bool)
    removed[place] = ~SETTINGS[name][0](data, setting)
    wrong, clean = photos.of(*WRONG_LABEL), photos.of("clean")
    return stopped_rate(removed, removed, wrong, clean), int((removed & clean).sum()), setting


def _row(method: str, setting: str, rate: Rate, lost: int, clean: int) -> dict[str, Any]:
    return {
        "method": method,
        "setting": setting,
        "F1": f"{rate.f1:.3f}",
        "precision": f"{rate.precision or 0:.3f}",
        "recall": f"{rate.recall or 0:.3f}",
        "clean photos lost": f"{lost / max(1, clean):.2%}",
    }


def _embedded(refinement: Refinement, truth: Truth) -> tuple[Data, Ints]:
    """The embeddings by the first model, identity by identity, and the place of each in the truth's order."""
    row_of = {key: i for i, key in enumerate(truth.keys)}
    x: list[NDArray[np.float32]] = []
    places: list[int] = []
    names: list[str] = []
    labels = refinement.labels.batches(["key", "claimed"])
    for faces, label in zip(refinement.embeddings[0].batches(["x"]), labels, strict=True):
        rows, present = vectors(faces["x"])
        present &= np.asarray(label["claimed"].is_valid())
        x.append(rows[present].astype(np.float32))
        kept = label.filter(pa.array(present))
        places += [row_of[key] for key in kept["key"].to_pylist()]
        names += kept["claimed"].to_pylist()
    identity = np.unique(names, return_inverse=True)[1]
    order = np.argsort(identity, kind="stable")
    return Data(np.concatenate(x)[order], identity[order]), np.array(places)[order]
