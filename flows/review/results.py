"""The results of `review send`, `review collect` and `review status`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from flows.cli.result import Result
from pipeline.refined.fate_changes import FateChange
from pipeline.refined.review_summary import NoiseEstimate
from pipeline.review.answers.agreement import Agreement
from pipeline.review.label_studio.page_templates import TITLES
from pipeline.review.label_studio.records import GroupProgress

COMMUNITY_WARNING = (
    "note: on this server (Label Studio Community) every annotator sees the projects of all groups and the answers of "
    "others, and can delete projects: collect often"
)


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
    repeated: int  # pages that ask once more, because the answers so far give no verdict
    audit: int
    url: str
    restored: int = 0  # items on the server whose notes were lost and written again
    deleted: list[str] = field(default_factory=list)  # titles of projects that were deleted on the server
    community: bool = False  # whether the server is a Community edition, on which everybody may see everything

    def rows(self) -> list[dict[str, Any]]:
        """One row for each group."""
        return [
            {"group": q.group, "new pages": q.new, "withdrawn": q.withdrawn, "waiting": q.waiting} for q in self.queues
        ]

    def lines(self) -> list[str]:
        """What was sent, and what to do next."""
        return [
            f"{self.items} new questions at {self.url}: {self.audit} of the audit, {self.gold} gold questions",
            f"{self.repeated} of them are sent again because the answers so far give no verdict",
            *([f"{self.restored} questions on the server are in the question log again"] if self.restored else []),
            *(f"{_deleted(title)}; its open questions come again" for title in self.deleted),
            *([COMMUNITY_WARNING] if self.community else []),
            "next: answer them there, then run refinery review collect ROOT",
        ]


@dataclass(frozen=True)
class CollectedAnswers(Result):
    """The answers that were collected, the findings they settle, and whether the labels changed."""

    new: int  # answers; an annotator's answers to one finding count once, also over several projects
    unknown: int  # about items that were not sent from this root
    settled: int
    disputed: int
    waiting: int
    kept: int
    changed: bool
    kept_before: int = 0
    changes: list[FateChange] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)  # titles of projects that were deleted on the server
    again: int = 0  # answers by annotators who had answered about the same finding before

    def lines(self) -> list[str]:
        """The new answers, the settled findings, and what they changed."""
        unknown = (
            f"{self.unknown} answers wait: the question log has no notes on their questions; run review send, which "
        )
        return [
            f"{self.new} new answers"
            + (f", and {self.again} that were changed or given once more" if self.again else ""),
            *([unknown + "writes them anew, and collect again"] if self.unknown else []),
            *(f"{_deleted(title)}; the next review send asks its open questions again" for title in self.deleted),
            f"{self.settled} findings settled by people, {self.disputed} disputed, {self.waiting} wait for a vote",
            *change_lines(self.kept_before, self.kept, self.changes, changed=self.changed),
        ]


@dataclass(frozen=True)
class UndoneAnswers(Result):
    """The answers that were withdrawn, and what that changed."""

    answers: int
    findings: int
    kept_before: int
    kept: int
    changes: list[FateChange]
    changed: bool

    def lines(self) -> list[str]:
        """What was withdrawn, and what it changed."""
        return [
            f"{self.answers} answers about {self.findings} findings withdrawn; the ledger keeps them as withdrawn",
            *change_lines(self.kept_before, self.kept, self.changes, changed=self.changed),
        ]


def change_lines(kept_before: int, kept: int, changes: Sequence[FateChange], *, changed: bool) -> list[str]:
    """How many photos are kept, and a line for each way in which the outcomes of photos changed."""
    if not changed:
        return [f"{kept} photos are kept; nothing changed"]
    moves = [f"  {c.photos} photos: {c.before} -> {c.after}" for c in changes]
    return [f"{kept_before} photos were kept, {kept} are kept now: labels made again", *moves]


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
    audit_judged_before: int = 0  # of these, photos that people had judged before they were drawn
    deleted: list[str] = field(default_factory=list)  # titles of projects that were deleted on the server

    def rows(self) -> list[dict[str, Any]]:
        """A row for each group and kind of page, with the pages sent and answered, and the time that the rest takes."""
        return [
            {
                "group": q.group,
                "pages": TITLES[q.page],
                "sent": q.questions,
                "answered": q.answered,
                "finished": q.finished,
                "answers": q.answers,
                "time left": _duration(q.seconds_left),
            }
            for q in self.queues
        ]

    def lines(self) -> list[str]:
        """Verdicts, agreement, and the audit."""
        agreement = [f"group {_agreement(a)}" for a in self.groups]
        agreement += [
            f"{_agreement(a)}, {a.gold} gold, accuracy {a.accuracy or 0.0:.2f}"
            + (f", {a.seconds:.1f} s an answer" if a.seconds is not None else "")
            for a in self.annotators
        ]
        settled = f"{self.settled} settled, {self.disputed} disputed, {self.waiting} wait for a vote"
        left = _duration(sum(q.seconds_left for q in self.queues))
        time_left = f"time left: {left} of annotators' time, at the pace of their last answers"
        return [
            settled,
            *([time_left] if self.queues else []),
            *agreement,
            self.audit_line(),
            *(f"{_deleted(title)}; the next review send asks its open questions again" for title in self.deleted),
        ]

    def audit_line(self) -> str:
        """The audit's estimate of the noise left, as a line of text."""
        if self.audit is None:
            if self.audit_judged_before:
                return (
                    f"audit: began anew, after the labels changed; none of {self.audit_drawn} photos judged yet, but "
                    f"{self.audit_judged_before} that were judged before and count when the others are judged"
                )
            if self.audit_drawn:
                return f"audit: none of {self.audit_drawn} photos judged yet"
            return "audit: none drawn yet"
        return (
            f"audit: {self.audit.wrong} of {self.audit.judged} photos wrong ({self.audit_drawn} drawn); "
            f"noise left {self.audit.low:.2%} to {self.audit.high:.2%} (95%)"
        )


def _duration(seconds: float) -> str:
    """A time in hours and minutes, or in minutes."""
    minutes = round(seconds / 60) if seconds >= 60 else int(seconds > 0)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min"


def _deleted(title: str) -> str:
    return f'the project "{title}" was deleted on the server: the ledger has its answers up to the last collect'


def _agreement(a: Agreement) -> str:
    alpha = "too few shared for an alpha" if a.alpha is None else f"alpha {a.alpha:.2f}"
    return f"{a.name or 'general'}: {a.answers} answers, {a.shared} shared, {alpha}"
