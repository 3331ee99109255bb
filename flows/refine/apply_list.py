"""`refinery apply-list`: a published clean list as decisions in the ledger, which people's answers overrule."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.cli.options import Author, Root, Withdraw, Yes
from flows.cli.result import Result
from pipeline.errors import UserError
from pipeline.refined.labels import label_again
from pipeline.refinement import Account, Refinement, latest
from pipeline.review.answers.list_files import SAYS, Line, read_lists
from pipeline.review.answers.lists import ListDecisions, list_decisions, record_list, recorded_lists, withdraw_list
from pipeline.review.answers.votes import settled_verdicts
from pipeline.root_lock import root_lock
from pipeline.sources.formats.megaface import DISTRACTOR
from pipeline.sources.survey import examples

log = logging.getLogger("refinery")
MIN_FIT = 0.5  # share of a list's names that are in the data, below which the list is rather one of other data
MAX_REMOVED = 0.1  # share of all photos that a list may remove without --yes


@dataclass(frozen=True)
class AppliedList(Result):
    """How many identities or photos of a list are in the data, its decisions, and the account with them.

    known, unknown: names of the list; examples: the first unknown ones; new: answers that the ledger did not hold yet;
    withdrawn: earlier ones of the same list that were taken back.
    """

    known: int
    unknown: int
    decisions: int
    new: int
    withdrawn: int
    account: Account
    examples: str = ""

    def rows(self) -> list[dict[str, Any]]:
        """The account."""
        return self.account.rows()

    def lines(self) -> list[str]:
        """How much of the list applies to this data, and the decisions."""
        such_as = f", such as {self.examples}" if self.examples else ""
        return [
            f"{self.known} photos or identities of the list are in the data, {self.unknown} are not{such_as}",
            f"{self.decisions} decisions, {self.new} of them new; the labels follow them",
            f"{self.withdrawn} earlier decisions of this list are taken back",
        ]


@dataclass(frozen=True)
class WithdrawnList(Result):
    """How many decisions of a list were taken back, and the account without them."""

    withdrawn: int
    account: Account

    def rows(self) -> list[dict[str, Any]]:
        """The account."""
        return self.account.rows()

    def lines(self) -> list[str]:
        """The decisions that were taken back."""
        return [f"{self.withdrawn} decisions of the list are taken back; the labels no longer follow them"]


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
    ] = "",
    author: Author = "",
    classes: Annotated[
        str, typer.Option(help="For lists that number identities: a file whose line i is identity i.")
    ] = "",
    yes: Yes = False,
    withdraw: Withdraw = False,
) -> AppliedList | WithdrawnList:
    """Take a published clean list in as decisions: kept in the ledger under its name, overruled by people's answers."""
    if withdraw and says:
        raise UserError("--withdraw takes back all that the list said: leave out --says")
    if withdraw:
        return withdraw_decisions(root, file)
    if says not in SAYS:
        raise UserError(f"--says {says or '...'}: give one of {', '.join(SAYS)}")
    lines = read_lists(file, says=says, classes=Path(classes) if classes else None)
    with root_lock(root):
        current = latest(root)
        listed = list_decisions(current, lines, says=says)
        _check(current, file, lines, listed, confirmed=yes)
        name = f"list {file[0].name}"
        recorded = record_list(current, listed.verdicts, list_name=name, author=author, files=file)
        log.info("%d decisions of the list, %d of them new: labels are made again", len(listed.verdicts), recorded.new)
        refinement = label_again(root, settled_verdicts)
    unknown, decisions = len(listed.unknown), len(listed.verdicts)
    return AppliedList(listed.known, unknown, decisions, *recorded, refinement.account, examples(listed.unknown))


def withdraw_decisions(root: str, files: Sequence[Path]) -> WithdrawnList:
    """Take the decisions of a list or a patch back, whatever it said."""
    with root_lock(root):
        latest(root)
        withdrawn = withdraw_list(root, files)
        if not withdrawn:
            recorded = recorded_lists(root)
            raise UserError(
                f"no decision of {' '.join(map(str, files))} is in force in {root} (in force: "
                f"{', '.join(recorded) or 'no list'}): give the files of a list that was applied, unchanged"
            )
        refinement = label_again(root, settled_verdicts)
    return WithdrawnList(withdrawn, refinement.account)


def _check(
    refinement: Refinement, files: Sequence[Path], lines: Sequence[Line], listed: ListDecisions, *, confirmed: bool
) -> None:
    """Raise UserError for a list that names nothing of the data; for one that hardly fits it, unless confirmed."""
    if not listed.known:
        numbers = lines[0].name[0].isdigit()
        hint = "a list that numbers identities needs --classes" if numbers else "give a list of this data set"
        if DISTRACTOR.search(lines[0].name):
            hint = "distractors claim no identity; `refinery megaface --published` compares with this list"
        raise UserError(
            f"no photo or identity that {files[0]} names is in {refinement.root}, "
            f"{lines[0].name[:80]} for example: {hint}"
        )
    unknown, ingested = len(listed.unknown), refinement.account.ingested
    doubts = []
    if listed.known < MIN_FIT * (listed.known + unknown):
        doubts.append(f"{unknown} of the {listed.known + unknown} that it names are not in {refinement.root}")
        doubts[-1] += f", such as {examples(listed.unknown)}"
    if listed.class_numbers:
        doubts.append(
            f"{len(listed.class_numbers)} of its labels are class numbers and no identities of the data, such as "
            f"{examples(listed.class_numbers)}: --classes gives them a meaning, --yes passes them over"
        )
    if listed.removed > MAX_REMOVED * ingested:
        doubts.append(f"it would remove {listed.removed} of {ingested} photos")
    if doubts and not confirmed:
        raise UserError(f"{files[0]} was not applied: {'; '.join(doubts)}: give --yes to apply it all the same")
