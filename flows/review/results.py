"""What the steps of a review return: plain values for people and for JSON."""

from dataclasses import asdict, dataclass
from typing import Any

from flows.cli.result import Result
from pipeline.refined.review_summary import NoiseEstimate
from pipeline.review.answers.agreement import Agreement
from pipeline.review.label_studio.records import GroupProgress


@dataclass(frozen=True)
class GroupQueue:
    """What was done with one group's questions."""

    group: str
    new: int  # pages
    withdrawn: int
    waiting: int  # for one more answer at least


@dataclass(frozen=True)
class SentQuestions(Result):
    """Questions that went out."""

    queues: list[GroupQueue]
    items: int
    gold: int
    repeated: int  # items of which the answers so far differ
    audit: int
    url: str

    def rows(self) -> list[dict[str, Any]]:
        """A line a group."""
        return [
            {"group": q.group, "new pages": q.new, "withdrawn": q.withdrawn, "waiting": q.waiting} for q in self.queues
        ]

    def lines(self) -> list[str]:
        """What was sent, and what to do next."""
        return [
            f"{self.items} new items at {self.url}: {self.audit} of the audit, {self.gold} of gold",
            f"{self.repeated} of them are asked again because answers differ",
            "next: answer them there, then refinery review collect ROOT",
        ]


@dataclass(frozen=True)
class CollectedAnswers(Result):
    """Answers that came in, and what they changed."""

    new: int
    unknown: int  # about items that were not sent from this root
    settled: int
    disputed: int
    waiting: int
    kept: int
    changed: bool

    def lines(self) -> list[str]:
        """What came in and what it did."""
        unknown = f", {self.unknown} about questions that were not sent from this root" if self.unknown else ""
        return [
            f"{self.new} new answers{unknown}",
            f"{self.settled} findings settled by people, {self.disputed} disputed, {self.waiting} wait for a vote",
            f"{self.kept} photos are kept" + (": labels made again" if self.changed else "; nothing changed"),
        ]


@dataclass(frozen=True)
class ReviewStatus(Result):
    """Where a review stands."""

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
        """The questions of each group and kind of page, and how far they are."""
        return [asdict(queue) for queue in self.queues]

    def lines(self) -> list[str]:
        """Verdicts, agreement, and the audit."""
        agreement = [f"group {_agreement(a)}" for a in self.groups]
        agreement += [f"{_agreement(a)}, {a.gold} gold, accuracy {a.accuracy or 0.0:.2f}" for a in self.annotators]
        settled = f"{self.settled} settled, {self.disputed} disputed, {self.waiting} wait for a vote"
        return [settled, *agreement, self.audit_line()]

    def audit_line(self) -> str:
        """What the audit says of the noise that is left."""
        if self.audit is None:
            if self.audit_drawn:
                return f"audit: none of {self.audit_drawn} photos judged yet"
            return "audit: none drawn yet"
        return (
            f"audit: {self.audit.wrong} of {self.audit.judged} photos wrong ({self.audit_drawn} drawn); "
            f"noise left {self.audit.low:.2%} to {self.audit.high:.2%} (95%)"
        )


def _agreement(a: Agreement) -> str:
    alpha = "too few shared to say" if a.alpha is None else f"alpha {a.alpha:.2f}"
    return f"{a.name or 'general'}: {a.answers} answers, {a.shared} shared, {alpha}"
