"""Outliers by their probability beside outliers by a fixed false accept rate, on a data set whose truth is known.

The data set is also changed into a harder one: identities with 0% to 75% of noise that looks alike (sample/cases/).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa

from flows.benchmark.hard_names.recomposed import CaseResult, RefinedRows, probabilities_and_truth, refine_case
from flows.cli.options import Root, World
from flows.cli.result import Result
from pipeline.noise.outliers.mixture_table import MIXTURE
from pipeline.refined.scoring.known_truth import WRONG_LABEL
from pipeline.refined.scoring.score import score
from pipeline.refinement import Refinement, latest
from pipeline.report.reliability import ReliabilityBin, reliability
from pipeline.sample.cases.labelled_photos import read_photos
from pipeline.sample.cases.lookalikes import SHARES, lookalikes
from pipeline.tables.build import build
from pipeline.tables.table import Table


@dataclass(frozen=True)
class CutComparison(Result):
    """The score of both rules on each data set and choice of embedders, and the reliability of the probabilities."""

    rules: list[dict[str, Any]]
    reliabilities: dict[str, list[ReliabilityBin]]

    def rows(self) -> list[dict[str, Any]]:
        """One row for each data set, choice of embedders and rule."""
        return self.rules

    def lines(self) -> list[str]:
        """What the columns mean, and for each data set the probabilities beside the share of wrong labels."""
        bins = {
            name: ", ".join(f"{b.probability:.2f}: {b.wrong:.2f} ({b.findings})" for b in of_case)
            for name, of_case in self.reliabilities.items()
        }
        return [
            "F1, recall: of photos with a wrong label; lost: clean photos removed; kept: wrong labels that stay",
            "reliability: mean probability of being an outlier: share of wrong labels (photos), for reported photos",
            *(f"{name}: {text}" for name, text in bins.items()),
        ]


def cut(root: Root, world: World) -> CutComparison:
    """Compare outliers by probability with those by a fixed FAR: as claimed, and with noise that looks alike."""
    refinement, photos = latest(root), read_photos(world)
    alike = RefinedRows.read(refinement, embedder=0).vectors_by_key()  # by the better embedder for all choices
    shares = {f"lookalikes {s:.0%}": [s] for s in SHARES[1:]} | {"lookalikes 0% to 75%": list(SHARES)}
    cases = {"as claimed": photos} | {name: lookalikes(photos, alike, shares=s) for name, s in shares.items()}
    rules: list[dict[str, Any]] = []
    reliabilities: dict[str, list[ReliabilityBin]] = {}
    for embedders, rows in _choices(refinement).items():
        for name, case in cases.items():
            for rule, build_function in (("fixed FAR", without_mixture), ("probability", build)):
                with TemporaryDirectory() as folder:
                    result = refine_case(Path(folder), case, rows, build=build_function)
                    rules.append({"data": name, "embedders": embedders, "outliers by": rule, **_row(result)})
                    if rule == "probability":
                        reliabilities[f"{name}, {embedders}"] = reliability(*probabilities_and_truth(result))
    return CutComparison(rules, reliabilities)


def _choices(refinement: Refinement) -> dict[str, RefinedRows]:
    """The rows with all embedders, and with each alone."""
    count = len(refinement.embeddings)
    alone = {f"embedder {e + 1}": RefinedRows.read(refinement, embedder=e) for e in range(count)}
    return ({"both": RefinedRows.read(refinement)} if count > 1 else {}) | alone


def _row(case: CaseResult) -> dict[str, Any]:
    found = score(case.labels.batches(["key", "identity", "reason"]), case.truth)
    wrong = sum(found.planted.get(kind, 0) for kind in WRONG_LABEL)
    kept = wrong - sum(found.stopped.get(kind, 0) for kind in WRONG_LABEL)
    recall = found.noise.recall
    return {
        "F1": f"{found.noise.f1:.4f}",
        "recall": "" if recall is None else f"{recall:.4f}",
        "lost": f"{found.clean_lost} of {found.clean}",
        "kept": f"{kept} of {wrong}",
    }


def without_mixture(root: str, name: str, function: Callable[..., pa.Table], parts: Sequence[Any], **how: Any) -> Table:
    """build(), but with an empty mixture table: outliers are then decided by a fixed FAR."""
    return build(root, name, _nothing_fitted if name == "mixture" else function, parts, **how)


def _nothing_fitted(part: Any, **_: Any) -> pa.Table:
    del part
    return MIXTURE.empty_table()
