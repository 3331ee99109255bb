"""`refinery half-precision`: writes an embedder in half precision, and measures how cosines of test pairs change."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from flows.cli.options import NONE_GIVEN, Aligned, Cache, DaskWorkers, Detector, OutFile, TestSets
from flows.cli.result import Result
from flows.cli.sizes import parse_workers
from flows.evaluate.pair_sets import PreparedPairs, prepare_pairs
from flows.evaluate.verify_pairs import pair_set_cosines
from flows.refine.models import is_checkpoint
from pipeline.errors import UserError
from pipeline.faces.embed import OnnxEmbedder, embedder_format
from pipeline.faces.half_precision import is_half_precision, write_half_precision
from pipeline.faces.packs import find_model
from pipeline.tables.build import Workers
from pipeline.user_cache import faces_cache
from trainer.evaluation.pair_set import load_pairs
from trainer.evaluation.verification import verify

DECIMALS = 6
SHARE = 0.99  # share of a test set's pairs whose cosine moves by less than `moved_99`


@dataclass(frozen=True)
class ScoreChange:
    """The change of a test set's cosines by half precision; figures: each in full and in half precision."""

    test_set: str
    pairs: int
    moved_most: float  # the largest change of a cosine
    moved_99: float
    figures: dict[str, tuple[float, float]]


@dataclass(frozen=True)
class HalfPrecisionResult(Result):
    """The file that was written, its bytes and the original's, and the change on each test set."""

    model: str
    bytes_full: int
    bytes_half: int
    changes: list[ScoreChange]

    def rows(self) -> list[dict[str, Any]]:
        """One row for each figure, in full and in half precision."""
        return [
            {"test set": c.test_set, "figure": name, "full": f"{full:.4f}", "half": f"{half:.4f}"}
            for c in self.changes
            for name, (full, half) in c.figures.items()
        ]

    def lines(self) -> list[str]:
        """The file that was written, and how far cosines move."""
        size = f"{self.model}: {self.bytes_half / 1e6:.1f} MB, in full precision {self.bytes_full / 1e6:.1f} MB"
        if not self.changes:
            return [size, "give --test-set to see what half precision does to cosines"]
        return [
            size,
            *(
                f"{c.test_set}: cosines of {c.pairs:,} pairs move by {c.moved_most:.6f} at most, "
                f"{SHARE:.0%} of them by less than {c.moved_99:.6f}"
                for c in self.changes
            ),
        ]


def half_precision(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="An ONNX file, or an InsightFace pack.")],
    out: OutFile,
    test_set: TestSets = NONE_GIVEN,
    *,
    cache: Cache = "",
    detector: Detector = "",
    aligned: Aligned = False,
    workers: DaskWorkers = "",
) -> HalfPrecisionResult:
    """Write an embedder in half precision, for GPUs, and measure on test sets what that does to cosines and figures."""
    if is_checkpoint(model):
        raise UserError(f"{model} is a checkpoint: give the model.onnx beside it")
    full = OnnxEmbedder(find_model(model, "embedder"))
    if out.absolute() == Path(full.model):
        raise UserError(f"{out} is the model itself: give another file")
    if out.exists() and not is_half_precision(out):
        raise UserError(f"{out} is there already and is no model in half precision: remove it, or give another name")
    sizes = Path(full.model).stat().st_size, write_half_precision(full.model, out)
    half = OnnxEmbedder(str(out.absolute()))
    if embedder_format(half.model) != embedder_format(full.model):  # it is read from the first nodes of the graph
        raise UserError(f"{model} in half precision would take its faces in another format: it cannot be converted")
    pool = parse_workers(workers)
    root = cache or faces_cache()
    tests = [prepare_pairs(root, path, detector=detector, aligned=aligned, workers=pool) for path in test_set]
    changes = [_change(root, test, (full, half), pool) for test in tests]
    return HalfPrecisionResult(str(out), *sizes, changes)


def _change(
    cache: str, test: PreparedPairs, models: tuple[OnnxEmbedder, OnnxEmbedder], workers: Workers
) -> ScoreChange:
    """How the cosines of a test set's pairs differ between a model in full and in half precision."""
    pairs = load_pairs(test.folder)
    full, half = (pair_set_cosines(cache, model, test, pairs, workers=workers) for model in models)
    before, after = (verify(c, pairs.same, pairs.fold, unit=pairs.unit, samples=0).figures for c in (full, half))
    moved = np.abs(full - half)
    moved_most, moved_99 = (round(float(value), DECIMALS) for value in (moved.max(), np.quantile(moved, SHARE)))
    return ScoreChange(test.name, len(moved), moved_most, moved_99, {k: (before[k], after[k]) for k in before})
