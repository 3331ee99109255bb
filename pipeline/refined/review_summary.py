"""What a review by people tells the data card of an export: who decided, and how much noise is left."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class NoiseEstimate:
    """The noise left among the kept photos: photos judged, those judged wrong, and the 95% Wilson interval."""

    judged: int
    wrong: int
    low: float
    high: float


@dataclass(frozen=True)
class ReviewSummary:
    """A review in numbers, without groups and without the names of annotators."""

    # what kind of source each entry of the decisions' column `who` is, where it is not people: "list" or "truth"
    sources: Mapping[str, str] = field(default_factory=dict)
    noise: NoiseEstimate | None = None  # None: no audited photo was judged yet
