"""The report's pictures: each a drawing with a name, a caption for all and words for who cannot see it.

Colours are Okabe and Ito's (Color Universal Design, 2008), which all eyes tell apart; lines differ in dash as well.
Drawn as SVG whose text stays text, so a page with a dozen of them stays small and needs nothing else.
"""

import io
import re
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pipeline.errors import UserError
from pipeline.noise.scores.far_curve import threshold_at_far
from pipeline.noise.scores.fusion import Calibration
from pipeline.report.counts import STAYS, Share
from pipeline.report.scores import DEGREES, Apart, Histogram

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, RED, PURPLE, SKY, YELLOW, GREY = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#d55e00",
    "#cc79a7",
    "#56b4e9",
    "#f0e442",
    "#7f7f7f",
)
FATES = {STAYS: BLUE, "moved": GREEN, "removed": RED}
DASHES = ("-", "--", ":", "-.")
WHOLE = 80  # letters of a model's name in a legend: two that begin alike are told apart
RATES = np.geomspace(1e-7, 0.3, 60)
SIZE = (7.2, 3.6)  # inches; pages scale it
SMALL = 9  # points: on a page as wide as a laptop's a drawing is about as many pixels wide as it has points


class Chart(NamedTuple):
    """A drawing: its file's name, a title, what it shows in words, and the figure."""

    name: str
    title: str
    words: str
    figure: "Figure"


def svg(chart: Chart) -> str:
    """The chart as an element of a page, with its words as its label."""
    import matplotlib as mpl

    stream = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": chart.name}):
        plain = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        chart.figure.savefig(stream, format="svg", transparent=True, metadata=plain)
    text = stream.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r'\bid="([^"]+)"', rf'id="{chart.name}-\1"', text)  # two drawings on a page share no name
    text = re.sub(r'href="#([^"]+)"', rf'href="#{chart.name}-\1"', text).replace("url(#", f"url(#{chart.name}-")
    return re.sub(
        r'<svg [^>]*?(viewBox="[^"]+")[^>]*>',
        rf'<svg role="img" aria-label="{escape(chart.words)}" \1 xmlns:xlink="http://www.w3.org/1999/xlink">',
        text,
        count=1,
    )


def write(charts: Sequence[Chart], folder: Path) -> None:
    """Each chart as a PNG and an SVG. Raises UserError when the folder cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for chart in charts:
            for suffix in ("svg", "png"):
                chart.figure.savefig(folder / f"{chart.name}.{suffix}", dpi=130)
    except OSError as error:
        raise UserError(f"cannot write plots to {folder} ({error}): give --plots a folder to write in") from None


def axes(size: tuple[float, float] = SIZE) -> tuple["Figure", Any]:
    """An empty drawing and its axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    axis = figure.subplots()
    axis.spines[["top", "right"]].set_visible(False)
    return figure, axis


def safe(text: str, most: int = 28) -> str:
    """A name that came from outside, as a drawing takes it: short, and no formula."""
    return (text if len(text) <= most else f"{text[: most - 1]}…").replace("$", r"\$")


def shares(name: str, title: str, rows: Sequence[Share], what: str) -> Chart:
    """The share of photos removed and moved, by a property of their names."""
    figure, axis = axes()
    x = np.arange(len(rows))
    photos = np.array([max(1, r.photos) for r in rows])
    removed, moved = (np.array([getattr(r, c) for r in rows]) / photos for c in ("removed", "moved"))
    axis.bar(x, removed, color=RED, label="removed")
    axis.bar(x, moved, bottom=removed, color=GREEN, label="moved to another name", hatch="//", edgecolor="white")
    axis.set_xticks(x, [f"{safe(r.name, 16)}\n{r.photos:,}" for r in rows], fontsize=SMALL)
    axis.set(xlabel=f"{what}; below: photos", ylabel="share of photos")
    axis.legend(frameon=False, fontsize=SMALL)
    told = "; ".join(f"{r.name}: {a:.1%} removed, {b:.1%} moved" for r, a, b in zip(rows, removed, moved, strict=True))
    return Chart(name, title, f"{title}. {told}.", figure)


def curves(calibration: Calibration, limits: Mapping[str, float]) -> Chart:
    """Likeness by false accept rate, of each embedder and of both, with the thresholds read off them."""
    figure, axis = axes()
    each = {f"embedder {i}": tail for i, tail in enumerate(calibration.far_curves, start=1)}
    tails = {**each, "weighted, as thresholds are read": calibration.fused_curve}
    for (title, tail), colour, dash in zip(tails.items(), (BLUE, ORANGE, "black"), DASHES, strict=False):
        axis.plot(RATES, [threshold_at_far(tail, r) for r in RATES], dash, color=colour, label=title)
    for i, name in enumerate(n for n in ("outlier", "merge", "misplaced", "overlap") if n in limits):
        axis.axhline(
            limits[name],
            color=(RED, GREEN, PURPLE, SKY)[i],
            linestyle=DASHES[i],
            linewidth=1,
            label=f"threshold: {name} {limits[name]:.2f}",
        )
    axis.set(
        xscale="log", xlabel="false accept rate: share of strangers that look at least this alike", ylabel="likeness"
    )
    axis.legend(frameon=False, fontsize=SMALL)
    told = ", ".join(f"{k} {v:.2f}" for k, v in limits.items())
    return Chart(
        "calibration",
        "Calibration, and the thresholds chosen on it",
        f"Likeness falls as the false accept rate rises. Thresholds: {told}.",
        figure,
    )


def likenesses(found: Histogram, limits: Mapping[str, float], band: tuple[float, float] | None) -> Chart:
    """How alike faces are to their name's person, by what became of them, and the band in which people are asked."""
    figure, axis = axes()
    for (name, counts), dash in zip(found.counts.items(), DASHES, strict=False):
        axis.stairs(
            counts,
            found.edges,
            color=FATES[name],
            linestyle=dash,
            fill=name == STAYS,
            alpha=0.45 if name == STAYS else 1,
            linewidth=1.6,
            label=f"{name} ({counts.sum():,})",
        )
    if band:
        axis.axvspan(*band, color=YELLOW, alpha=0.3, label="uncertain: people are asked")
    axis.axvline(limits["outlier"], color="black", linestyle="--", linewidth=1, label="threshold for an outlier")
    seen = np.flatnonzero(sum(found.counts.values()))
    ends = (found.edges[seen[0]], found.edges[seen[-1] + 1]) if len(seen) else found.edges[[0, -1]]
    axis.set(
        xlabel="likeness of a face to the person of its name",
        ylabel="faces",
        xlim=(min(ends[0], limits["outlier"]) - 1, max(ends[1], limits["outlier"]) + 1),
    )
    axis.legend(frameon=False, fontsize=SMALL)
    told = ", ".join(f"{k} {v.sum():,}" for k, v in found.counts.items())
    return Chart(
        "likeness",
        "Likeness of faces to the person of their name",
        f"Histogram; {told}; outlier threshold {limits['outlier']:.2f}.",
        figure,
    )


def angles(found: Mapping[str, Apart]) -> Chart:
    """Angles between faces of one name and of two, as claimed and as refined."""
    figure, axis = axes()
    for (title, a), dash in zip(found.items(), ("--", "-"), strict=False):
        for counts, colour, what in ((a.same, BLUE, "one name"), (a.other, RED, "two names")):
            axis.stairs(counts / max(1, counts.sum()), DEGREES, color=colour, linestyle=dash, label=f"{what}, {title}")
    axis.set(xlabel="angle between two faces, degrees", ylabel="share of pairs")
    axis.legend(frameon=False, fontsize=SMALL)
    told = "; ".join(f"{t}: {a.faces:,} faces, {a.pairs:,} pairs" for t, a in found.items())
    return Chart(
        "angles",
        "Angles between faces of one name and of two",
        f"Histograms of a sample drawn by hash. {told}.",
        figure,
    )


def told_apart(found: Mapping[str, Apart]) -> list[Chart]:
    """ROC and CMC of the same sample."""
    roc, one = axes()
    cmc, two = axes()
    for (title, a), colour, dash in zip(found.items(), (ORANGE, BLUE), ("--", "-"), strict=False):
        one.plot(a.far, a.tar, dash, color=colour, label=title)
        two.plot(range(1, len(a.cmc) + 1), a.cmc, dash, color=colour, marker="o", markersize=3, label=title)
    one.set(xscale="log", xlabel="FAR", ylabel="TAR")
    two.set(xlabel="rank", ylabel="share of probes whose mate is found", xticks=[1, 5, 10, 15, 20])
    for axis in (one, two):
        axis.legend(frameon=False, fontsize=SMALL)
    middle = len(next(iter(found.values())).far) // 4
    words = "; ".join(f"{t}: TAR {a.tar[middle]:.3f} at FAR {a.far[middle]:.0e}" for t, a in found.items())
    ranks = "; ".join(f"{t}: rank-1 {a.cmc[0]:.3f}" for t, a in found.items())
    return [
        Chart("roc", "ROC of the refinement's own vectors", f"{words}.", roc),
        Chart("cmc", "CMC of the refinement's own vectors", f"{ranks}.", cmc),
    ]


def rocs(name: str, title: str, curves: Mapping[str, Sequence[Sequence[float]]]) -> Chart:
    """ROCs of models on one test set; curves: false and true accept rates of each model."""
    figure, axis = axes()
    told = []
    for i, (model, (far, tar)) in enumerate(curves.items()):
        axis.plot(
            far, tar, DASHES[i % 4], color=(BLUE, ORANGE, GREEN, RED, PURPLE, GREY)[i % 6], label=safe(model, WHOLE)
        )
        told += [f"{model}: TAR {tar[0]:.3f} at FAR {far[0]:.1e}"] if len(far) else []
    axis.set(xscale="log", xlabel="false accept rate", ylabel="true accept rate")
    axis.legend(frameon=False, fontsize=SMALL)
    return Chart(name, title, f"{title}. {'; '.join(told)}.", figure)


class Measured(NamedTuple):
    """A figure with its interval: of what (a model, an arm), on which test set."""

    panel: str
    who: str
    value: float
    low: float | None
    high: float | None


def intervals(name: str, title: str, rows: Sequence[Measured]) -> Chart:
    """Figures with their intervals, a line each, and what they are in numbers beside it."""
    who = list(dict.fromkeys(r.who for r in rows))
    figure, axis = axes((7.2, 1.2 + 0.26 * len(rows) + 0.2 * len(who)))
    colours = (BLUE, ORANGE, GREEN, RED, PURPLE, GREY)
    for y, row in enumerate(rows):
        i = who.index(row.who)
        low, high = (row.value if v is None else v for v in (row.low, row.high))
        axis.plot([low, high], [y, y], color=colours[i % 6], linewidth=2)
        axis.plot(
            row.value,
            y,
            "osD^vP"[i % 6],
            color=colours[i % 6],
            label=safe(row.who, WHOLE) if row.who not in {r.who for r in rows[:y]} else None,
        )
        said = f"{row.value:.3f}" if row.low is None else f"{row.value:.3f} [{low:.3f}, {high:.3f}]"
        axis.text(1.02, y, said, transform=axis.get_yaxis_transform(), va="center", fontsize=SMALL)
    panels = [r.panel if i == 0 or rows[i - 1].panel != r.panel else "" for i, r in enumerate(rows)]
    axis.set_yticks(range(len(rows)), [safe(p, 46) for p in panels], fontsize=SMALL)
    axis.tick_params("y", length=0)
    axis.invert_yaxis()
    axis.set_xlabel("value, with its 95% interval")
    figure.legend(loc="outside upper left", frameon=False, fontsize=SMALL)
    told = "; ".join(f"{r.panel}, {r.who}: {r.value:.4f}" for r in rows[:24])
    return Chart(name, title, f"{title}. {told}.", figure)
