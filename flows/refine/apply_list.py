"""`refinery apply-list`: a published clean list as decisions in the ledger, which people's answers overrule."""

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
    """How many identities or photos of a list are in the data, its decisions, and the account with them.

    known, unknown: names of the list; new: decisions that the ledger did not hold yet.
    """

    known: int
    unknown: int
    decisions: int
    new: int
    account: Account

    def rows(self) -> list[dict[str, Any]]:
        """The account."""
        return self.account.rows()

    def lines(self) -> list[str]:
        """How much of the list applies to this data, and the decisions."""
        return [
            f"{self.known} photos or identities of the list are in the data, {self.unknown} are not",
            f"{self.decisions} decisions, {self.new} of them new; the labels follow them",
        ]


def apply_list(
    root: Root,
    file: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="The files of the list, all of one kind (--says).")
    ],
    says: Annotated[
        str,
        typer.Option(
            help="What a line is: right (photos that are right, all others are not; an identity beside one gives "
            "it that identity), wrong (photos that are wrong), same (two identities of one person), stay (identities "
            "to keep, the others overlap test sets), go (identities to remove)."
        ),
    ],
    author: Annotated[str, typer.Option(help="Name of the list in the ledger; default: the file's name.")] = "",
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
            hint = (
                "a list that numbers identities needs --classes"
                if lines[0].name[0].isdigit()
                else "give a list of this data set"
            )
            raise UserError(
                f"no photo or identity that {file[0]} names is in {root}, {lines[0].name} for example: {hint}"
            )
        new = record_list(root, listed.verdicts, list_name=author or f"list {file[0].name}", files=file)
        log.info("%d decisions of the list, %d of them new: labels are made again", len(listed.verdicts), new)
        refinement = label_again(root, settled_verdicts(root))
    return AppliedList(listed.known, listed.unknown, len(listed.verdicts), new, refinement.account)
