"""The part of the report about thresholds by group: figures alone, no identity and no face."""

from pipeline.noise.groups.group_summary import EFFECT_HEAD, EXPLANATION, UNKNOWN, effect_rows, group_bases
from pipeline.refinement import Refinement
from pipeline.report.html.page import table

BASIS_HEAD = ("group", "identities measured", "impostor pairs", "genuine pairs", "thresholds")


def group_section(refinement: Refinement) -> str:
    """HTML of what the thresholds of each group rest on and what they likely change; "" without groups."""
    calibrations, effects = refinement.group_calibration, refinement.group_effects
    if calibrations is None or effects is None:
        return ""
    bases = [(b.group, b.identities, b.impostor_pairs, b.genuine_pairs, b.words) for b in group_bases(calibrations)]
    rows = effect_rows(effects)
    figures = f"<p>{EXPLANATION}</p>{table(EFFECT_HEAD, rows)}" if rows else f"<p>It is not shown: {UNKNOWN}.</p>"
    return (
        f"<h3>Thresholds by group</h3>{table(BASIS_HEAD, bases)}"
        f"<h3>Clean photos likely lost and noise likely left, by group</h3>{figures}"
    )
