"""The summary of a review by people for the data card of an export: who decided, and how much noise is left."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from pipeline.refinement import Refinement

DECIDED_BY = {"list": "a list", "truth": "the known truth"}  # sources of verdicts besides the policy and people


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

    def decided_by(self, who: str) -> str:
        """Whether the policy, people or a list decided; who: a value of the decisions' column, perhaps a name."""
        return "policy" if who == "policy" else DECIDED_BY.get(self.sources.get(who, ""), "people")


def noise_left(refinement: Refinement, review: ReviewSummary) -> list[str]:
    """Lines with the number of undecided findings and the audit's estimate of the noise left."""
    lines = [_undecided(refinement, review)]
    noise = review.noise
    if noise is None:
        return [*lines, "How much noise is left was not audited by people."]
    text = f"{noise.wrong} of {noise.judged} kept photos, drawn at random, were judged wrong by people"
    return [*lines, f"{text}: {noise.low:.2%} to {noise.high:.2%} of the kept photos (95%)."]


def _undecided(refinement: Refinement, review: ReviewSummary) -> str:
    """A sentence with the number of undecided findings, and what people answered about them."""
    total = cannot_tell = open_answers = 0
    findings = refinement.judged_findings.batches(["finding_id"])
    for ids, decisions in zip(findings, refinement.decisions.batches(["verdict", "who"]), strict=True):
        columns = (ids["finding_id"], decisions["verdict"], decisions["who"])
        for finding, verdict, who in zip(*(column.to_pylist() for column in columns), strict=True):
            if verdict == "unsure":
                total += 1
                cannot_tell += who != "policy"
                open_answers += who == "policy" and finding in review.answered
    counts = {
        'people answered {:,} of them with "cannot tell", or their votes stayed divided': cannot_tell,
        "{:,} have answers that differ or are too few": open_answers,
        "{:,} were not answered by people": total - cannot_tell - open_answers,
    }
    causes = ", ".join(words.format(n) for words, n in counts.items() if n)
    fate = {"keep": "kept", "drop": "removed"}[refinement.options.undecided]
    return f"{total:,} findings are undecided{f' ({causes})' if causes else ''}; their photos are {fate}."
