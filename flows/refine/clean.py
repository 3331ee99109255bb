"""`refinery clean`: removes the tables of a root that no finished refinement, training or experiment refers to."""

from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

import typer

from flows.cli.options import Root
from flows.cli.result import Result
from pipeline import refinement
from pipeline.root_lock import root_lock
from pipeline.tables import storage
from pipeline.unreferenced import unreferenced_files


@dataclass(frozen=True)
class RemovedFiles(Result):
    """How many files of each table nothing finished refers to, and whether they were removed or only listed."""

    removed: bool
    files: dict[str, int]
    bytes: int

    def rows(self) -> list[dict[str, Any]]:
        """One row for each table, with its number of files."""
        return [{"table": name, "files": n} for name, n in self.files.items()]

    def lines(self) -> list[str]:
        """One line for people."""
        outcome = "removed" if self.removed else "would be removed"
        return [f"{sum(self.files.values())} files, {self.bytes / 1e6:.1f} MB {outcome}"]


def clean(
    root: Root,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List the files and remove nothing.")] = False,
    min_age: Annotated[
        float, typer.Option(help="Minutes; younger files stay because they may belong to a run that is not finished.")
    ] = 60.0,
) -> RemovedFiles:
    """Remove the tables of a root that no finished refinement, training or experiment in it refers to."""
    refinement.latest(root)  # raises before a lock file is made where there is no refinement
    with nullcontext() if dry_run else root_lock(root):  # a long run's first shards may be older than min_age
        files = unreferenced_files(root, min_age=timedelta(minutes=min_age))
        if not dry_run:
            for name in files:
                storage.remove(root, name)
    by_table = Counter(name.split("/", 1)[0] for name in files)
    return RemovedFiles(not dry_run, dict(sorted(by_table.items())), sum(files.values()))
