"""The summary of a review by people for the data card of an export: who decided, and how much noise is left."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class NoiseEstimate:
    """The noise left among the kept photos, estimated from an audited sample; low and high: 95% Wilson interval."""

    judged: int  # photos of the sample that people judged
    wrong: int  # of these, photos that do not show the person they are kept under
    low: float  # share, 0 to 1
    high: float


@dataclass(frozen=True)
class ReviewSummary:
    """A review in numbers, without groups and without the names of annotators."""

    # by value of the decisions' column `who`: "list" or "truth"; annotators are not in it
    sources: Mapping[str, str] = field(default_factory=dict)
    noise: NoiseEstimate | None = None  # None: no audited photo was judged yet
    answered: Collection[str] = ()  # finding_ids that people answered, whether or not their answers give a verdict
