"""`refinery export`: writes the refined data set for trainers, with its data card and lists of what was changed."""

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from flows.cli.options import DaskWorkers, Format, Licence, OutFolder, Root, Seed
from flows.cli.result import Result
from flows.cli.sizes import parse_shard_size, parse_workers
from pipeline import refinement
from pipeline.errors import UserError
from pipeline.refined import export as formats
from pipeline.refined import shuffle
from pipeline.refined.data_card import write_card
from pipeline.refined.finished_export import holds_export
from pipeline.refined.formats.hub_card import add_hub_files, check_licence
from pipeline.refined.review_summary import ReviewSummary
from pipeline.review.summary import summarize_review

READERS = {  # Python that opens a data set of formats made for one library
    "huggingface": 'datasets.load_dataset("{}")',
    "fiftyone": 'fiftyone.Dataset.from_dir("{}", dataset_type=fiftyone.types.LegacyFiftyOneDataset)',
}


@dataclass(frozen=True)
class ExportResult(Result):
    """The data set that was written: its format, its folder, its numbers of photos and identities.

    removed: removed photos by reason, where they were written as well; missing, hidden: see PhotoCounts; present: the
    folder held all of it already.
    """

    format: str
    folder: str
    photos: int
    identities: int
    removed: dict[str, int] = field(default_factory=dict)
    missing: int = 0
    hidden: int = 0
    licence: str = ""
    present: bool = False

    def lines(self) -> list[str]:
        """The account of the photos, and how to open what needs a word of explanation."""
        if self.present:
            what = f"this {self.format} data set of {self.photos} photos of {self.identities} identities"
            return [
                f"{self.folder} holds {what} already: nothing was written",
                f"to check its files: refinery verify {quote(self.folder)}",
            ]
        lines = [f"{self.format} data set of {self.photos} photos of {self.identities} identities: {self.folder}"]
        if self.format == "fiftyone":
            reasons = ", ".join(f"{n} {reason}" for reason, n in self.removed.items())
            lines.append(f"and of {sum(self.removed.values())} removed photos ({reasons or 'none'})")
        if self.missing:
            lines.append(f"{self.missing} photos have no box: their file is not where it was, or is no picture")
        if self.hidden:
            hidden = f"{self.hidden} removed photos are no sample: erased, or inside larger files and without a face"
            lines.append(f"{hidden}: _changes/removed.tsv lists them")
        if self.format == "huggingface" and not self.licence:
            lines.append("its licence is not stated: --licence states it")
        if self.format in READERS:
            lines.append(f"to open it in Python: {READERS[self.format].format(self.folder)}")
        return lines


def export(
    root: Root,
    out: OutFolder,
    *,
    format: Format = "parquet",
    layout: Annotated[str, typer.Option(help="Of recordio: identity_ranges (classic) or plain.")] = "identity_ranges",
    shard_size: Annotated[
        str,
        typer.Option(help="Of huggingface and webdataset: the size of a file, as photos (10000) or as bytes (1GB)."),
    ] = "100MB",
    licence: Licence = "",
    seed: Seed = 0,
    workers: DaskWorkers = "",
) -> ExportResult:
    """Write the refined data set to the new folder OUT, for training, for other libraries, or to look at.

    parquet (shuffled), recordio (InsightFace) and folder hold the faces to train on. huggingface is ready for an upload
    to the hub, webdataset holds .tar shards, fiftyone shows all photos, removed ones too, where they lie. A data card
    (README.md) and lists of what was changed are written with each; the lists can be published without photos.
    """
    if format not in formats.FORMATS or layout not in formats.LAYOUTS:
        known = f"{', '.join(formats.FORMATS)}, and of {', '.join(formats.LAYOUTS)}"
        raise UserError(f"--format {format} --layout {layout}: give one of {known}")
    check_licence(licence)
    size, pool = parse_shard_size(shard_size), parse_workers(workers)
    current = refinement.latest(root)
    identities = shuffle.identities(root, current.labels, workers=pool)
    by_label = format == "folder" or (format == "recordio" and layout == "identity_ranges")
    command = _command(
        format,
        layout=layout if format == "recordio" else "",
        seed="" if by_label or format == "fiftyone" else str(seed),
        shard_size=shard_size if format in formats.SHARDED else "",
        licence=licence,
    )
    review = summarize_review(root)
    card = partial(
        _write_beside,
        current,
        review=review,
        format=format,
        identities=len(identities),
        command=command,
        licence=licence,
    )
    if holds_export(Path(out), identities, card):
        return ExportResult(format, str(out), current.account.kept, len(identities), licence=licence, present=True)
    if format == "fiftyone":
        counts = formats.export_samples(current, identities, out, review=review, card=card)
        return ExportResult(format, str(out), counts.kept, len(identities), *counts[1:], licence=licence)
    order = "label" if by_label else "shuffle"
    table = shuffle.refined(root, current.labels, current.faces, identities, order=order, seed=seed, workers=pool)
    photos = formats.export(table, identities, out, format=format, layout=layout, shard_size=size, card=card)
    return ExportResult(format, str(out), photos, len(identities), licence=licence)


def _command(format: str, **options: str) -> str:
    """The command that makes an export again, with those of the options that have a value."""
    given = (f"--{name.replace('_', '-')} {value}" for name, value in options.items() if value)
    return " ".join([f"refinery export ROOT --out OUT --format {format}", *given])


def _write_beside(
    current: refinement.Refinement,
    folder: Path,
    shards: formats.Files,
    *,
    review: ReviewSummary,
    format: str,
    identities: int,
    command: str,
    licence: str,
) -> None:
    """Write the data card and what belongs to it beside the files of data in a folder."""
    photos = current.account.kept
    write_card(current, folder, review=review, photos=photos, identities=identities, command=command, licence=licence)
    if format == "huggingface":
        add_hub_files(current, folder, shards, review=review, identities=identities, licence=licence)
