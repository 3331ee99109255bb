"""The page that compares two refinements, or two evaluations."""

from dataclasses import asdict
from pathlib import Path

from flows.report.result_charts import evaluation_charts, is_evaluation
from pipeline.errors import UserError
from pipeline.refinement import Account, Refinement, latest
from pipeline.report.charts.sankey import photo_flow
from pipeline.report.counts import count_photos
from pipeline.report.differences import find_differences
from pipeline.report.finding_cards import difference_section
from pipeline.report.html.page import ReportPage, Section, chart_figures, table

TITLE = "Two compared"


def comparison_page(a: str, b: str, *, per_kind: int, max_bytes: int) -> ReportPage:
    """The page of two roots, or of two JSON files of `refinery evaluate --json`.

    per_kind: photos to show of each kind of difference; max_bytes: of all pictures together. Raises UserError for a
    root and an evaluation.
    """
    if is_evaluation(a) != is_evaluation(b):
        raise UserError(f"{a} and {b} are a root and an evaluation: give two of the same kind")
    if is_evaluation(a):
        charts = evaluation_charts([Path(a), Path(b)])
        models = Section("models", "Models compared", chart_figures(charts))
        return ReportPage(TITLE, f"A: {a}; B: {b}", [models], charts)
    in_a, in_b = latest(a), latest(b)
    differences = find_differences(in_a, in_b, per_kind=per_kind, max_bytes=max_bytes)
    charts = []
    for name, refinement in (("a", in_a), ("b", in_b)):
        chart = photo_flow(count_photos(refinement).flow)
        charts.append(chart._replace(name=f"{chart.name}_{name}", title=f"{chart.title}: {name.upper()}"))
    counts = table(("photos", "A", "B"), _account_rows(in_a.account, in_b.account))
    thresholds = table(("threshold", "A", "B"), _threshold_rows(in_a, in_b))
    sections = [
        Section("went", "Where photos went", chart_figures(charts) + counts),
        Section("changed", "Photos that A and B treat differently", difference_section(differences)),
        Section("limits", "Thresholds", thresholds),
    ]
    lead = f"A: {a}; B: {b}"
    return ReportPage(TITLE, lead, sections, charts, len(differences.entries), len(differences.pictures))


def _account_rows(a: Account, b: Account) -> list[tuple[object, ...]]:
    """The numbers of two accounts beside each other."""
    labels = {"moved": "relabelled (of the kept)"}
    in_a, in_b = asdict(a), asdict(b)
    totals = [(labels.get(k, k.replace("_", " ")), in_a[k], in_b[k]) for k in in_a if k != "removed"]
    reasons = sorted({*a.removed, *b.removed})
    return [*totals, *((f"removed: {r}", a.removed.get(r, 0), b.removed.get(r, 0)) for r in reasons)]


def _threshold_rows(a: Refinement, b: Refinement) -> list[tuple[str, ...]]:
    names = sorted({*a.thresholds, *b.thresholds})
    return [(n, *(f"{r.thresholds[n]:g}" if n in r.thresholds else "" for r in (a, b))) for n in names]
