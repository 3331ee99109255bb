"""The page of one refinement: where its photos went, thresholds, findings, the review, and results of trainings."""

import logging
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from flows.report.result_charts import evaluation_charts, experiment_charts
from pipeline.noise.calibration import read_calibration
from pipeline.noise.scores.fusion import Calibration
from pipeline.refined.threshold_table import COLUMNS, EACH, EXPLANATION, FUSED, ThresholdRow, refinement_thresholds
from pipeline.refinement import Refinement, latest
from pipeline.report.charts.calibration_curves import calibration_curves
from pipeline.report.charts.drawing import Chart
from pipeline.report.charts.noise_shares import noise_shares
from pipeline.report.charts.reliability import reliability_chart
from pipeline.report.charts.sankey import photo_flow
from pipeline.report.charts.score_histogram import score_histogram
from pipeline.report.charts.separation import pair_angles, roc_and_cmc
from pipeline.report.counts import Counts, count_photos, noise_by_group, noise_by_size
from pipeline.report.finding_cards import doubtful_removals_section, finding_section
from pipeline.report.gallery import build_gallery
from pipeline.report.group_section import group_section
from pipeline.report.html.page import ReportPage, Section, chart_figures, table
from pipeline.report.photo_fates import photo_fates
from pipeline.report.photo_tables import identity_table, reason_table
from pipeline.report.reliability import answered_reliability
from pipeline.report.review_progress import ReviewProgress, review_progress
from pipeline.report.scores import scores_to_person, uncertain_scores
from pipeline.report.separation import separations
from pipeline.report.typical_cosines import typical_cosines

log = logging.getLogger("refinery")
SEPARATION = (
    "Measured on a sample of identities drawn by hash, with the embeddings of the refinement's first embedder, once by "
    "the claimed labels and once by the refined ones. The refined labels were chosen by these embeddings: this shows "
    "what the change of labels did, and does not measure a model."
)
TYPICAL = (
    "The typical cosine is the one at which a pair of average faces has the score, by each embedder; for a face that "
    "is like many others it is higher."
)
BROWSE = (
    '<p class="soft">Some findings of each kind are shown. <code>refinery browse ROOT</code> shows every identity and '
    "photo, and takes decisions.</p>"
)
NO_EXPERIMENT = (
    '<p class="soft">No experiment was run: <code>refinery experiment</code> trains on all three data sets.</p>'
)
NO_EVALUATION = (
    '<p class="soft">None given: <code>--evaluation FILE</code> shows what <code>refinery evaluate --json</code> '
    "printed.</p>"
)


def refinement_page(
    root: str,
    *,
    evaluations: Sequence[Path],
    groups: Mapping[str, str],
    per_kind: int,
    max_bytes: int,
    photo_bytes: int = 0,
) -> ReportPage:
    """The page of the refinement in force in a root.

    evaluations: JSON files of `refinery evaluate --json`. groups: the group of identities, by identity. per_kind:
    findings to show of each kind; max_bytes: of all pictures of faces together; photo_bytes: of all whole photos.
    """
    refinement = latest(root)
    calibration = read_calibration(root, refinement.calibration.shards[0])
    counts = count_photos(refinement)
    log.info("report: %d photos counted", refinement.account.ingested)
    gallery = build_gallery(refinement, calibration, per_kind=per_kind, max_bytes=max_bytes, photo_bytes=photo_bytes)
    log.info("report: %d faces read", len(gallery.pictures))
    flow, fates = photo_flow(counts.flow), photo_fates(refinement, counts.identities)
    noise = _noise_charts(counts, groups)
    score_charts = _score_charts(refinement, calibration)
    thresholds = chart_figures(score_charts)
    reliable = [reliability_chart(bins) for bins in [answered_reliability(refinement)] if bins]
    separation = _separation_charts(refinement)
    experiments, models = experiment_charts(root), evaluation_charts(evaluations)
    sections = [
        Section("went", "Where every photo went", chart_figures([flow]) + reason_table(counts.flow)),
        Section("noise", "Noise by size of identity, and by group", chart_figures(noise) + group_section(refinement)),
        Section("scores", "Calibration and thresholds", thresholds + _threshold_section(refinement, calibration)),
        Section("findings", "Findings", BROWSE + finding_section(gallery)),
        Section("names", "Identities, the most changed first", identity_table(counts.identities, fates)),
        Section("lost", "Removed photos that may be correct", doubtful_removals_section(gallery)),
        Section(
            "people",
            "Review by people",
            _review_section(review_progress(root, refinement)) + chart_figures(reliable),
        ),
        Section(
            "apart",
            "Faces separated by the labels, as claimed and as refined",
            f"<p>{SEPARATION}</p>{chart_figures(separation)}",
        ),
        Section(
            "tried",
            "Models trained before and after cleaning, and on a random subset",
            chart_figures(experiments) if experiments else NO_EXPERIMENT,
        ),
        Section("models", "Models compared", chart_figures(models) if models else NO_EVALUATION),
    ]
    charts = [flow, *noise, *score_charts, *reliable, *separation, *experiments, *models]
    title = f"Refinement of {' + '.join(refinement.options.sources) or 'faces'}"
    return ReportPage(title, _lead(refinement), sections, charts, len(gallery.entries), len(gallery.pictures))


def _score_charts(refinement: Refinement, calibration: Calibration) -> list[Chart]:
    histogram = scores_to_person(refinement, calibration)
    return [
        calibration_curves(calibration, refinement.thresholds),
        score_histogram(histogram, refinement.thresholds, uncertain_scores(refinement, calibration)),
    ]


def _lead(refinement: Refinement) -> str:
    a = refinement.account
    return (
        f"{a.ingested:,} photos of {a.identities_claimed:,} claimed identities came in; {a.kept:,} photos of "
        f"{a.identities_kept:,} identities are kept, {a.moved:,} of them relabelled as another identity than claimed."
    )


def _noise_charts(counts: Counts, groups: Mapping[str, str]) -> list[Chart]:
    shares = noise_by_size(counts.identities)
    charts = [noise_shares("by_size", "Noise by the number of photos of an identity", shares, "photos of an identity")]
    if groups:
        shares = noise_by_group(counts.identities, groups)
        charts.append(noise_shares("by_group", "Noise by group of identities", shares, "group"))
    return charts


def _separation_charts(refinement: Refinement) -> list[Chart]:
    by_labels = separations(refinement)
    return [pair_angles(by_labels), *roc_and_cmc(by_labels)] if by_labels else []


def _threshold_section(refinement: Refinement, calibration: Calibration) -> str:
    tables = refinement_thresholds(refinement)
    findings = [
        (*row[:-1], _cosines(refinement, calibration, row) if row.unit in (FUSED, EACH) else "", row.decides)
        for row in tables.findings
    ]
    head = (*COLUMNS[:-1], "typical cosine", COLUMNS[-1])
    basis = calibration.basis
    warning = f"<p><strong>Warning:</strong> {escape(basis.warning())}.</p>" if basis.is_guess else ""
    return (
        f"<p>The thresholds were {escape(basis.line(refinement.options.references))}.</p>{warning}"
        f"<p>{escape(EXPLANATION)} {TYPICAL}</p>"
        f"<h3>Thresholds that decide about findings</h3>{table(head, findings)}"
        "<h3>Rules by which the faces of an identity are clustered, before there are findings</h3>"
        f"{table(COLUMNS, tables.grouping)}"
    )


def _cosines(refinement: Refinement, calibration: Calibration, row: ThresholdRow) -> str:
    """The typical cosines of a row's thresholds."""
    names = row.rule.split(", ")
    cosines = [c for name in names for c in typical_cosines(calibration, name, refinement.thresholds[name])]
    return ", ".join(f"{cosine:.2f}" for cosine in cosines)


def _review_section(progress: ReviewProgress) -> str:
    queue = [
        (q.kind, q.questions, f"{q.expected_corrections:.1f}", f"{q.minutes:.1f}", q.answered) for q in progress.queue
    ]
    head = ("kind", "questions waiting", "photos they are expected to correct", "minutes they take", "answered")
    audit = "Not audited: no photos drawn at random from the kept ones were judged by people."
    if progress.audit is not None:
        a = progress.audit
        limits = f"{a.low:.2%} to {a.high:.2%}"
        audit = f"Of {a.judged} photos drawn at random from the kept ones, {a.wrong} were judged wrong: {limits} (95%)."
    agreement = table(
        ("annotators", "answers", "questions with two answers or more", "Krippendorff's alpha"), progress.agreement
    )
    return f"{table(head, queue)}<p>{audit}</p>{agreement if progress.agreement else '<p>No annotator answered.</p>'}"
