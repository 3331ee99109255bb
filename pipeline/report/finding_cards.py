"""HTML of the cards of findings and of differences: faces side by side, the decision, and controls to filter cards."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import NamedTuple

from pipeline.refined import reasons
from pipeline.report.differences import Differences, Fates
from pipeline.report.face_sides import Side
from pipeline.report.gallery import Gallery, GalleryEntry
from pipeline.report.html.page import table
from pipeline.report.photos.shown_photos import ShownPhoto
from pipeline.report.photos.whole_photos import photo_script

ONE_REASON = (
    "A finding is about a photo, a person or a pair. Several may hold about one photo, which is removed or relabelled "
    "once: for the first of its reasons in the order of the outcomes above. So more may hold than decide."
)
VERDICTS = {"yes": "holds", "no": "does not hold", "unsure": "undecided"}


class Faces(NamedTuple):
    """The faces of the cards: their pictures as data addresses, and their photos, both by face_id."""

    pictures: Mapping[str, str]
    photos: Mapping[str, ShownPhoto]


def finding_section(gallery: Gallery) -> str:
    """HTML of a table of findings by kind and decision, and of cards of some findings of each kind."""
    known = list(reasons.FINDINGS)
    kinds = sorted({k for k, _ in gallery.counts}, key=lambda k: (known.index(k) if k in known else len(known), k))
    shown = Counter(e.kind for e in gallery.entries if is_pictured(e.sides, gallery.pictures))
    rows = [
        (
            kind,
            reasons.FINDINGS.get(kind, ""),
            *(gallery.counts.get((kind, v), 0) for v in VERDICTS),
            gallery.decided_photos.get(kind, 0),
            shown[kind],
        )
        for kind in kinds
    ]
    head = ("kind", "what the finding says", *VERDICTS.values(), "photos it decided", "shown below")
    entries = sorted(gallery.entries, key=lambda e: kinds.index(e.kind))
    controls = [select("kind", "Kind", {k: k for k in kinds}), select("verdict", "Decision", VERDICTS)]
    cards = (_finding_card(e, gallery) for e in entries)
    photos = photo_script(gallery.whole_photos)
    return f'{table(head, rows)}<p class="soft">{ONE_REASON}</p>{filtered_cards(controls, cards)}{photos}'


def doubtful_removals_section(gallery: Gallery) -> str:
    """HTML of the cards of removed photos that may be correct."""
    words = (
        f"About {gallery.expected_correct:,.1f} of the photos removed as outliers are expected to be correct, by the "
        "machine's own probabilities. Those with the least certain removals are shown; a review asks about them first."
    )
    cards = "".join(_finding_card(e, gallery) for e in gallery.doubtful_removals)
    cards = cards or '<li class="soft">No photo was removed as an outlier.</li>'
    return f'<p>{words}</p><ul class="cards">{cards}</ul>'


def difference_section(differences: Differences) -> str:
    """HTML of a table of the differences between two refinements, and of cards of some of the photos."""
    if not differences.in_both:
        return (
            "<p>A and B have no photo in common, so there is nothing to compare: photos are the same where the name of "
            "their source and their key are.</p>"
        )
    shown = Counter(e.fates for e in differences.entries if is_pictured(e.sides, differences.pictures))
    counts = table(
        ("in A", "in B", "photos", "shown below"), [(*fates, n, shown[fates]) for fates, n in differences.counts]
    )
    if not differences.entries:
        return counts
    kinds = list(dict.fromkeys(e.fates for e in differences.entries))
    cards = (
        card(
            {"kind": _fates_in_words(e.fates), "names": " ".join(e.names)},
            heading=f"in A {escape(e.fates[0])}, in B {escape(e.fates[1])}",
            sides=e.sides,
            names=e.names,
            faces=Faces(differences.pictures, differences.photos),
        )
        for e in sorted(differences.entries, key=lambda e: kinds.index(e.fates))
    )
    options = {_fates_in_words(k): _fates_in_words(k) for k in kinds}
    return counts + filtered_cards([select("kind", "In A / in B", options)], cards)


def _fates_in_words(fates: Fates) -> str:
    return f"{fates[0]} / {fates[1]}"


def select(name: str, label: str, options: Mapping[str, str]) -> str:
    """HTML of a control that filters cards by a property; options: the words for each value of the property."""
    choices = "".join(f'<option value="{escape(v)}">{escape(words)}</option>' for v, words in options.items())
    return f'<label>{label}<select id="{name}"><option value="">all</option>{choices}</select></label>'


def filtered_cards(controls: Iterable[str], cards: Iterable[str]) -> str:
    """HTML of cards below a search field and controls; the page's script hides the cards that do not match."""
    return (
        '<div class="controls"><label>Identity contains<input id="name" type="search" autocomplete="off"></label>'
        f'{"".join(controls)}<output id="shown" class="soft"></output></div>'
        f'<ul id="cards" class="cards">{"".join(cards)}</ul><button id="more" hidden></button>'
    )


def is_pictured(sides: Sequence[Side], pictures: Mapping[str, str]) -> bool:
    """Whether a face of a card is in the page; a card without faces counts, too."""
    faces = [face for side in sides for face in side.faces]
    return not faces or any(face in pictures for face in faces)


def _finding_card(entry: GalleryEntry, gallery: Gallery) -> str:
    by = "" if entry.verdict == "unsure" else f", by {entry.decided_by}"
    verdict = f'<span class="verdict {entry.verdict}">{VERDICTS[entry.verdict]}{by}</span>'
    return card(
        {"kind": entry.kind, "verdict": entry.verdict, "names": " ".join(entry.names)},
        heading=f"{escape(entry.kind)} {verdict}",
        sides=entry.sides,
        names=entry.names,
        evidence=entry.evidence,
        faces=Faces(gallery.pictures, gallery.photos),
    )


def card(
    properties: Mapping[str, str],
    *,
    heading: str,
    sides: Sequence[Side],
    names: Sequence[str],
    faces: Faces,
    evidence: str = "",
) -> str:
    """HTML of a card; properties: values by which cards are filtered; heading: HTML; evidence: text."""
    pictures = "".join(
        f'<div><div class="faces">{"".join(_face(f, side.caption, faces) for f in side.faces)}</div>'
        f'<span class="soft">{escape(side.caption)}</span></div>'
        for side in sides
    )
    firsts = dict.fromkeys(side.faces[0] for side in sides[:2] if side.faces)
    keys = "".join(f"<p><code>{escape(faces.photos[f].name)}</code></p>" for f in firsts if f in faces.photos)
    data = "".join(f' data-{name}="{escape(value)}"' for name, value in properties.items())
    return (
        f'<li{data}><h3>{heading}</h3><div class="sides">{pictures}</div><p>{escape(" · ".join(names))}</p>'
        f'{keys}<p class="soft">{escape(evidence)}</p></li>'
    )


def _face(face: str, caption: str, faces: Faces) -> str:
    """HTML of a face that is enlarged by a click, with the name and the file of its photo."""
    if face not in faces.pictures:
        return '<span class="none">not shown</span>'
    photo = faces.photos.get(face)
    data = f' data-photo="{escape(photo.name)}" data-file="{escape(photo.address)}" data-face="{face}"' if photo else ""
    picture = f'<img src="{faces.pictures[face]}" alt="face: {escape(caption)}" loading="lazy">'
    return f'<button class="face"{data}>{picture}</button>'
