"""The results of `refinery erase`: what would be erased, and what was."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from flows.cli.result import Result
from pipeline.erasure.receipt import Receipt
from pipeline.refinement import Account


@dataclass(frozen=True)
class FoundPerson(Result):
    """What was found of a person, and the sheet that shows it; nothing is removed yet."""

    found: Mapping[str, int]
    sheet: str

    def rows(self) -> list[dict[str, Any]]:
        """The counts."""
        return [{"what": what, "found": n} for what, n in self.found.items()]

    def lines(self) -> list[str]:
        """What to do next."""
        return [
            f"the faces and the paths of their photos: {self.sheet} (delete it when you have looked at it)",
            "nothing was removed: give the same command with --yes to erase them",
        ]


@dataclass(frozen=True)
class ErasedPerson(Result):
    """The receipt of an erasure, where it is, and the account of the photos after it."""

    receipt: Receipt
    file: str
    account: Account
    tasks: str  # what became of the tasks in Label Studio
    finished_before: bool = False  # an erasure that was stopped was finished, and the one that was asked for waits

    def rows(self) -> list[dict[str, Any]]:
        """What was removed."""
        return [{"what": what, "removed": n} for what, n in self.receipt.removed.items()]

    def lines(self) -> list[str]:
        """The account, the receipt, and what is the user's to do."""
        again = ["an erasure that was stopped is finished now: give yours again"] * self.finished_before
        account, erased = self.account, self.account.removed.get("erased", 0)
        return [
            f"{erased} of {account.ingested} photos are erased and do not come in again; {account.kept} are kept",
            f"the receipt: {self.file}",
            self.tasks,
            "the photos in your sources are untouched: `refinery labels` lists them with the reason erased",
            *again,
        ]

    def as_json(self) -> dict[str, Any]:
        """Plain values for programs."""
        return asdict(self)


@dataclass(frozen=True)
class RemovedTasks(Result):
    """What became of the tasks in Label Studio that an earlier erasure could not remove."""

    tasks: str

    def lines(self) -> list[str]:
        """One line."""
        return [self.tasks]
