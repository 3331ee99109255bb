"""`refinery export`: writes the refined data set for trainers, with its data card and lists of what was changed."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.options import DaskWorkers, Format, OutFolder, Root, Seed
from flows.cli.result import Result
from flows.cli.sizes import parse_shard_size, parse_workers
from pipeline import refinement
from pipeline.errors import UserError
from pipeline.refined import export as formats
from pipeline.refined import shuffle
from pipeline.refined.data_card import write_card
from pipeline.refined.formats.hub_card import add_hub_files
from pipeline.review.summary import summarize_review

LICENCE = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9.+-]*|https?://[^\s\"'<>]+)?")


@dataclass(frozen=True)
class ExportResult(Result):
    """The data set that was written: its format, its folder, and its numbers of photos, identities and files."""

    format: str
    folder: str
    photos: int
    identities: int

    def lines(self) -> list[str]:
        """One line for people."""
        return [f"{self.format} data set of {self.photos} photos of {self.identities} identities: {self.folder}"]


def export(
    root: Root,
    out: OutFolder,
    *,
    format: Format = "parquet",
    layout: Annotated[str, typer.Option(help="Of recordio: identity_ranges (classic) or plain.")] = "identity_ranges",
    shard_size: Annotated[
        str, typer.Option(help="Of huggingface and webdataset: the size of a file, as photos (10000) or as bytes (1GB).")
    ] = "100MB",
    licence: Annotated[
        str,
        typer.Option(help="Licence of the photos for the data card: an identifier (cc-by-nc-4.0) or the text's address."),
    ] = "",
    seed: Seed = 0,
    workers: DaskWorkers = "",
) -> ExportResult:
    """Write the refined data set as Parquet (shuffled), InsightFace RecordIO or folders of faces; OUT must be new.

    Or for the Hugging Face hub, as WebDataset, or for FiftyOne, which shows the removed photos as well. A data card
    (README.md) and lists of what was changed are written with it; lists can be published without photos.
    """
    if format not in formats.FORMATS or layout not in formats.LAYOUTS:
        known = f"{', '.join(formats.FORMATS)}, and of {', '.join(formats.LAYOUTS)}"
        raise UserError(f"--format {format} --layout {layout}: give one of {known}")
    if not LICENCE.fullmatch(licence):
        raise UserError(f"--licence {licence}: give an identifier like cc-by-nc-4.0, or the address of its text")
    size, pool = parse_shard_size(shard_size), parse_workers(workers)
    current = refinement.latest(root)
    identities = shuffle.identities(root, current.labels, workers=pool)
    by_label = format == "folder" or (format == "recordio" and layout == "identity_ranges")
    order = "label" if by_label else "shuffle"
    table = shuffle.refined(root, current.labels, current.faces, identities, order=order, seed=seed, workers=pool)
    command = _command(format, layout if format == "recordio" else "", None if by_label else seed)
    command += f" --shard-size {shard_size}" if format in formats.SHARDED else ""
    command += f" --licence {licence}" if licence else ""
    card = _card(current, format, photos=len(table), identities=len(identities), command=command, licence=licence)
    photos = formats.export(table, identities, out, format=format, layout=layout, shard_size=size, card=card)
    return ExportResult(format, str(out), photos, len(identities))


def _command(format: str, layout: str, seed: int | None) -> str:
    """The command line of an export, with placeholders for paths."""
    command = f"refinery export ROOT --out OUT --format {format}"
    command += f" --layout {layout}" if layout else ""
    return command + ("" if seed is None else f" --seed {seed}")


def _card(
    current: refinement.Refinement, format: str, *, photos: int, identities: int, command: str, licence: str
) -> Callable[[Path, formats.Files], None]:
    """The function that writes the data card and what belongs to it, given a folder and its files of data."""
    review = summarize_review(current.root)

    def write(folder: Path, shards: formats.Files) -> None:
        write_card(
            current,
            folder,
            review=review,
            photos=photos,
            identities=identities,
            command=command,
            licence=licence,
        )
        if format == "huggingface":
            add_hub_files(current, folder, shards, review=review, identities=identities, licence=licence)

    return write
