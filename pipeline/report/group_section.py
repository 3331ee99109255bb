"""The part of the report about thresholds by group: figures alone, no identity and no face."""

from collections.abc import Iterator

from pipeline.noise.calibration import read_calibration
from pipeline.noise.groups.group_calibration import pooled_groups
from pipeline.noise.groups.group_summary import EFFECT_HEAD, EXPLANATION, UNKNOWN, GroupBasis, effect_rows, group_bases
from pipeline.refinement import Refinement
from pipeline.report.html.page import table
from pipeline.report.typical_cosines import typical_cosines

BASIS_HEAD = (
    "group",
    "identities measured",
    "impostor pairs",
    "genuine pairs",
    "thresholds",
    "typical cosine at the outlier threshold",
)


def group_section(refinement: Refinement) -> str:
    """HTML of what the thresholds of each group rest on and what they likely change; "" without groups."""
    if refinement.group_calibration is None or refinement.group_effects is None:
        return ""
    rows = effect_rows(refinement.group_effects)
    figures = f"<p>{EXPLANATION}</p>{table(EFFECT_HEAD, rows)}" if rows else f"<p>It is not shown: {UNKNOWN}.</p>"
    bases = table(BASIS_HEAD, list(_bases(refinement, group_bases(refinement.group_calibration))))
    return (
        f"<h3>Thresholds by group</h3>{bases}<h3>Clean photos likely lost and noise likely left, by group</h3>{figures}"
    )


def _bases(refinement: Refinement, bases: list[GroupBasis]) -> Iterator[tuple[object, ...]]:
    """The rows of the first table. A threshold on the score is another cosine in each group."""
    assert refinement.group_calibration is not None  # noqa: S101  the caller looked
    whole = read_calibration(refinement.root, refinement.calibration.shards[0])
    groups = pooled_groups(refinement.group_calibration.read())
    for basis in bases:
        calibration = groups[basis.group].applied(whole)
        cosines = typical_cosines(calibration, "outlier", refinement.thresholds.get("outlier", 0.0))
        shown = ", ".join(f"{cosine:.2f}" for cosine in cosines)
        yield basis.group, basis.identities, basis.impostor_pairs, basis.genuine_pairs, basis.words, shown
