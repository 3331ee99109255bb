"""A refinement, or the difference between two, as one HTML file to look at, and its plots as pictures.

Everything comes from the root's tables, shard by shard; faces are read only for what is shown.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.result import Result
from flows.report.figures import differences, experiments, is_evaluation, models
from pipeline.errors import UserError
from pipeline.noise.calibration import read_calibration
from pipeline.refined.threshold_table import COLUMNS, EXPLANATION, threshold_tables
from pipeline.refinement import Refinement, latest
from pipeline.report import charts, page, sankey, scores
from pipeline.report.counts import by_group, by_size, count
from pipeline.report.gallery import gather
from pipeline.report.page import Section
from pipeline.report.review_progress import People, people
from pipeline.review.groups import read_groups

log = logging.getLogger("refinery")
MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Reported(Result):
    """The file that was written."""

    file: str
    megabytes: float
    findings: int
    faces: int
    plots: int
    seconds: float

    def lines(self) -> list[str]:
        """Where to look."""
        shown = f"{self.findings} findings with {self.faces} faces, {self.plots} plots, {self.megabytes:.1f} MB"
        return [f"{shown}, made in {self.seconds:.1f} s", f"to look at: {self.file}"]


def report(
    root: Annotated[str, typer.Argument(metavar="[ROOT]", help="A refinement's root; not with --compare.")] = "",
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("report.html"),
    plots: Annotated[str, typer.Option(help="A folder for each plot as PNG and SVG.")] = "",
    compare: Annotated[
        tuple[str, str], typer.Option(metavar="A B", help="Two refinements' roots, or two of evaluate's --json files.")
    ] = ("", ""),
    evaluation: Annotated[list[Path], typer.Option(help="An evaluation (evaluate's --json) to show, too.")] = [],  # noqa: B006
    groups: Annotated[str, typer.Option(help="A CSV with identity and group: noise by group, in this page only.")] = "",
    each: Annotated[int, typer.Option(help="Findings to show of each kind.")] = 60,
    megabytes: Annotated[float, typer.Option(help="The most that faces may take.")] = 12.0,
) -> Reported:
    """One HTML file from a refinement, or from two to compare: counts, plots, and faces of every kind of finding."""
    begun = time.monotonic()
    if bool(root) == any(compare):
        raise UserError("give a root, or --compare A B: the one is shown, the other are held beside each other")
    if each < 1 or megabytes < 0:
        raise UserError(f"--each {each} --megabytes {megabytes:g}: give 1 or more, and 0 or more")
    most = int(megabytes * MEGABYTE)
    done = _compared(*compare, each, most) if any(compare) else _shown(root, evaluation, groups, each, most)
    sections, made, shown, faces, title, lead = done
    text = page.page(title, lead, sections)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, "utf-8", errors="replace")  # a name of a file may be no UTF-8
    except OSError as error:
        raise UserError(f"cannot write {out} ({error.strerror or error}): give --out a file to write") from None
    if plots:
        charts.write(made, Path(plots))
    size = out.stat().st_size / MEGABYTE
    return Reported(str(out), size, shown, faces, len(made), time.monotonic() - begun)


Made = tuple[list[Section], list[charts.Chart], int, int, str, str]


def _shown(root: str, evaluations: Sequence[Path], groups: str, each: int, most_bytes: int) -> Made:
    known = {name: k.group for name, k in read_groups(groups).items()} if groups else {}
    done = latest(root)
    calibration = read_calibration(root, done.calibration.shards[0])
    counted = count(done)
    log.info("report: %d photos counted", done.account.ingested)
    noise = [charts.shares("by_size", "Noise by photos of a name", by_size(counted.fates), "photos of a name")]
    if known:
        noise.append(charts.shares("by_group", "Noise by group", by_group(counted.fates, known), "group"))
    apart = scores.apart(done)
    alike, band = scores.to_person(done, calibration), scores.band(done, calibration)
    said = [charts.curves(calibration, done.thresholds), charts.likenesses(alike, done.thresholds, band)]
    told = [charts.angles(apart), *charts.told_apart(apart)] if apart else []
    tried, results = experiments(root), models(evaluations)
    found = gather(done, calibration, each=each, most_bytes=most_bytes)
    log.info("report: %d faces read", len(found.pictures))
    went = sankey.where_it_went(counted.flow)
    words = people(root, done)
    sections = [
        Section("went", "What came in, and where it went", page.drawn([went]) + page.reasons(counted.flow)),
        Section("noise", "Noise by size and group", page.drawn(noise)),
        Section("scores", "Calibration and thresholds", page.drawn(said) + _limits(done)),
        Section("findings", "Findings", page.gallery(found)),
        Section("names", "Most changed names", page.names(counted.fates)),
        Section("lost", "Clean photos likely lost", page.lost(found)),
        Section("people", "Review", _people(words)),
        Section("apart", "How well names tell faces apart", f"<p>{APART}</p>" + page.drawn(told)),
        Section("tried", "Before, after, and a removal at random", page.drawn(tried) if tried else NOT_TRIED),
        Section("models", "Models compared", page.drawn(results) if results else NOT_MEASURED),
    ]
    account = done.account
    lead = (
        f"{account.ingested:,} photos under {account.identities_claimed:,} names came in; "
        f"{account.kept:,} of {account.identities_kept:,} identities stay, {account.moved:,} of them "
        "under another name than claimed."
    )
    title = f"{' + '.join(done.options.sources) or 'Faces'}, refined"
    made = [went, *noise, *said, *told, *tried, *results]
    return sections, made, len(found.entries), len(found.pictures), title, lead


APART = (
    "A sample of names drawn by a hash, with the vectors of the refinement's first embedder, once under the claimed "
    "names and once under the refined ones. The machine chose the refined ones with these vectors: this shows what "
    "changed, and is no measure of a model."
)
NOT_TRIED = '<p class="soft">Not tried: <code>refinery experiment</code> trains on all three.</p>'
NOT_MEASURED = (
    '<p class="soft">None given: <code>--evaluation FILE</code> shows what <code>evaluate --json</code> printed.</p>'
)


def _limits(done: Refinement) -> str:
    tables = threshold_tables(done.thresholds, done.options.rules)
    return f"<p>{escape(EXPLANATION)}</p>" + "".join(
        f"<h3>{heading}</h3>{page.table(COLUMNS, rows)}"
        for heading, rows in (
            ("Thresholds that decide about findings", tables.findings),
            ("Rules that group faces, before there are findings", tables.grouping),
        )
    )


def _people(found: People) -> str:
    queue = [(q.kind, q.questions, f"{q.corrected:.1f}", f"{q.minutes:.1f}", q.answered) for q in found.queue]
    audit = "Not audited: nobody has looked at photos drawn at random from those that stay."
    if found.audit is not None:
        a = found.audit
        limits = f"{a.low:.2%} to {a.high:.2%}"
        audit = f"Of {a.judged} photos drawn from those that stay, {a.wrong} were judged wrong: {limits} (95%)."
    return (
        page.table(("kind", "questions waiting", "photos they would correct", "minutes", "answered"), queue)
        + f"<p>{audit}</p>"
        + (
            page.table(("annotators", "answers", "answered twice or more", "Krippendorff's alpha"), found.agreement)
            if found.agreement
            else "<p>No annotator has answered yet.</p>"
        )
    )


def _compared(a: str, b: str, each: int, most_bytes: int) -> Made:
    if is_evaluation(a) != is_evaluation(b):
        raise UserError(f"{a} and {b} are a root and an evaluation: give two of the same kind")
    title, lead = "Two compared", f"A: {a}; B: {b}"
    if is_evaluation(a):
        made = models([Path(a), Path(b)])
        return [Section("models", "Models compared", page.drawn(made))], made, 0, 0, title, lead
    sections, made, found = differences(a, b, each=each, most_bytes=most_bytes)
    return sections, made, len(found.entries), len(found.pictures), title, lead
