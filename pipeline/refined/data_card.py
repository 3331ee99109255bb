"""The data card of an export: what it is made of, what went and why, who decided, what it is not; and the change as a
list, so that it can be published without the photos.

Nothing in it says where files lie or when it was written: the same refinement gives the same card. Groups and the
names of annotators stay behind.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.refined.review_summary import ReviewSummary
from pipeline.refined.threshold_table import COLUMNS, EXPLANATION, threshold_tables
from pipeline.refinement import Refinement
from pipeline.tables.table import Table

FOLDER = "_changes"  # readers of a folder of Parquet pass over names that begin so
WHERE = [("source", pa.string()), ("key", pa.string()), ("claimed", pa.string())]
REMOVED = pa.schema([*WHERE, ("reason", pa.string()), ("score", pa.float32())])
RENAMED = pa.schema([*WHERE, ("identity", pa.string()), ("reason", pa.string()), ("score", pa.float32())])
CHANGES = {"removed": REMOVED, "renamed": RENAMED}
MEANING = {
    "unreadable": "no picture: empty, cut short, a web page",
    "no_face": "no face found",
    "poor": "a face of a few pixels",
    "outlier": "not the person of this name",
    "mixed": "under a name in which no two faces agree",
    "misplaced": "found to be another person, who is not kept either",
    "duplicate": "the same picture again",
    "conflict": "the same picture under two names",
    "overlap": "the person, or the picture, is in a test set",
    "too_few": "too few photos of its identity are left",
    "unnamed": "the source says nothing about who it is",
}
LIMITS = """\
* Whom the models cannot tell apart, this data set does not tell apart: what they were trained on, they carry over.
* Thresholds are false accept rates over all people together. Where a model confuses faces of one group more than of
  another, more of their noise is left, and more of their photos were taken out.
* Identities are names that the sources gave; whether a name is right was not asked, only whether its photos show one
  person.
* Photos of people are personal data: the sources' terms, and the law where you are, hold for this selection too."""


def write_card(
    done: Refinement, folder: Path, *, review: ReviewSummary, photos: int, identities: int, command: str
) -> None:
    """README.md, _changes/removed.parquet and _changes/renamed.parquet in an export's folder.

    review: what people decided; photos, identities: how many were exported; command: the one that made the export,
    without its paths.
    """
    (folder / FOLDER).mkdir()
    _changes(done, folder / FOLDER)
    (folder / "README.md").write_text(
        card(done, review, photos=photos, identities=identities, command=command), "utf-8"
    )


def card(done: Refinement, review: ReviewSummary, *, photos: int, identities: int, command: str) -> str:
    """The card's text (Markdown)."""
    came = f"{done.account.ingested:,} photos under {done.account.identities_claimed:,} names"
    lists = (f"`{FOLDER}/{name}.parquet` ({', '.join(s.names)})" for name, s in CHANGES.items())
    decided = list(_decisions(done, review))
    parts = [
        f"# {' + '.join(done.options.sources) or 'Faces'}, refined\n",
        f"{photos:,} aligned faces (112x112) of {identities:,} identities, out of {came}.\n",
        "## Sources\n\n" + _table(("source", "kind", "passed over"), _sources(done)),
        "## Where every photo went\n\n" + _table(("what", "photos", "share", "meaning"), _account(done)),
        "## Models\n\n" + _table(("what", "SHA-256 of the file", "mirrored"), _models(done)),
        "## Thresholds\n\n" + _thresholds(done),
        "## Decisions\n\n" + _table(("finding", "decided by", "yes", "no", "unsure"), decided),
        f"## Known limits\n\n{_left(done, review, undecided=sum(row[-1] for row in decided))}\n{LIMITS}\n",
        f"## The change as a list\n\n{' and '.join(lists)}: applied to the sources, they give this data set.\n",
        f"## To make it again\n\n```bash\n{_command(done)}\n{command}\n```\n",
    ]
    return "\n".join(parts)


def _changes(done: Refinement, folder: Path) -> None:
    labels, photos = done.labels, done.photos
    with (
        pq.ParquetWriter(folder / "removed.parquet", REMOVED, compression="zstd") as removed,
        pq.ParquetWriter(folder / "renamed.parquet", RENAMED, compression="zstd") as renamed,
    ):
        for rows, source in zip(labels.batches(), photos.batches(["source"]), strict=True):
            rows = rows.append_column("source", source["source"])
            gone = rows["identity"].is_null()
            moved = pc.and_(pc.invert(gone), pc.not_equal(rows["identity"], rows["claimed"]))
            removed.write_table(rows.filter(gone).select(REMOVED.names))
            renamed.write_table(rows.filter(moved.fill_null(False)).select(RENAMED.names))


def _table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join("| " + " | ".join(str(c).replace("|", "\\|") for c in line) + " |\n" for line in lines)


def _sources(done: Refinement) -> Iterator[tuple[object, ...]]:
    for name, (kind, _) in done.options.sources.items():
        ignored = done.options.ignored.get(name, {})
        yield name, kind, ", ".join(f"{n} {reason}" for reason, n in ignored.items()) or "nothing"


def _account(done: Refinement) -> Iterator[tuple[object, ...]]:
    a, of = done.account, max(1, done.account.ingested)
    yield "kept", a.kept, f"{a.kept / of:.1%}", f"{a.moved} of them under another name than claimed"
    for reason, n in sorted(a.removed.items()):
        yield f"removed: {reason}", n, f"{n / of:.1%}", MEANING.get(reason, "")
    yield "ingested", a.ingested, "100.0%", ""


def _models(done: Refinement) -> Iterator[tuple[object, ...]]:
    if "detector" in (made := _params(done.faces)):
        aligned = " (faces came aligned)" if done.options.aligned else ""
        yield f"detector{aligned}", f"`{_word(made['detector'], 1)}`", ""
    for i, table in enumerate(done.embeddings):
        name = _params(table).get("embedder")
        yield "second embedder" if i else "embedder", f"`{_word(name, 1)}`", _word(name, 2)


def _params(table: Table) -> Mapping[str, Any]:
    found: Mapping[str, Any] = table.manifest["params"]
    return found


def _word(name: object, i: int) -> str:
    """A part of what names a model: its kind, its digest, the flip."""
    return str(name[i]) if isinstance(name, list) and len(name) > i else str(name)


def _thresholds(done: Refinement) -> str:
    tables = threshold_tables(done.thresholds, done.options.rules)
    findings, grouping = (_table(COLUMNS, rows) for rows in tables)
    return (
        f"{EXPLANATION}\n\nWhat decides about findings:\n\n{findings}\n"
        f"What groups the faces of an identity into persons, before there are findings:\n\n{grouping}"
    )


def _decisions(done: Refinement, review: ReviewSummary) -> Iterator[tuple[str, str, int, int, int]]:
    """How many of each kind were decided how, by the machine's policy, by people, and by lists."""
    others = {"list": "a list", "truth": "the known truth"}
    counts: Counter[tuple[str, str, str]] = Counter()
    tables = (done.judged_findings.batches(["kind"]), done.decisions.batches(["verdict", "who"]))
    for kinds, said in zip(*tables, strict=True):
        for kind, verdict, who in zip(
            kinds["kind"].to_pylist(), *(said[c].to_pylist() for c in ("verdict", "who")), strict=True
        ):
            by = "policy" if who == "policy" else others.get(review.sources.get(who, ""), "people")
            counts[kind, by, verdict] += 1
    for kind, by in sorted({(k, b) for k, b, _ in counts}):
        yield kind, by, counts[kind, by, "yes"], counts[kind, by, "no"], counts[kind, by, "unsure"]


def _left(done: Refinement, review: ReviewSummary, *, undecided: int) -> str:
    """What is undecided, and what the audit says of the noise that is left."""
    words = {"keep": "stay", "drop": "went"}[done.options.undecided]
    lines = [f"* {undecided:,} findings were for people to decide on and nobody did: their photos {words}."]
    noise = review.noise
    if noise is None:
        return "\n".join([*lines, "* How much noise is left was not audited by people."])
    text = f"{noise.wrong} of {noise.judged} kept photos, drawn at random, were judged wrong by people"
    return "\n".join([*lines, f"* {text}: {noise.low:.2%} to {noise.high:.2%} of the kept photos (95%)."])


def _command(done: Refinement) -> str:
    given = done.options
    words = [f"{kind} {name}={name.upper()}_PATH" for name, (kind, _) in given.sources.items()]
    options = [f"--min-faces {given.min_faces}", f"--undecided {given.undecided}"]
    options += ["--aligned"] if given.aligned else []
    options += [f"--test-set {name}" for name in given.test_sets]
    second = len(done.embeddings) > 1
    flip = _word(_params(done.embeddings[0]).get("embedder"), 2) if done.embeddings else "none"
    options += [f"--flip {flip}"] if flip != "none" else []
    models = "--detector DETECTOR --embedder EMBEDDER" + (" --second-embedder SECOND" if second else "")
    ledger = "# put the ledger in ROOT/ledger first: people's decisions are part of it\n"
    heard = ledger if done.answers else ""
    return f"{heard}refinery refine {' '.join(words)} --root ROOT {models} {' '.join(options)}"
