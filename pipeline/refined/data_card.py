"""The data card of an export (README.md): sources, counts by reason, models, thresholds, decisions, known limits.

The same refinement gives the same card on the same day, byte by byte: there are no paths in it, and no groups of
identities nor names of annotators. The day is that of SOURCE_DATE_EPOCH where it is set (reproducible-builds.org).
"""

import os
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipeline.refined import change_lists, reasons
from pipeline.refined.export import CARD
from pipeline.refined.review_summary import ReviewSummary, noise_left
from pipeline.refined.threshold_table import COLUMNS, EXPLANATION, refinement_thresholds
from pipeline.refinement import Refinement
from pipeline.tables.table import Table

MODEL_BIAS = (
    "People whom the models cannot distinguish, this data set does not separate either: it inherits the bias of what "
    "the models were trained on."
)
FOR_ALL = (
    "Thresholds are false accept rates over all people together. Where a model confuses the faces of one group more "
    "than those of another, more of that group's noise is left, and more of its photos were removed."
)
UNCHECKED_NAMES = (
    "Identities are names that the sources claim. Whether a name is right was not checked, only whether its photos "
    "show one person."
)
# groups of people are private: none is named here, nor is their number
BY_GROUP = (
    "Thresholds are false accept rates within groups of people, as far as a group had enough photos, else over all "
    "people together. Faces that a model confuses within a group are still harder to tell apart."
)
PERSONAL = (
    "Photos of people are personal data: the terms of the sources and the law of your country hold for this data set."
)
LICENCE_UNKNOWN = "Not stated. The terms of the sources hold; who publishes this data set states its licence."


def write_card(
    refinement: Refinement,
    folder: Path,
    *,
    review: ReviewSummary,
    photos: int,
    identities: int,
    command: str,
    licence: str = "",
) -> None:
    """Write the data card (README.md) and the lists of changes to the folder of an export.

    photos, identities: the numbers exported; command: the command that made the export, with ROOT and OUT for paths;
    licence: of the data set, as the user states it; "" where it is not known.
    """
    change_lists.write_change_lists(refinement, folder)
    text = card_text(refinement, review, photos=photos, identities=identities, command=command, licence=licence)
    (folder / CARD).write_text(text, "utf-8")


def card_text(
    refinement: Refinement,
    review: ReviewSummary,
    *,
    photos: int,
    identities: int,
    command: str,
    licence: str = "",
) -> str:
    """The text of the data card, in Markdown; arguments as for write_card()."""
    lists = (f"`{change_lists.FOLDER}/{n}` ({', '.join(s.names)})" for n, s in change_lists.LISTS.items())
    decisions = list(_decisions(refinement, review))
    exported = f"Exported on {today()} by refinery {version('face-refinery')}."
    limits = (MODEL_BIAS, threshold_limit(refinement), UNCHECKED_NAMES, PERSONAL)
    patch = f"`{change_lists.FOLDER}/{change_lists.PATCH_FILE}` has every photo, for other copies of the sources: "
    patch += "`refinery patch apply ROOT PATCH`."
    applied = "as .parquet and as .tsv: applied to the sources, they give this data set."
    parts = [
        f"# {title(refinement)}\n",
        f"{summary(refinement, photos=photos, identities=identities)}\n\n{exported}\n",
        f"## Licence\n\n{licence or LICENCE_UNKNOWN}\n",
        "## Sources\n\n" + _table(("source", "kind", "files that are not photos"), _sources(refinement)),
        "## Where every photo went\n\n" + _table(("outcome", "photos", "share", "meaning"), _account(refinement)),
        "## Models\n\n" + _table(("model", "file", "SHA-256", "mirrored face"), _models(refinement)),
        "## Thresholds\n\n" + _thresholds(refinement),
        "## Decisions\n\n" + _table(("kind of finding", "decided by", "yes", "no", "unsure"), decisions),
        f"## Known limits\n\n{_list([*noise_left(refinement, review), *limits])}",
        f"## The change as lists\n\n{' and '.join(lists)}, {applied}\n{patch}\n",
        f"## To make it again\n\n```bash\n{_refine_command(refinement)}\n{command}\n```\n",
    ]
    return "\n".join(parts)


def title(refinement: Refinement) -> str:
    """The name of the refined data set: those of its sources."""
    return f"{' + '.join(refinement.options.sources) or 'Faces'}, refined"


def summary(refinement: Refinement, *, photos: int, identities: int) -> str:
    """One line that says how many faces of how many identities were taken out of how many photos."""
    account = refinement.account
    claimed = f"{account.ingested:,} photos of {account.identities_claimed:,} claimed identities"
    return f"{photos:,} aligned faces (112x112) of {identities:,} identities, out of {claimed}."


def threshold_limit(refinement: Refinement) -> str:
    """What the thresholds do not do for groups of people; if calibrated by group, no group's name."""
    return FOR_ALL if refinement.groups is None else BY_GROUP


def _list(lines: Iterable[str]) -> str:
    return "".join(f"* {line}\n" for line in lines)


def _table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def _sources(refinement: Refinement) -> Iterator[tuple[object, ...]]:
    for name, (kind, _) in refinement.options.sources.items():
        ignored = refinement.options.ignored.get(name, {})
        yield name, kind, ", ".join(f"{n} {reason}" for reason, n in ignored.items()) or "none"


def _account(refinement: Refinement) -> Iterator[tuple[object, ...]]:
    account, ingested = refinement.account, max(1, refinement.account.ingested)
    relabelled = f"{account.moved} of them relabelled as another identity than claimed"
    yield "kept", account.kept, f"{account.kept / ingested:.1%}", relabelled
    for reason, n in sorted(account.removed.items()):
        yield f"removed: {reason}", n, f"{n / ingested:.1%}", reasons.REMOVED.get(reason, "")
    yield "ingested", account.ingested, "100.0%", ""


def _models(refinement: Refinement) -> Iterator[tuple[str, str, str, str]]:
    detector, *embedders = _model_files(refinement)
    if "detector" in (params := _params(refinement.faces)):
        aligned = " (photos came aligned)" if refinement.options.aligned else ""
        yield f"detector{aligned}", detector, f"`{_part_of_name(params['detector'], 1)}`", ""
    for i, (table, file) in enumerate(zip(refinement.embeddings, embedders, strict=True)):
        name = _params(table).get("embedder")
        yield "second embedder" if i else "embedder", file, f"`{_part_of_name(name, 1)}`", _part_of_name(name, 2)


def model_lines(refinement: Refinement) -> list[str]:
    """A line for each model: its part, its file, and the SHA-256 of the file."""
    return [f"{part}: {file} ({digest.strip('`')})" for part, file, digest, _ in _models(refinement)]


def _model_files(refinement: Refinement) -> list[str]:
    """The names of the files of the detector and of each embedder; placeholders where they were not recorded."""
    names = [Path(file).name for file in refinement.options.models]
    unknown = ["DETECTOR", "EMBEDDER", "SECOND"][: 1 + len(refinement.embeddings)]
    return names if len(names) == len(unknown) else unknown


def today() -> str:
    """The day in UTC, or the one that SOURCE_DATE_EPOCH gives in seconds."""
    seconds = os.environ.get("SOURCE_DATE_EPOCH", "")
    now = datetime.fromtimestamp(int(seconds), UTC) if seconds.isdecimal() else datetime.now(UTC)
    return now.date().isoformat()


def _params(table: Table) -> Mapping[str, Any]:
    """The parameters that a table was built with."""
    params: Mapping[str, Any] = table.manifest["params"]
    return params


def _part_of_name(name: object, i: int) -> str:
    """A part of a model's name in a table's parameters: 0 its kind, 1 its digest, 2 how its mirrored face is used."""
    return str(name[i]) if isinstance(name, list) and len(name) > i else str(name)


def _thresholds(refinement: Refinement) -> str:
    tables = refinement_thresholds(refinement)
    findings, grouping = (_table(COLUMNS, rows) for rows in tables)
    return (
        f"{EXPLANATION}\n\nThresholds that decide about findings:\n\n{findings}\n"
        f"Rules by which the faces of an identity are clustered, before there are findings:\n\n{grouping}"
    )


def _decisions(refinement: Refinement, review: ReviewSummary) -> Iterator[tuple[str, str, int, int, int]]:
    """Rows of kind of finding, who decided (policy, people, a list), and the numbers of yes, no and unsure."""
    counts: Counter[tuple[str, str, str]] = Counter()
    findings = refinement.judged_findings.batches(["kind"])
    for kinds, decisions in zip(findings, refinement.decisions.batches(["verdict", "who"]), strict=True):
        columns = (kinds["kind"], decisions["verdict"], decisions["who"])
        for kind, verdict, who in zip(*(column.to_pylist() for column in columns), strict=True):
            counts[kind, review.decided_by(who), verdict] += 1
    for kind, by in sorted({(kind, by) for kind, by, _ in counts}):
        yield kind, by, counts[kind, by, "yes"], counts[kind, by, "no"], counts[kind, by, "unsure"]


def _named_path(name: str, path: str) -> str:
    """A source as it is typed: the last part of its path, with its name before it where that is another."""
    last = Path(path).name
    return last if last == name else f"{name}={last}"


def _refine_command(refinement: Refinement) -> str:
    """The command that makes the refinement again; of paths only the last part, the rest is not for publishing."""
    options = refinement.options
    sources = [f"{kind} {shlex.quote(_named_path(name, path))}" for name, (kind, path) in options.sources.items()]
    words = [f"--min-faces {options.min_faces}", f"--undecided {options.undecided}"]
    words += ["--aligned"] if options.aligned else []
    words += ["--follow-links"] if options.follow_links else []
    words += [f"--identity-level {options.identity_level}"] if options.identity_level else []
    words += [f"--boxes {shlex.quote(name)}" for name in options.boxes]
    words += [f"--test-set {shlex.quote(name)}" for name in options.test_sets]
    embedders = refinement.embeddings
    flip = _part_of_name(_params(embedders[0]).get("embedder"), 2) if embedders else "none"
    words += [f"--flip {flip}"] if flip != "none" else []
    named = zip(("detector", "embedder", "second-embedder"), _model_files(refinement), strict=False)
    models = " ".join(f"--{option} {shlex.quote(file)}" for option, file in named)
    ledger = "# put the ledger into ROOT/ledger first: people's decisions are part of this data set\n"
    return f"{ledger if refinement.answers else ''}refinery refine ROOT {' '.join(sources)} {models} {' '.join(words)}"
