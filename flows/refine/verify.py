"""`refinery verify`: reads every file of a root or an export and checks that its bytes are those that were written."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.cli.result import Result
from pipeline.errors import UserError
from pipeline.progress import stage_progress
from pipeline.refined.export import FILE_DIGESTS, MANIFEST
from pipeline.refinement import FILE
from pipeline.tables import storage
from pipeline.tables.digests import AGAIN
from pipeline.verification import NOT_MADE_AGAIN, Fault, fault_of, files_of_export, files_of_root, is_export
from trainer.whole_file import BEST, LAST, is_whole

CHECKPOINTS = "checkpoints"  # the group of a training's checkpoints
EXPORT_AGAIN = "export the data set again"


@dataclass(frozen=True)
class VerifiedFiles(Result):
    """How many files of each table were checked, and what is wrong with which of them."""

    checked: dict[str, int]
    faults: list[Fault]
    what_to_do: str

    def rows(self) -> list[dict[str, Any]]:
        """One row for each table, with its number of files and of faults."""
        wrong = Counter(fault.group for fault in self.faults)
        return [{"what": name, "files": n, "wrong": wrong[name]} for name, n in self.checked.items()]

    def lines(self) -> list[str]:
        """Every fault, and what to do about them."""
        if not self.faults:
            return [f"{sum(self.checked.values())} files are as they were written"]
        return [*(f"{fault.name}: {fault.what}" for fault in self.faults), self.what_to_do]

    def as_json(self) -> dict[str, Any]:
        """Plain values for programs."""
        return asdict(self) | {"faults": [fault._asdict() for fault in self.faults]}

    def exit_status(self) -> int:
        """1 where a file is wrong."""
        return 1 if self.faults else 0


def verify(
    path: Annotated[str, typer.Argument(metavar="ROOT_OR_EXPORT", help="A root, or the folder of an export.")],
) -> VerifiedFiles:
    """Check every file of a root or an export against the digest with which it was written.

    Of a root: all tables, people's answers, the questions sent, and the checkpoints of trainings. A damaged file of a
    table is set aside, so that `refine` makes it again. Of an export: all its files.
    """
    exported = is_export(path)
    files = partial(files_of_export, Path(path)) if exported else partial(files_of_root, path)
    trains_here = not exported and "://" not in path  # trainings write to a folder
    checkpoints = [n for n in storage.list_files(path, "") if Path(n).name in (LAST, BEST)] if trains_here else []
    total = sum(1 for _ in files()) + len(checkpoints)
    if not total:
        raise UserError(f"{path} holds neither {FILE} nor {MANIFEST} nor {FILE_DIGESTS}: give a root, or an export")
    faults, checked = [], Counter({CHECKPOINTS: len(checkpoints)})
    with stage_progress("verify", total=total, unit="files") as advance:
        for file in files():
            checked[file.group] += 1
            if fault := file if isinstance(file, Fault) else fault_of(path, file):
                faults.append(fault)
            advance(1)
        for name in checkpoints:
            if not is_whole(Path(path) / name):
                faults.append(Fault(CHECKPOINTS, name, "other bytes than were written"))
            advance(1)
    return VerifiedFiles(dict(sorted(checked.items())), faults, EXPORT_AGAIN if exported else _advice(faults))


def _advice(faults: Sequence[Fault]) -> str:
    """What to do about the faults of a root."""
    groups = {fault.group for fault in faults}
    advice = {
        "what is wrong in ledger/, asked/ and erasures/ cannot be made again: put it back from a backup": groups
        & {*NOT_MADE_AGAIN},
        f"{AGAIN}; what is missing even then belongs to no result: `refinery clean`": groups
        - {*NOT_MADE_AGAIN, CHECKPOINTS},
        "a training's checkpoint: train again": groups & {CHECKPOINTS},
    }
    return "; ".join(text for text, about in advice.items() if about)
