"""A model in half precision, and what that does to its answers: the same pairs asked of both."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from flows.cli.result import Result
from flows.evaluate.flow import cosines
from flows.evaluate.pair_sets import prepare
from flows.refine.models import is_checkpoint
from flows.refine.take_out import parse_workers
from pipeline.errors import UserError
from pipeline.faces.embed import OnnxEmbedder, layout_of
from pipeline.faces.half_precision import write_half_precision
from pipeline.faces.packs import find_model
from trainer.evaluation.pair_set import load_pairs
from trainer.evaluation.verification import verify

DECIMALS = 6
SHARE = 0.99  # of the pairs, whose cosine moves less than what is told beside the most


@dataclass(frozen=True)
class Halved(Result):
    """The file and its bytes, before and now; by how much the cosines of a test set's pairs moved, and its figures."""

    model: str
    bytes_before: int
    bytes_now: int
    pairs: int
    moved_most: float | None  # of all cosines; None without a test set
    moved_usually: float | None  # 99% of them moved less
    figures: dict[str, tuple[float, float]]  # before and now

    def rows(self) -> list[dict[str, Any]]:
        """The figures side by side."""
        return [{"figure": name, "full": f"{a:.4f}", "half": f"{b:.4f}"} for name, (a, b) in self.figures.items()]

    def lines(self) -> list[str]:
        """What was written and what it changes."""
        said = [f"{self.model}: {self.bytes_now / 1e6:.1f} MB, before {self.bytes_before / 1e6:.1f} MB"]
        if self.moved_most is None:
            return [*said, "give a TEST_SET to see what it does to cosines"]
        most, usually = f"{self.moved_most:.6f}", f"{self.moved_usually:.6f}"
        return [
            *said,
            f"cosines of {self.pairs:,} pairs moved by {most} at most, {SHARE:.0%} of them less than {usually}",
        ]


def halve(
    model: Annotated[str, typer.Argument(help="An embedder: an ONNX file, or a pack of InsightFace.")],
    out: Annotated[Path, typer.Argument(help="The file to write.")],
    test_set: Annotated[str, typer.Argument(help="Pairs to ask of both, as for evaluate.")] = "",
    root: Annotated[str, typer.Option(help="Where aligned faces and vectors are kept.")] = "evaluation",
    detector: Annotated[str, typer.Option(help="As for refine; needed unless the photos are aligned.")] = "",
    aligned: Annotated[bool, typer.Option("--aligned", help="The photos are aligned crops already.")] = False,
    workers: Annotated[str, typer.Option(help="Processes, or the address of a Dask scheduler; default: threads.")] = "",
) -> Halved:
    """Write an embedder in half precision, for GPUs, and measure what that does to cosines and figures."""
    if is_checkpoint(model):
        raise UserError(f"{model} is a checkpoint: give the model.onnx beside it")
    whole = OnnxEmbedder(find_model(model, "embedder"))
    if out.absolute() == Path(whole.model):
        raise UserError(f"{out} is the model itself: give another file")
    sizes = Path(whole.model).stat().st_size, write_half_precision(whole.model, out)
    half = OnnxEmbedder(str(out.absolute()))
    if layout_of(half.model) != layout_of(whole.model):  # a graph that tells by its first nodes how it wants its faces
        raise UserError(f"{model} in half precision would be given its faces otherwise: it cannot be halved")
    if not test_set:
        return Halved(str(out), *sizes, 0, None, None, {})
    many = parse_workers(workers)
    test = prepare(root, test_set, detector=detector, aligned=aligned, workers=many)
    pairs = load_pairs(test.folder)
    both = [cosines(root, m, test, pairs, workers=many) for m in (whole, half)]
    before, now = (verify(c, pairs.same, pairs.fold, unit=pairs.unit, samples=0).figures for c in both)
    moved = np.abs(both[0] - both[1])
    most, usually = (round(float(value), DECIMALS) for value in (moved.max(), np.quantile(moved, SHARE)))
    return Halved(str(out), *sizes, len(moved), most, usually, {k: (before[k], now[k]) for k in before})
