"""`refinery review undo`: withdraws answers and makes the labels again; the ledger only gets further rows."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from flows.cli.options import Root
from flows.prefect_runtime.recorded_flow import recorded_flow
from flows.review.results import UndoneAnswers
from pipeline.errors import UserError, check_all
from pipeline.refined.fate_changes import fate_changes
from pipeline.refined.labels import label_again
from pipeline.refinement import latest
from pipeline.review.answers import ledger
from pipeline.review.answers.ledger import LedgerRow
from pipeline.review.answers.votes import settled_verdicts
from pipeline.root_lock import root_lock

Decision = Annotated[
    str,
    typer.Option(help="Withdraw all answers about this finding (finding_id of the labels), or with this answer_id."),
]
By = Annotated[str, typer.Option(help="Withdraw the answers of this annotator or list.")]
Since = Annotated[str, typer.Option(help="Of those, answers since this time (UTC): 2026-03-01 or 2026-03-01T14:30.")]


def _check(options: Mapping[str, Any]) -> None:
    """Raise UserError with every mistake in the options of undo."""
    check_all(
        lambda: _check_which(options["decision"], options["by"]),
        lambda: _time(options["since"]),
        lambda: latest(options["root"]),
    )


def _check_which(decision: str, by: str) -> None:
    if bool(decision) == bool(by):
        raise UserError("which answers? Give --decision ID, or --by WHO (with --since TIME for the later ones)")


@recorded_flow("review-undo", check=_check)
def undo(root: Root, *, decision: Decision = "", by: By = "", since: Since = "") -> UndoneAnswers:
    """Withdraw answers of people or of a list, and make the labels again."""
    _check_which(decision, by)
    begin = _time(since)
    latest(root)  # raises before a lock file is made where there is no refinement
    with root_lock(root):
        answers = [r for r in ledger.rows_of(ledger.read(root)) if r.purpose != "policy"]
        chosen = [
            r for r in answers if _matches(r, decision, by) and (begin is None or (r.at is not None and r.at >= begin))
        ]
        if not chosen:
            raise UserError(_nothing_to_undo(root, answers, by=by, since=since))
        ledger.withdraw(root, chosen)
        before = latest(root)
        after = label_again(root, settled_verdicts)
        return UndoneAnswers(
            len({r.answer_id for r in chosen}),
            len({r.finding.finding_id for r in chosen}),
            before.account.kept,
            after.account.kept,
            fate_changes(before, after),
            changed=after.labels.address != before.labels.address,
        )


def _time(text: str) -> datetime | None:
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise UserError(f"--since {text} is not a time: give it like 2026-03-01 or 2026-03-01T14:30") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _matches(row: LedgerRow, decision: str, by: str) -> bool:
    return decision in (row.finding.finding_id, row.answer_id) if decision else row.who == by


def _nothing_to_undo(root: str, answers: list[LedgerRow], *, by: str, since: str) -> str:
    if by:
        who = ", ".join(sorted({r.who for r in answers})[:10]) or "nobody"
        when = f" since {since}" if since else ""
        return f"{root}/ledger has no answer of {by}{when}: it has answers of {who}"
    return (
        f"no answer in {root}/ledger is about that finding or has that id: `refinery labels {root}` shows finding ids"
    )
