"""The rounds of a self-training: how many photos each trained on, and how many labels it changed."""

import logging
from dataclasses import asdict, dataclass
from typing import Any

from flows.cli.result import Result
from flows.refine.results import RefineResult
from pipeline.tables.table import Table

log = logging.getLogger("refinery")
DECIDED_BY = (
    "outliers: by the likelihood ratio of each photo's embedding and texture against the other photos of its identity; "
    "of the rules below only outlier_probability decides about them, and mixed decides nothing"
)


@dataclass(frozen=True)
class SelfTrainingRound:
    """One round of training and refining."""

    round: int
    trained_on: int  # photos
    kept: int  # photos, by the refinement
    changed: int  # photos with another label than in the round before
    share: float  # of the photos that changed
    model: str


@dataclass(frozen=True)
class SelfTrainingResult(Result):
    """The rounds of a finished self-training, and the last refinement."""

    rounds: list[SelfTrainingRound]
    outcome: RefineResult

    def rows(self) -> list[dict[str, Any]]:
        """One row for each round."""
        return [asdict(r) | {"share": f"{r.share:.1%}"} for r in self.rounds]

    def lines(self) -> list[str]:
        """The last model, what decides about outliers, and the lines of the last refinement."""
        return [f"the last model: {self.rounds[-1].model}", DECIDED_BY, *self.outcome.lines()]


def finished_round(number: int, training: Table, earlier: Table, labels: Table, model: str) -> SelfTrainingRound:
    """The record of a round, which was trained on the photos that `training` keeps, and gave new labels."""
    changed, photos = _count_changed(earlier, labels), len(labels)
    share = changed / max(1, photos)
    log.info("round %d: %d of %d photos have another label (%.1f%%)", number, changed, photos, 100 * share)
    return SelfTrainingRound(number, count_kept(training), count_kept(labels), changed, share, model)


def count_kept(labels: Table) -> int:
    """How many photos some labels keep."""
    return sum(len(rows) - rows["identity"].null_count for rows in labels.batches(["identity"]))


def _count_changed(earlier: Table, labels: Table) -> int:
    """How many photos are removed now but were kept, are kept but were removed, or have another identity."""
    shards = zip(earlier.batches(["identity"]), labels.batches(["identity"]), strict=True)
    return sum(
        before != after
        for earlier_rows, rows in shards
        for before, after in zip(earlier_rows["identity"].to_pylist(), rows["identity"].to_pylist(), strict=True)
    )
