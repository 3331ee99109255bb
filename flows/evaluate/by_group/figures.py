"""From figures that were computed for one group of people to figures by group."""

from collections.abc import Iterable, Mapping

from flows.evaluate.by_group.group_results import GroupFigure, GroupResults
from flows.evaluate.by_group.person_groups import PersonGroups
from flows.evaluate.results import Figure
from flows.evaluate.verify_pairs import verification_figures
from trainer.evaluation.by_group.group_pairs import GroupVerifications


def of_group(group: str, figures: Iterable[Figure]) -> list[GroupFigure]:
    """The figures of a group."""
    return [GroupFigure(f.test_set, f.figure, f.model, group, f.value, f.low, f.high, f.warning) for f in figures]


def nobody(test_set: str) -> GroupResults:
    """The results of a test set of which nobody has a group."""
    return GroupResults(notes=[f"{test_set}: nobody has a group, so nothing is measured by group"])


def verified_groups(test_set: str, groups: PersonGroups, verified: Mapping[str, GroupVerifications]) -> GroupResults:
    """The figures of each model's pairs within groups; verified: by model, all on the same pairs."""
    results = GroupResults()
    for model, by_group in verified.items():
        for number, verification in by_group.of_groups.items():
            figures = verification_figures(test_set, {model: verification})
            results.figures.extend(of_group(groups.names[number], figures))
    first = next(iter(verified.values()))
    unmeasured = ", ".join(groups.names[n] for n in first.unmeasured)
    results.notes.append(
        f"{test_set}: figures by group are of pairs within a group; {first.mixed} pairs of two groups and "
        f"{first.unknown} with a person without a group are in none"
        f"{f'; no figures of {unmeasured}: too few pairs' if unmeasured else ''}"
    )
    return results
