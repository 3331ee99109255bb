"""The results of `review send`, `review collect` and `review status`."""

from dataclasses import asdict, dataclass
from typing import Any

from flows.cli.result import Result
from pipeline.refined.review_summary import NoiseEstimate
from pipeline.review.answers.agreement import Agreement
from pipeline.review.label_studio.records import GroupProgress


@dataclass(frozen=True)
class GroupQueue:
    """Pages of questions of one group: newly sent, withdrawn, and waiting for an answer."""

    group: str
    new: int
    withdrawn: int
    waiting: int  # for at least one more answer


@dataclass(frozen=True)
class SentQuestions(Result):
    """The questions that were sent, by group and by purpose."""

    queues: list[GroupQueue]
    items: int
    gold: int
    repeated: int  # items of which the answers so far differ
    audit: int
    url: str

    def rows(self) -> list[dict[str, Any]]:
        """One row for each group."""
        return [
            {"group": q.group, "new pages": q.new, "withdrawn": q.withdrawn, "waiting": q.waiting} for q in self.queues
        ]

    def lines(self) -> list[str]:
        """What was sent, and what to do next."""
        return [
            f"{self.items} new items at {self.url}: {self.audit} of the audit, {self.gold} gold questions",
            f"{self.repeated} of them are sent again because answers differ",
            "next: answer them there, then run refinery review collect ROOT",
        ]


@dataclass(frozen=True)
class CollectedAnswers(Result):
    """The answers that were collected, the findings they settle, and whether the labels changed."""

    new: int
    unknown: int  # about items that were not sent from this root
    settled: int
    disputed: int
    waiting: int
    kept: int
    changed: bool

    def lines(self) -> list[str]:
        """The new answers, the settled findings, and the photos kept."""
        unknown = f", {self.unknown} about questions that were not sent from this root" if self.unknown else ""
        return [
            f"{self.new} new answers{unknown}",
            f"{self.settled} findings settled by people, {self.disputed} disputed, {self.waiting} wait for a vote",
            f"{self.kept} photos are kept" + (": labels made again" if self.changed else "; nothing changed"),
        ]


@dataclass(frozen=True)
class ReviewStatus(Result):
    """The state of a review: its queues, the agreement of annotators, the findings settled, and the audit."""

    queues: list[GroupProgress]
    groups: list[Agreement]
    annotators: list[Agreement]
    settled: int
    disputed: int
    waiting: int
    audit: NoiseEstimate | None
    audit_upper: float | None  # the upper end of the 95% interval of the noise that is left
    audit_drawn: int  # photos of the current audit

    def rows(self) -> list[dict[str, Any]]:
        """A row for each group and kind of page, with the questions sent and answered."""
        return [asdict(queue) for queue in self.queues]

    def lines(self) -> list[str]:
        """Verdicts, agreement, and the audit."""
        agreement = [f"group {_agreement(a)}" for a in self.groups]
        agreement += [f"{_agreement(a)}, {a.gold} gold, accuracy {a.accuracy or 0.0:.2f}" for a in self.annotators]
        settled = f"{self.settled} settled, {self.disputed} disputed, {self.waiting} wait for a vote"
        return [settled, *agreement, self.audit_line()]

    def audit_line(self) -> str:
        """The audit's estimate of the noise left, as a line of text."""
        if self.audit is None:
            if self.audit_drawn:
                return f"audit: none of {self.audit_drawn} photos judged yet"
            return "audit: none drawn yet"
        return (
            f"audit: {self.audit.wrong} of {self.audit.judged} photos wrong ({self.audit_drawn} drawn); "
            f"noise left {self.audit.low:.2%} to {self.audit.high:.2%} (95%)"
        )


def _agreement(a: Agreement) -> str:
    alpha = "too few shared for an alpha" if a.alpha is None else f"alpha {a.alpha:.2f}"
    return f"{a.name or 'general'}: {a.answers} answers, {a.shared} shared, {alpha}"
