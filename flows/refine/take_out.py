"""What is taken out of a finished refinement: the labels, the data set, and the files no one needs any more."""

import csv
import re
from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.cli.result import Result
from pipeline import refinement
from pipeline.errors import UserError
from pipeline.refined import export as exports
from pipeline.refined import shuffle
from pipeline.refined.data_card import write_card
from pipeline.review.summary import summarize_review
from pipeline.root_lock import root_lock
from pipeline.tables import storage

Root = Annotated[str, typer.Argument(metavar="ROOT", help="Where the refinement's tables lie: a folder, s3://, gs://.")]
COLUMNS = ("key", "claimed", "identity", "reason", "score")


@dataclass(frozen=True)
class Taken(Result):
    """What was written, and where."""

    what: str
    where: str
    photos: int

    def lines(self) -> list[str]:
        """One line for people."""
        return [f"{self.what}: {self.photos} photos in {self.where}"]


@dataclass(frozen=True)
class Cleaned(Result):
    """Files that no refinement refers to, by table, and whether they were removed."""

    removed: bool
    files: dict[str, int]
    bytes: int

    def rows(self) -> list[dict[str, Any]]:
        """Files by table."""
        return [{"table": name, "files": n} for name, n in self.files.items()]

    def lines(self) -> list[str]:
        """One line for people."""
        done = "removed" if self.removed else "would be removed"
        return [f"{sum(self.files.values())} files, {self.bytes / 1e6:.1f} MB {done}"]


def labels(root: Root, out: Annotated[Path, typer.Argument(metavar="OUT.tsv", help="The file to write.")]) -> Taken:
    """Write one row for every photo: key, claimed, identity (empty: removed), reason, score."""
    table = refinement.latest(root).labels
    temporary = out.with_name(f".{out.name}.tmp")
    try:
        with open(temporary, "w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream, delimiter="\t", lineterminator="\n")
            writer.writerow(COLUMNS)
            for rows in table.batches(COLUMNS):
                *words, score = (rows[c].to_pylist() for c in COLUMNS)
                writer.writerows(zip(*words, ("" if s is None else f"{s:.4f}" for s in score), strict=True))
        temporary.replace(out)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise UserError(
            f"cannot write {out} ({error.strerror or error}): give a file in a folder that exists"
        ) from None
    return Taken("labels", str(out), len(table))


def export(
    root: Root,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new or empty folder.")],
    format: Annotated[str, typer.Option(help="parquet, recordio or folder.")] = "parquet",
    layout: Annotated[str, typer.Option(help="Of recordio: identity_ranges (classic) or plain.")] = "identity_ranges",
    seed: Annotated[int, typer.Option(help="Of the shuffle of parquet and of plain recordio.")] = 0,
    workers: Annotated[str, typer.Option(help="Processes, or the address of a Dask scheduler; default: threads.")] = "",
) -> Taken:
    """Write the refined data set as Parquet (shuffled), InsightFace RecordIO or folders of faces."""
    if format not in exports.FORMATS or layout not in exports.LAYOUTS:
        known = f"{', '.join(exports.FORMATS)}, and of {', '.join(exports.LAYOUTS)}"
        raise UserError(f"--format {format} --layout {layout}: give one of {known}")
    done = refinement.latest(root)
    by_label = format == "folder" or (format == "recordio" and layout == "identity_ranges")
    many = parse_workers(workers)
    who = shuffle.identities(root, done.labels, workers=many)
    table = shuffle.refined(
        root, done.labels, done.faces, who, order="label" if by_label else "shuffle", seed=seed, workers=many
    )
    again = f"refinery export ROOT OUT --format {format}"
    again += f" --layout {layout}" if format == "recordio" else "" if by_label else f" --seed {seed}"
    review = summarize_review(root)
    card = partial(write_card, done, review=review, photos=len(table), identities=len(who), command=again)
    photos = exports.export(table, who, out, format=format, layout=layout, card=card)
    return Taken(f"{format} data set", str(out), photos)


def clean(
    root: Root,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list.")] = False,
    min_age: Annotated[float, typer.Option(help="Minutes; younger files may belong to a run that goes on.")] = 60.0,
) -> Cleaned:
    """List and remove the tables that nothing finished in the root refers to."""
    refinement.latest(root)  # where there is none, no lock is made either
    with nullcontext() if dry_run else root_lock(root):  # a long run's first shards are older than any age given here
        found = refinement.unreferenced(root, min_age=timedelta(minutes=min_age))
        if not dry_run:
            for name in found:
                storage.remove(root, name)
    by_table = Counter(name.split("/", 1)[0] for name in found)
    return Cleaned(not dry_run, dict(sorted(by_table.items())), sum(found.values()))


def parse_workers(text: str) -> int | str | None:
    """Dask workers as the command line gives them: nothing, a number of processes, or an address."""
    if not text:
        return None
    if text.isdigit() and int(text) > 0:
        return int(text)
    if "://" in text:
        return text
    raise UserError(f"--workers {text}: give a number of processes, or an address like tcp://127.0.0.1:8786")


def parse_memory(text: str) -> int | None:
    """Bytes of a size as the command line gives it, 8GB or 500MB; nothing: as much as it takes."""
    if not text:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?([KMGT])B?", text.strip().upper(), re.ASCII)
    if found is None or float(found[1]) == 0:
        raise UserError(f"--memory {text}: give a size like 8GB or 500MB")
    return int(float(found[1]) * 1000 ** ("KMGT".index(found[2]) + 1))
