"""The thresholds of a refinement as two tables in words: those that decide about findings, those that form clusters.

Most thresholds are set as an error rate: FAR (false accept rate: the share of impostor pairs that score at least this),
FRR (false reject rate: the share of genuine pairs that score less) or FDR (false discovery rate: the share of matches
found that are false). The calibration turns the rate into a score.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pipeline.noise.policy import Rates
from pipeline.refinement import Refinement

COLUMNS = ("rule", "asked for", "became", "unit", "what it decides")
EXPLANATION = (
    "FAR (false accept rate) is the share of impostor pairs that score at least this, FRR (false reject rate) the "
    "share of genuine pairs that score less. '/ persons' divides a rate by the number of persons that a face is "
    "compared with: each is a chance of a false match. FDR (false discovery rate) is the share of the matches found "
    "that are expected to be false. The calibration on this data turns a rate into a score: "
    "standard deviations above the mean of impostor pairs. The fused score is the weighted sum over the embedders."
)
FUSED, EACH = "fused score", "score of each embedder"


class Rule(NamedTuple):
    """The description of a rule.

    A rule with the unit EACH has one threshold for each embedder, in refinement.json as name_0 and name_1.
    """

    name: str  # in refinement.json
    asked: str  # the rate that is set; {...} takes the number
    unit: str  # of the threshold
    decides: str  # what the threshold decides, in words


class ThresholdRow(NamedTuple):
    """A row of one of the tables; its fields have the order of COLUMNS."""

    rule: str
    asked: str  # the rate that is set
    became: str  # the threshold or thresholds
    unit: str
    decides: str


class ThresholdTables(NamedTuple):
    """The thresholds that decide about findings (remove, relabel, merge, split), and the rules that form clusters."""

    findings: list[ThresholdRow]
    grouping: list[ThresholdRow]


# {...} in `asked` is a field of Rates
FINDING_RULES = (
    Rule(
        "outlier",
        "where probability {probability:.2g} lies; with few photos FAR {outlier:g}, up to {lenient:g} for FRR "
        "{outlier_frr:g}",
        FUSED,
        "a photo that scores less against the person of its identity is an outlier: the place for an identity with the "
        "usual share of noise; each identity has a place of its own",
    ),
    Rule(
        "outlier_probability",
        "{lost_per_noise:g} clean photos lost for a noise photo found",
        "probability",
        "a photo that is noise with this probability, by its fused score, is an outlier",
    ),
    Rule(
        "agreement",
        "{agreement:g} of that probability",
        "probability",
        "an outlier is removed only if it is noise with this probability by each embedder's own score, or else:",
    ),
    Rule("contrary", "FAR {contrary:g}", EACH, "an outlier is removed if it scores less than this by each embedder"),
    Rule(
        "misplaced",
        "FAR {misplaced:g} / persons",
        FUSED,
        "an outlier that scores this against another person is relabelled as that person",
    ),
    Rule("merge", "FAR {merge:g} / persons", FUSED, "two persons that score this are merged"),
    Rule(
        "support", "FAR {support:g}", EACH, "photos are relabelled and persons merged only if they score this as well"
    ),
    Rule(
        "merge_photos",
        "FRR {merge_frr:g}",
        FUSED,
        "two persons are merged only if the mean over the pairs of their photos is this",
    ),
    Rule(
        "overlap",
        "FDR {overlap:g}",
        FUSED,
        "a person that scores this against an identity of a test set is removed",
    ),
    Rule("leak", "FAR {leak:g}", EACH, "a person of a test set is removed only if it scores this as well"),
    Rule(
        "overlap_photos",
        "FRR {overlap_frr:g}",
        FUSED,
        "a person of a test set is removed only if the mean over the pairs of photos is this",
    ),
    Rule("split", "FAR {split:g}", EACH, "a further group of an identity's faces is another person if it scores less"),
    Rule("mixed", "FAR {mixed:g}", FUSED, "for information: mixed_0 and mixed_1 decide"),
    Rule(
        "mixed",
        "FAR {mixed:g}",
        EACH,
        "an identity is removed whole if even its most similar faces score less among themselves",
    ),
    Rule("poor_px", "{poor_px:g}", "pixels", "a face less wide than this is removed"),
    Rule(
        "poor_quality",
        "{poor_quality:g}",
        "share of a sharp face's score",
        "a face of no person whose quality is less is removed as poor",
    ),
    Rule(
        "same_picture",
        "{same_picture:g}",
        "correlation of pixels",
        "two faces that correlate this much are one picture: a duplicate, or a conflict of two identities",
    ),
)
# what else some rules decide in a refinement whose outliers are found by likelihood ratios (noise/likelihood_ratio/)
UNUSED = "nothing here: likelihood ratios decide, see outlier_probability"
DECIDES_WITH_RATIOS = {
    **dict.fromkeys(("outlier", "agreement", "contrary", "mixed"), UNUSED),
    "outlier_probability": "a photo that is noise with this probability, by the likelihood ratio of its embedding and "
    "texture with the other photos of its person, is an outlier",
}
# {...} in `asked` is the rule's own number; a refinement does not record the scores that these rates became
GROUPING_RULES = (
    Rule("far_link", "FAR {:g} / pairs", "FAR", "faces of one identity are linked into groups"),
    Rule("far_join", "FAR {:g}", "FAR", "a single face joins a group if it scores more than this against its centre"),
    Rule("far_absorb", "FAR {:g}", "FAR", "a whole group joins another if it scores more than this against its centre"),
    Rule("far_doubt", "FAR {:g}", "FAR", "a group is taken for a person only if its faces score more than this"),
    Rule(
        "weak_share", "{:g}", "share of a sharp face's score", "a face whose quality is less founds no group or person"
    ),
    Rule(
        "min_coarse",
        "{:g}",
        "correlation of blocks",
        "two faces that correlate less when made very small are not looked at as one picture",
    ),
    Rule(
        "min_shifted",
        "{:g}",
        "correlation of blocks",
        "the same, where one face is shifted by up to a pixel, whichever way is best",
    ),
)


def refinement_thresholds(refinement: Refinement) -> ThresholdTables:
    """The two tables of a refinement."""
    options = refinement.options
    return threshold_tables(refinement.thresholds, options.rules, ratios=bool(options.request.get("textures")))


def threshold_tables(
    thresholds: Mapping[str, float], rules: Mapping[str, float], *, rates: Rates | None = None, ratios: bool = False
) -> ThresholdTables:
    """The two tables of a refinement's thresholds and of its clustering rules (RefineOptions.rules).

    rates: from which the thresholds were computed; None for the policy's defaults, with the cost of this refinement. A
    threshold or rule that is not described here, of an older refinement for example, gets a row without description.
    ratios: outliers were found by likelihood ratios.
    """
    probability = thresholds.get("outlier_probability", 1 / (1 + Rates().lost_per_noise))
    asked = (rates or Rates(lost_per_noise=round(1 / probability - 1, 3)))._asdict() | {"probability": probability}
    findings = [_finding_row(rule, rule.asked.format(**asked), thresholds) for rule in FINDING_RULES]
    if ratios:
        decides = [DECIDES_WITH_RATIOS.get(rule.name, rule.decides) for rule in FINDING_RULES]
        findings = [row._replace(decides=words) for row, words in zip(findings, decides, strict=True)]
    grouping = [
        ThresholdRow(r.name, r.asked.format(rules[r.name]), "", r.unit, r.decides)
        for r in GROUPING_RULES
        if r.name in rules
    ]
    return ThresholdTables(
        _with_undescribed([row for row in findings if row.rule], thresholds), _with_undescribed(grouping, rules)
    )


def _finding_row(rule: Rule, asked: str, thresholds: Mapping[str, float]) -> ThresholdRow:
    """A rule with its thresholds; the row's name is "" when the refinement has no such threshold."""
    stored = (f"{rule.name}_0", f"{rule.name}_1") if rule.unit == EACH else (rule.name,)
    names = [name for name in stored if name in thresholds]
    return ThresholdRow(
        ", ".join(names), asked, ", ".join(f"{thresholds[n]:.4g}" for n in names), rule.unit, rule.decides
    )


def _with_undescribed(rows: Sequence[ThresholdRow], numbers: Mapping[str, float]) -> list[ThresholdRow]:
    """The rows, and one for each number whose name is in none of them."""
    described = {name for row in rows for name in row.rule.split(", ")}
    return [*rows, *(ThresholdRow(n, "", f"{numbers[n]:.4g}", "", "") for n in sorted(numbers) if n not in described)]
