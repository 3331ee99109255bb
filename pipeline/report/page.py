"""The page: text, charts, faces and tables as one HTML file that asks nothing of any network.

Whatever came from outside is escaped, and a content policy in the page's head forbids requests altogether.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

from pipeline.refined.data_card import MEANING
from pipeline.report.assets import SCRIPT, STYLE
from pipeline.report.charts import Chart, svg
from pipeline.report.counts import Fate
from pipeline.report.differences import Differing
from pipeline.report.gallery import Entry, Gallery, Side

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
SENTENCE = 20  # letters in a table's cell that take some width also on a narrow page
LISTED = 20000  # names that can be searched for in the page, the most changed first: a megabyte
KINDS = {
    "outlier": "a photo that is not the person of its name",
    "misplaced": "a photo that belongs to another name",
    "merge": "one person under two names",
    "split": "two persons under one name",
    "duplicate": "the same picture again, beside the one that stays",
    "conflict": "one picture under two names",
    "overlap": "a person who is in a test set, too",
    "mixed": "a name in which no person is found",
    "poor": "a face of a few pixels",
    "no_face": "no face found",
    "unreadable": "no picture",
}


class Section(NamedTuple):
    """A part of the page: what the address names it, its title, and its HTML."""

    name: str
    title: str
    body: str


def page(title: str, lead: str, sections: Sequence[Section]) -> str:
    """The whole file."""
    links = "".join(f'<li><a href="#{s.name}">{escape(s.title)}</a></li>' for s in sections)
    parts = "".join(f'<section id="{s.name}"><h2>{escape(s.title)}</h2>{s.body}</section>' for s in sections)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>"
        f'<a class="skip" href="#main">To the content</a><h1>{escape(title)}</h1><p class="soft">{escape(lead)}</p>'
        f'<nav aria-label="Sections"><ul>{links}</ul></nav><main id="main">{parts}</main>'
        f"<script>{SCRIPT}</script></body></html>\n"
    )


def drawn(charts: Iterable[Chart]) -> str:
    """Charts beside each other; those higher than usual take a line for themselves."""
    made = "".join(
        f'<figure class="{"wide" if c.figure.get_size_inches()[1] > 4 else ""}">'
        f'<div class="scroll" tabindex="0">{svg(c)}</div>'
        f"<figcaption>{escape(c.title)}</figcaption></figure>"
        for c in charts
    )
    return f'<div class="charts">{made}</div>'


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; numbers, and what is over them, to the right."""
    rows = list(rows)

    def cell(value: object) -> str:
        number = isinstance(value, int | float)
        kind = " class=n" if number else " class=words" if len(str(value)) > SENTENCE else ""
        return f"<td{kind}>{escape(f'{value:,}' if number else str(value))}</td>"

    body = "".join(f"<tr>{''.join(cell(v) for v in row)}</tr>" for row in rows)
    numbers = [isinstance(v, int | float) for v in rows[0]] if rows else []
    top = "".join(
        f'<th scope="col"{" class=n" if n else ""}>{escape(h)}</th>' for h, n in zip(head, numbers, strict=False)
    )
    return (
        f'<div class="scroll" tabindex="0"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'
        if body
        else '<p class="soft">None.</p>'
    )


def gallery(found: Gallery) -> str:
    """The findings with their faces, and what filters them."""
    kinds = sorted({k for k, _ in found.counts}, key=lambda k: (list(KINDS).index(k) if k in KINDS else 99, k))
    rows = [
        (
            k,
            KINDS.get(k, ""),
            *(found.counts.get((k, v), 0) for v in ("yes", "no", "unsure")),
            sum(e.kind == k for e in found.entries),
        )
        for k in kinds
    ]
    order = {k: i for i, k in enumerate(kinds)}
    cards = "".join(_card(e, found.pictures) for e in sorted(found.entries, key=lambda e: order[e.kind]))
    options = "".join(f"<option>{escape(k)}</option>" for k in kinds)
    return (
        table(("kind", "what it says", "holds", "does not", "undecided", "shown"), rows)
        + '<div class="controls"><label>Name contains<input id="name" type="search" autocomplete="off"></label>'
        f'<label>Kind<select id="kind"><option value="">all</option>{options}</select></label>'
        '<label>Decided<select id="verdict"><option value="">all</option><option value="yes">holds</option>'
        '<option value="no">does not</option><option value="unsure">undecided</option></select></label>'
        f'<output id="shown" class="soft"></output></div><ul id="cards" class="cards">{cards}</ul>'
    )


def lost(found: Gallery) -> str:
    """Photos that went and were perhaps right."""
    words = (
        f"By the machine's own odds about {found.expected_lost:,.1f} photos that went as outliers were right. Those it "
        "was least sure of are shown; a review asks about them first."
    )
    cards = (
        "".join(_card(e, found.pictures) for e in found.lost) or '<li class="soft">No photo went as an outlier.</li>'
    )
    return f'<p>{words}</p><ul class="cards">{cards}</ul>'


def differing(found: Differing) -> str:
    """Photos that two refinements treat differently: how many in which way, and some of them with their faces."""
    shown = Counter(e.pair for e in found.entries)
    rows = [(*pair, n, shown[pair]) for pair, n in found.counts]
    kinds = list(dict.fromkeys(e.pair for e in found.entries))
    options = "".join(f"<option>{escape(_difference(k))}</option>" for k in kinds)
    cards = "".join(
        _item(
            {"kind": _difference(e.pair), "names": " ".join(e.names)},
            f"in A {escape(e.pair[0])}, in B {escape(e.pair[1])}",
            e.sides,
            e.names,
            "",
            found.pictures,
        )
        for e in sorted(found.entries, key=lambda e: kinds.index(e.pair))
    )
    controls = (
        '<div class="controls"><label>Name contains<input id="name" type="search" autocomplete="off"></label>'
        f'<label>In A, in B<select id="kind"><option value="">all</option>{options}</select></label>'
        f'<output id="shown" class="soft"></output></div><ul id="cards" class="cards">{cards}</ul>'
    )
    return table(("in A", "in B", "photos", "shown"), rows) + (controls if cards else "")


def _difference(pair: tuple[str, str]) -> str:
    return f"{pair[0]} / {pair[1]}"


def _card(entry: Entry, pictures: dict[str, str]) -> str:
    said = {"yes": "holds", "no": "does not", "unsure": "undecided"}[entry.verdict]
    by = "" if entry.verdict == "unsure" else f", says {entry.who}"
    head = f'{escape(entry.kind)} <span class="verdict {entry.verdict}">{said}{by}</span>'
    data = {"kind": entry.kind, "verdict": entry.verdict, "names": " ".join(entry.names)}
    return _item(data, head, entry.sides, entry.names, entry.words, pictures)


def _item(
    data: dict[str, str],
    head: str,
    sides: Sequence[Side],
    names: Sequence[str],
    words: str,
    pictures: dict[str, str],
) -> str:
    """A card; data: what it is filtered by, head: its HTML."""
    shown = "".join(
        f'<div><div class="faces">{"".join(_face(f, s.words, pictures) for f in s.faces)}</div>'
        f'<span class="soft">{escape(s.words)}</span></div>'
        for s in sides
    )
    kept = "".join(f' data-{k}="{escape(v)}"' for k, v in data.items())
    return (
        f'<li{kept}><h3>{head}</h3><div class="sides">{shown}</div><p>{escape(" · ".join(names))}</p>'
        f'<p class="soft">{escape(words)}</p></li>'
    )


def _face(face: str, words: str, pictures: dict[str, str]) -> str:
    if face in pictures:
        return f'<img src="{pictures[face]}" alt="face: {escape(words)}" loading="lazy">'
    return '<span class="none">not shown</span>'


def names(fates: Sequence[Fate]) -> str:
    """All names with what became of their photos, the most changed first, to search in."""
    fates = [f for f in fates if f.identity]
    rows = [
        [f.identity, f.came, f.stayed, f.left, f.joined, f.gone, ", ".join(f"{r} {n}" for r, n in f.removed.items())]
        for f in fates[:LISTED]
    ]
    data = json.dumps(rows, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    more = f" The {LISTED:,} most changed of {len(fates):,} are listed." if len(fates) > LISTED else ""
    head = "".join(
        f"<th scope=col{' class=n' if 0 < i < 6 else ''}>{h}</th>"
        for i, h in enumerate(("name", "came", "stayed", "to another", "from others", "removed", "why"))
    )
    return (
        f"<p>The most changed first.{more}</p><div class=controls><label>Name contains"
        '<input id="identity" type="search" autocomplete="off"></label><output id="hits" class="soft"></output></div>'
        f'<div class="scroll" tabindex="0"><table><thead><tr>{head}</tr></thead><tbody id="found"></tbody>'
        f'</table></div><script type="application/json" id="identities">{data}</script>'
    )


def reasons(flow: dict[tuple[str, str, str], int]) -> str:
    """Where photos went, as a table with the meaning of each reason."""
    total = max(1, sum(flow.values()))
    rows = [
        (source, fate, reason, MEANING.get(reason, "") if fate == "removed" else "", n, f"{n / total:.1%}")
        for (source, fate, reason), n in flow.items()
    ]
    return table(("source", "photos", "reason", "meaning", "how many", "share"), rows)
