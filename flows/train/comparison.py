"""The result of an experiment: figures of each arm and gains of the refined data, as a table, as JSON and as a chart.

Arms: before (labels as claimed), after (refined), random (a random subset of "before", as many photos as "after").
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from flows.cli.result import Result
from flows.prefect_runtime.artifacts import publish_table
from flows.train.arm_figures import ArmFigure, Gain
from flows.train.plot import plot_arms
from pipeline.json_values import finite_or_null
from pipeline.whole_files import write_whole


@dataclass(frozen=True)
class Comparison(Result):
    """A finished experiment."""

    run: dict[str, Any]
    seeds: list[int]
    measured: list[ArmFigure]
    gains: list[Gain]
    folder: str
    models: dict[str, list[str]]  # paths below the root, by arm, in the order of the seeds

    def rows(self) -> list[dict[str, Any]]:
        """A row for each test set and figure, a column for each arm and for each gain."""
        rows: dict[tuple[str, str], dict[str, Any]] = {}
        for m in self.measured:
            row = rows.setdefault((m.test_set, m.figure), {"test set": m.test_set, "figure": m.figure})
            row[f"{m.arm} ({m.photos})"] = f"{m.mean:.3f} [{m.low:.3f}, {m.high:.3f}]"
        for g in self.gains:
            low, high = g.seeds or g.drawn
            rows[g.test_set, g.figure][f"after less {g.than}"] = f"{g.by:+.3f} [{low:+.3f}, {high:+.3f}]"
        return list(rows.values())

    def lines(self) -> list[str]:
        """What the columns mean, and the folder with all figures."""
        n = len(self.seeds)
        over = f"over {n} seeds (Welch's t)" if n > 1 else "over the same drawn test sets"
        return [
            f"before: as claimed; after: refined; random: a random subset as large as after; {n} trainings each",
            f"[ ]: 95% interval, of an arm over test sets drawn from the people; of a difference: {over}",
            f"all figures and a chart: {self.folder}",
        ]


def save_comparison(comparison: Comparison, folder: Path, test_tables: list[str]) -> None:
    """Write a comparison as JSON and as a chart, and as a table on the page of the Prefect run, if there is one.

    test_tables: the tables of its test sets, which `refinery clean` then keeps. The folder is left out of the JSON, so
    that the file is the same wherever the root lies.
    """
    folder.mkdir(parents=True, exist_ok=True)
    values = {key: value for key, value in asdict(comparison).items() if key != "folder"} | {"tables": test_tables}
    plot_arms(comparison.measured, folder / "comparison.png")
    write_whole(
        folder / "comparison.json", json.dumps(finite_or_null(values), indent=1, sort_keys=True, allow_nan=False) + "\n"
    )
    publish_table(comparison.rows(), "comparison", str(folder), description="Before, after and a random removal")
