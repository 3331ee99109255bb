"""The report's tables of photos: by source and reason, and by identity with a search."""

import json
from collections.abc import Mapping, Sequence

from pipeline.json_values import finite_or_null
from pipeline.refined import reasons
from pipeline.report.counts import RELABELLED, REMOVED, IdentityCounts
from pipeline.report.html.page import table
from pipeline.report.photo_fates import PhotoFate

LISTED = 20000  # identities in the page's table, the most changed first; they take a megabyte
HEAD = ("identity", "photos", "kept", "relabelled as others", "relabelled as this one", "removed", "why removed")
MEANINGS: Mapping[str, Mapping[str, str]] = {REMOVED: reasons.REMOVED, RELABELLED: reasons.RELABELLED}


def reason_table(flow: Mapping[tuple[str, str, str], int]) -> str:
    """HTML table of photos by source, fate and reason; flow: see counts.Counts."""
    total = max(1, sum(flow.values()))
    rows = [
        (source, fate, reason, MEANINGS.get(fate, {}).get(reason, ""), n, f"{n / total:.1%}")
        for (source, fate, reason), n in flow.items()
    ]
    return table(("source", "outcome", "reason", "meaning", "photos", "share"), rows)


def identity_table(identities: Sequence[IdentityCounts], fates: Mapping[str, Sequence[PhotoFate]]) -> str:
    """HTML table of the counts of each identity, the most changed first, with a search field.

    The page holds the rows as JSON, and its script fills the table. fates: of the photos of some identities, which are
    listed when the identity is chosen.
    """
    named = [i for i in identities if i.identity]
    rows = [
        [
            i.identity,
            i.claimed,
            i.kept,
            i.relabelled_to_others,
            i.relabelled_from_others,
            i.removed,
            ", ".join(f"{reason} {n}" for reason, n in i.removed_by_reason.items()),
        ]
        for i in named[:LISTED]
    ]
    data, photos = _json(rows), _json({name: [list(fate) for fate in listed] for name, listed in fates.items()})
    more = f" The {LISTED:,} most changed of {len(named):,} are listed." if len(named) > LISTED else ""
    head = "".join(
        f"<th scope=col{' class=n' if 0 < i < len(HEAD) - 1 else ''}>{heading}</th>" for i, heading in enumerate(HEAD)
    )
    return (
        f"<p>The most changed first.{more} A click on an identity lists its photos.</p>"
        '<div class=controls><label>Identity contains<input id="identity" type="search" autocomplete="off">'
        '</label><output id="hits" class="soft"></output></div>'
        f'<div class="scroll" tabindex="0"><table><thead><tr>{head}</tr></thead><tbody id="identity-rows"></tbody>'
        f'</table></div><div id="identity-photos" aria-live="polite"></div>'
        f'<script type="application/json" id="identities">{data}</script>'
        f'<script type="application/json" id="fates">{photos}</script>'
    )


def _json(value: object) -> str:
    """A value as JSON that may stand in a script element."""
    text = json.dumps(finite_or_null(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")
