"""What the calibrations of groups rest on and what they change, in words and numbers for people."""

from collections.abc import Mapping
from typing import NamedTuple

from pipeline.noise.groups.group_calibration import COUNTS
from pipeline.noise.groups.group_effects import BY, GroupEffect, total_effects
from pipeline.noise.scores.pooling import OWN_WEIGHT
from pipeline.tables.table import Table

NO_GROUP_NAME = "(no group)"
UNKNOWN = "no probabilities could be fitted (few photos, or a weak model), so that it cannot be said what this changed"
EXPLANATION = (
    "Whole: outliers removed by thresholds of the whole population; by group: by those of the refinement. A photo that "
    "was removed counts as a lost clean one with the probability that it is clean, one that stays as noise left with "
    "the probability that it is noise, both by the calibrations of the groups. Photos without a probability are not "
    "counted."
)
EFFECTS = "by group, what thresholds of the whole population and those by group likely cost, by probabilities:"


class GroupBasis(NamedTuple):
    """What the calibration of a group rests on."""

    group: str
    identities: int  # in the sample
    impostor_pairs: int
    genuine_pairs: int
    weight: float  # of the group's own impostor scores, 0 (the whole population's alone) to 1

    @property
    def words(self) -> str:
        """How far the thresholds are the group's own."""
        if self.weight >= OWN_WEIGHT:
            return "own"
        return f"shrunk by {1 - self.weight:.0%}" if self.weight else "those of the whole population"


class EffectRow(NamedTuple):
    """A row of the table of effects; numbers of photos, expected ones with a decimal."""

    group: str
    photos: int
    lost_whole: float  # clean photos likely lost, with thresholds of the whole population
    lost_group: float  # the same, with thresholds by group
    left_whole: float  # noise likely left, likewise
    left_group: float

    def as_dict(self) -> dict[str, object]:
        """The row under the headings of a table."""
        return dict(zip(EFFECT_HEAD, self, strict=True))


EFFECT_HEAD = (
    "group",
    "photos",
    "clean likely lost: whole",
    "clean likely lost: by group",
    "noise likely left: whole",
    "noise likely left: by group",
)


def group_bases(calibrations: Table) -> list[GroupBasis]:
    """What the calibration of each group rests on, by name; calibrations: the table group_calibration."""
    rows = calibrations.read(["group", "embedder", "weight", *COUNTS]).to_pylist()
    first = (row for row in rows if row["embedder"] == 0)
    return [
        GroupBasis(r["group"], r["identities"], r["impostor_pairs"], r["genuine_pairs"], r["weight"]) for r in first
    ]


def pooling_lines(calibrations: Table, groups: Table) -> list[str]:
    """How many groups have thresholds of their own, which ones were shrunk and how far, for a summary."""
    bases, names = group_bases(calibrations), set(groups.read(["group"])["group"].to_pylist())
    own = sum(basis.words == "own" for basis in bases)
    shrunk = [f"{b.group} {b.words} ({b.identities:,} identities)" for b in bases if b.words != "own"]
    lines = [f"thresholds by group: {own} of {len(names)} groups have their own"]
    if shrunk:
        lines[0] += f"; towards the whole population: {', '.join(shrunk)}"
    if further := len(names) - len(bases):
        lines.append(f"{further} further groups, the smallest ones, have the thresholds of the whole population")
    return lines


def effect_rows(effects: Table) -> list[EffectRow]:
    """The table of effects; no rows where no probabilities could be fitted."""
    by_group: dict[str | None, dict[str, GroupEffect]] = {}
    for effect in total_effects(effects.batches()):
        by_group.setdefault(effect.group, {})[effect.by] = effect
    return [_row(group, figures) for group, figures in by_group.items()]


def _row(group: str | None, figures: Mapping[str, GroupEffect]) -> EffectRow:
    whole, own = (figures[by] for by in BY)
    numbers = (whole.clean_lost, own.clean_lost, whole.noise_left, own.noise_left)
    return EffectRow(group or NO_GROUP_NAME, own.photos, *(round(n, 1) for n in numbers))
