"""What the steps of a review return: plain values for people and for JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flows.cli.result import Result


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
    again: int
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
            f"{self.again} of them are asked again because answers differ",
            "next: answer them there, then refinery review collect ROOT",
        ]


@dataclass(frozen=True)
class CollectedAnswers(Result):
    """Answers that came in, and what they changed."""

    new: int
    strange: int  # about items of which no note is kept: another root's questions, or edited by hand
    settled: int
    disputed: int
    waiting: int
    kept: int
    changed: bool

    def lines(self) -> list[str]:
        """What came in and what it did."""
        strange = f", {self.strange} about questions that were not asked from here" if self.strange else ""
        return [
            f"{self.new} new answers{strange}",
            f"{self.settled} findings settled by people, {self.disputed} disputed, {self.waiting} wait for a vote",
            f"{self.kept} photos are kept" + (": labels made again" if self.changed else "; nothing changed"),
        ]


@dataclass(frozen=True)
class ReviewStatus(Result):
    """Where a review stands."""

    queues: list[dict[str, Any]]
    groups: list[dict[str, Any]]
    annotators: list[dict[str, Any]]
    settled: int
    disputed: int
    waiting: int
    audit: dict[str, Any] | None
    audit_upper: float | None  # the upper end of the 95% interval of the noise that is left
    audit_of: int

    def rows(self) -> list[dict[str, Any]]:
        """The queue, group by group."""
        return self.queues

    def lines(self) -> list[str]:
        """Verdicts, agreement, and the audit."""
        of = [f"group {_agreement(g)}" for g in self.groups]
        of += [f"{_agreement(a)}, {a['gold']} gold, accuracy {a['accuracy']:.2f}" for a in self.annotators]
        found = f"audit: none of {self.audit_of} photos judged yet" if self.audit_of else "audit: none drawn yet"
        if self.audit:
            found = (
                f"audit: {self.audit['wrong']} of {self.audit['judged']} photos wrong ({self.audit_of} drawn); "
                f"noise left {self.audit['low']:.2%} to {self.audit['high']:.2%} (95%)"
            )
        return [f"{self.settled} settled, {self.disputed} disputed, {self.waiting} wait for a vote", *of, found]


def _agreement(a: Mapping[str, Any]) -> str:
    alpha = "too few shared to say" if a["alpha"] is None else f"alpha {a['alpha']:.2f}"
    return f"{a['name'] or 'general'}: {a['answers']} answers, {a['shared']} shared, {alpha}"
