"""`refinery patch apply`: the patch of another copy of the data set as decisions, which people's answers overrule."""

import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.cli.options import Author, DaskWorkers, Root, Withdraw, Yes
from flows.cli.result import Result
from flows.refine.apply_list import MAX_REMOVED, MIN_FIT, WithdrawnList, withdraw_decisions
from flows.refine.patches.make import WithoutHashes, hashes_of
from pipeline.errors import UserError
from pipeline.refined.labels import label_again
from pipeline.refined.patches.patch_file import read_patch
from pipeline.refinement import Account, Refinement, latest
from pipeline.review.answers.lists import record_list
from pipeline.review.answers.votes import settled_verdicts
from pipeline.review.patches.decisions import Listed, PatchDecisions, patch_decisions
from pipeline.root_lock import root_lock
from pipeline.sources.survey import examples

log = logging.getLogger("refinery")
PatchFile = Annotated[Path, typer.Argument(metavar="PATCH", help="A file that `refinery patch make` wrote.")]


@dataclass(frozen=True)
class AppliedPatch(Result):
    """How the photos of a patch were matched, its decisions, and the account before and with them.

    new: answers that the ledger did not hold yet; withdrawn: earlier ones of the same patch that were taken back.
    """

    photos: int
    by_way: dict[str, int]
    not_matched: dict[str, Listed]  # photos of the patch that it decides nothing about, by why
    left: dict[str, int]  # matched photos about which the patch states nothing, by its reason
    identities: int
    matched_identities: int
    renamed_identities: int
    with_vectors: bool
    decisions: int
    new: int
    withdrawn: int
    before: Account
    account: Account

    def rows(self) -> list[dict[str, Any]]:
        """The outcomes before and after."""
        before, after = self.before, self.account
        reasons = sorted(before.removed.keys() | after.removed.keys())
        removed = [(f"removed: {r}", before.removed.get(r, 0), after.removed.get(r, 0)) for r in reasons]
        counts = [
            ("kept", before.kept, after.kept),
            *removed,
            ("kept under another identity", before.moved, after.moved),
        ]
        return [{"what": what, "photos before": one, "photos after": two} for what, one, two in counts]

    def lines(self) -> list[str]:
        """How the photos were matched, which were not, and the decisions."""
        ways = ", ".join(f"{photos} by {way}" for way, photos in self.by_way.items() if photos)
        renamed = f"{self.renamed_identities} of them under another name"
        return [
            f"{sum(self.by_way.values())} of the {self.photos} photos of the patch are in the data: {ways or 'none'}",
            *(_listed(why, listed) for why, listed in self.not_matched.items() if listed.photos),
            f"{self.matched_identities} of its {self.identities} identities are in the data, {renamed}",
            *([f"left to this copy: {_counts(self.left)}"] if self.left else []),
            f"{self.decisions} decisions, {self.new} of them new; the labels follow them",
            f"{self.withdrawn} earlier decisions of this patch are taken back",
        ]

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self) | {"not_matched": {why: listed._asdict() for why, listed in self.not_matched.items()}}


def apply(
    root: Root,
    patch: PatchFile,
    *,
    author: Author = "",
    yes: Yes = False,
    withdraw: Withdraw = False,
    without_hashes: WithoutHashes = False,
    workers: DaskWorkers = "",
) -> AppliedPatch | WithdrawnList:
    """Take the patch of another copy of the data in as decisions, kept in the ledger, overruled by people's answers."""
    if withdraw:
        return withdraw_decisions(root, [patch])
    listed = read_patch(patch)
    with root_lock(root):
        current = latest(root)
        hashes = hashes_of(current, without_hashes=without_hashes or not listed.header.hash, workers=workers)
        decisions = patch_decisions(current, listed, hashes=hashes)
        _check(current, patch, decisions, confirmed=yes)
        name = f"patch {patch.name}"
        recorded = record_list(current, decisions.verdicts, list_name=name, author=author, files=[patch])
        count = len(decisions.verdicts)
        log.info("%d decisions of the patch, %d of them new: labels are made again", count, recorded.new)
        refinement = label_again(root, settled_verdicts)
    return _result(decisions, recorded.new, recorded.withdrawn, current.account, refinement.account)


def _result(decisions: PatchDecisions, new: int, withdrawn: int, before: Account, after: Account) -> AppliedPatch:
    return AppliedPatch(
        decisions.photos,
        decisions.by_way,
        not_matched(decisions),
        decisions.left,
        decisions.identities,
        decisions.matched_identities,
        decisions.renamed_identities,
        decisions.with_vectors,
        len(decisions.verdicts),
        new,
        withdrawn,
        before,
        after,
    )


def not_matched(decisions: PatchDecisions) -> dict[str, Listed]:
    """The photos of a patch that it decides nothing about, by why."""
    return {
        "are not in the data": decisions.unmatched,
        "of these have the key of another picture": decisions.other_picture,
        "of these have the key of a photo with other bytes and no picture to compare": decisions.not_compared,
        "of these were erased here on request": decisions.erased,
        "of these may be several photos": decisions.several,
        "are in the data under an identity that is not theirs": decisions.claimed_otherwise,
    }


def _listed(why: str, listed: Listed) -> str:
    return f"{listed.photos} {why}, such as {examples(listed.keys)}"


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{photos} {reason}" for reason, photos in sorted(counts.items()))


def _check(refinement: Refinement, file: Path, decisions: PatchDecisions, *, confirmed: bool) -> None:
    """Raise UserError for a patch of other data; for one that hardly fits the data, unless confirmed."""
    unmatched, ingested = decisions.unmatched, refinement.account.ingested
    if not decisions.matched:
        raise UserError(
            f"no photo that {file} names is in {refinement.root}, {examples(unmatched.keys)} for example: give a "
            "patch of this data set"
        )
    doubts = []
    if decisions.matched < MIN_FIT * decisions.photos:
        doubts.append(f"{unmatched.photos} of its {decisions.photos} photos are not in {refinement.root}")
        doubts[-1] += f", such as {examples(unmatched.keys)}"
    if decisions.removed > MAX_REMOVED * ingested:
        doubts.append(f"it would remove {decisions.removed} of {ingested} photos")
    if doubts and not confirmed:
        raise UserError(f"{file} was not applied: {'; '.join(doubts)}: give --yes to apply it all the same")
