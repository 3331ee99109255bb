"""A published list taken in: others' cleaning as decisions in the ledger, which people may still overrule."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.cli.options import Root
from flows.cli.result import Result
from pipeline.errors import UserError
from pipeline.refined.labels import label_again
from pipeline.refinement import Account, latest
from pipeline.review.answers.list_files import SAYS, read_lists
from pipeline.review.answers.lists import list_decisions, record_list
from pipeline.review.answers.votes import settled_verdicts
from pipeline.root_lock import root_lock

log = logging.getLogger("refinery")


@dataclass(frozen=True)
class AppliedList(Result):
    """What a list said, and where every photo is with it."""

    known: int
    unknown: int
    decisions: int
    new: int
    account: Account

    def rows(self) -> list[dict[str, Any]]:
        """The account."""
        return self.account.rows()

    def lines(self) -> list[str]:
        """What was taken in."""
        return [
            f"{self.known} names of the list are in the data, {self.unknown} are not",
            f"{self.decisions} decisions, {self.new} of them new; labels are made with them",
        ]


def apply_list(
    root: Root,
    file: Annotated[list[Path], typer.Argument(metavar="FILE...", help="The files of the list, which say one thing.")],
    says: Annotated[
        str,
        typer.Option(
            help="What a line is: right (photos that are right, all others are not; an identity beside one gives "
            "it that identity), wrong (photos that are wrong), same (two identities of one person), stay (identities "
            "to keep, the others overlap test sets), go (identities to remove)."
        ),
    ],
    author: Annotated[str, typer.Option(help="Under which name it is kept in the ledger; default: the file's.")] = "",
    classes: Annotated[
        str, typer.Option(help="For lists that number identities: a file whose line i is identity i.")
    ] = "",
) -> AppliedList:
    """Take a published clean list in as decisions: kept in the ledger under its name, overruled by people's answers."""
    if says not in SAYS:
        raise UserError(f"--says {says}: give one of {', '.join(SAYS)}")
    lines = read_lists(file, says=says, classes=Path(classes) if classes else None)
    with root_lock(root):
        listed = list_decisions(latest(root), lines, says=says)
        if not listed.known:
            hint = "lists that number identities need --classes" if lines[0].name[0].isdigit() else "is it this data's?"
            raise UserError(f"{file[0]} names nothing of {root}, {lines[0].name} for one: {hint}")
        new = record_list(root, listed.verdicts, list_name=author or f"list {file[0].name}", files=file)
        log.info("%d decisions of a list, %d of them new: labels are made again", len(listed.verdicts), new)
        done = label_again(root, settled_verdicts(root))
    return AppliedList(listed.known, listed.unknown, len(listed.verdicts), new, done.account)
