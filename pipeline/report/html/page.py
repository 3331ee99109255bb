"""The HTML page of the report: one file with all its pictures and charts, which loads nothing from a network.

Names and texts from the data are escaped, and a content security policy in the page's head forbids all requests.
"""

import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

from pipeline.report.charts.drawing import Chart, svg
from pipeline.report.html.script import SCRIPT
from pipeline.report.html.style import STYLE

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
DIALOG = (
    '<dialog id="enlarged" aria-label="A face, enlarged"><img alt=""><p><code></code></p>'
    '<figure hidden><img alt="the whole photo, its faces boxed">'
    "<figcaption>Amber: this face. White: other faces of the photo.</figcaption></figure>"
    '<p><a id="file" target="_blank" rel="noreferrer">the whole photo</a></p>'
    '<p><a id="in-gallery" target="_blank" rel="noreferrer">in the gallery: its findings, and decisions</a></p>'
    '<form method="dialog"><button autofocus>Close</button></form></dialog>'
)
GENERATOR = '<meta name="generator" content="{}">'  # shows which command wrote a page
SENTENCE_LETTERS = 20  # a table cell with more letters gets a minimum width, to be readable on a narrow page
WIDE_INCHES = 4  # a chart higher than this is as wide as the page


class Section(NamedTuple):
    """A section of the page."""

    name: str  # the section's id in the page's addresses
    title: str
    body: str  # HTML


class ReportPage(NamedTuple):
    """The content of a page."""

    title: str
    lead: str  # one sentence below the title
    sections: list[Section]
    charts: list[Chart]  # the charts in the sections, for `--plots`, which writes them as files
    entries: int = 0  # number of findings (or of photos that differ between two refinements) shown with faces
    faces: int = 0  # number of faces shown
    command: str = "refinery report"  # that wrote the page
    gallery: str = ""  # the address of a gallery of the same data, without its key; "": not known


def page_mark(command: str) -> re.Pattern[bytes]:
    """Found at the beginning of every page that a command wrote, and of no other file."""
    return re.compile(rb"\A<!doctype html>[^\n]{,200}" + re.escape(GENERATOR.format(command).encode()))


def render(page: ReportPage) -> str:
    """The page as the text of an HTML file."""
    links = "".join(f'<li><a href="#{s.name}">{escape(s.title)}</a></li>' for s in page.sections)
    parts = "".join(f'<section id="{s.name}"><h2>{escape(s.title)}</h2>{s.body}</section>' for s in page.sections)
    title = escape(page.title)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">{GENERATOR.format(page.command)}'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<title>{title}</title><style>{STYLE}</style></head>"
        f'<body data-gallery="{escape(page.gallery)}">'
        f'<a class="skip" href="#main">To the content</a><h1>{title}</h1><p class="soft">{escape(page.lead)}</p>'
        f'<nav aria-label="Sections"><ul>{links}</ul></nav><main id="main">{parts}</main>'
        f"{DIALOG}<script>{SCRIPT}</script></body></html>\n"
    )


def chart_figures(charts: Iterable[Chart]) -> str:
    """HTML of charts side by side; charts higher than WIDE_INCHES are as wide as the page."""
    figures = "".join(
        f'<figure class="{"wide" if c.figure.get_size_inches()[1] > WIDE_INCHES else ""}">'
        f'<div class="scroll" tabindex="0">{svg(c)}</div>'
        f"<figcaption>{escape(c.title)}</figcaption></figure>"
        for c in charts
    )
    return f'<div class="charts">{figures}</div>'


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """HTML of a table, or "None." if it has no rows; numbers and the headings over them are aligned to the right."""
    rows = list(rows)
    if not rows:
        return '<p class="soft">None.</p>'
    body = "".join(f"<tr>{''.join(_cell(value) for value in row)}</tr>" for row in rows)
    top = "".join(
        f'<th scope="col"{" class=n" if isinstance(value, int | float) else ""}>{escape(heading)}</th>'
        for heading, value in zip(head, rows[0], strict=False)
    )
    return f'<div class="scroll" tabindex="0"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def _cell(value: object) -> str:
    is_number = isinstance(value, int | float)
    kind = " class=n" if is_number else " class=words" if len(str(value)) > SENTENCE_LETTERS else ""
    return f"<td{kind}>{escape(f'{value:,}' if is_number else str(value))}</td>"
