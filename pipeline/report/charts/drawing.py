"""Charts, and how they are written: as SVG elements of the page, and as PNG and SVG files.

Colours are those of Okabe and Ito (Color Universal Design, 2008), which colour-blind readers can distinguish; lines
also differ in their dashes. Text in the page's SVG elements stays text, which keeps a page with many charts small.
"""

import io
import re
import warnings
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from pipeline.errors import UserError
from pipeline.printable import printable
from pipeline.report.counts import KEPT, RELABELLED, REMOVED

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
FATE_COLOURS = {KEPT: BLUE, RELABELLED: GREEN, REMOVED: RED}
MODEL_COLOURS = (BLUE, ORANGE, GREEN, RED, PURPLE, GREY)
DASHES = ("-", "--", ":", "-.")
SIZE_INCHES = (7.2, 3.6)  # width and height; the page scales charts to its width
LABEL_LETTERS = 80  # longest name of a model in a legend; shorter, names with the same beginning would look the same
FONT_POINTS = 9  # on a laptop's page a chart has about as many pixels as points, so this is about 9 pixels


class Chart(NamedTuple):
    """A chart with its description."""

    name: str  # of its files, and the prefix of ids in its SVG
    title: str
    words: str  # what the chart shows, for screen readers
    figure: "Figure"


def axes(size_inches: tuple[float, float] = SIZE_INCHES) -> tuple["Figure", Any]:
    """An empty figure and its axes. Texts in it are shown as they are: "$" and "\\" start no formula."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams["text.parse_math"] = False
    figure = Figure(figsize=size_inches, layout="constrained")
    axis = figure.subplots()
    axis.spines[["top", "right"]].set_visible(False)
    return figure, axis


def log_scale(axis: Any) -> None:
    """Make the horizontal axis logarithmic. Its numbers are plain text: matplotlib writes them as formulas."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    axis.set_xscale("log")
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.xaxis.set_minor_formatter(NullFormatter())


def legend(axis: Any) -> None:
    """Add a legend to the axes."""
    axis.legend(frameon=False, fontsize=FONT_POINTS)


def plain_text(text: str, max_letters: int = 28) -> str:
    """A name from the data as text in a chart: shortened, and without control characters, which SVG cannot hold."""
    text = printable(text)
    return text if len(text) <= max_letters else f"{text[: max_letters - 1]}…"


def save_figure(figure: "Figure", target: Path | IO[str] | IO[bytes], **options: Any) -> None:
    """Figure.savefig() without warnings about letters, of names in the data, that the font lacks: boxes stand there."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from", category=UserWarning)
        figure.savefig(target, **options)


def svg(chart: Chart) -> str:
    """The chart as an SVG element for a page, with its words as the label for screen readers."""
    import matplotlib as mpl

    stream = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": chart.name}):
        no_metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        save_figure(chart.figure, stream, format="svg", transparent=True, metadata=no_metadata)
    text = stream.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    # ids must be unique on a page: each chart's ids get its name as prefix
    text = re.sub(r'\bid="([^"]+)"', rf'id="{chart.name}-\1"', text)
    text = re.sub(r'href="#([^"]+)"', rf'href="#{chart.name}-\1"', text).replace("url(#", f"url(#{chart.name}-")
    view = re.search(r'viewBox="[^"]+"', text)
    head = f'<svg role="img" aria-label="{escape(chart.words)}" {view[0] if view else ""}'
    return f'{head} xmlns:xlink="http://www.w3.org/1999/xlink">{text[text.index(">") + 1 :]}'


def write_charts(charts: Sequence[Chart], folder: Path) -> None:
    """Write each chart to a folder as a PNG file and as an SVG file; the same chart gives the same bytes.

    Raises UserError when the folder cannot be written.
    """
    import matplotlib as mpl

    try:
        folder.mkdir(parents=True, exist_ok=True)
        for chart in charts:
            with mpl.rc_context({"svg.hashsalt": chart.name}):
                save_figure(chart.figure, folder / f"{chart.name}.svg", metadata={"Date": None})
            save_figure(chart.figure, folder / f"{chart.name}.png", dpi=130)
    except OSError as error:
        raise UserError(f"cannot write plots to {folder} ({error}): give --plots a folder to write in") from None
