"""`refinery export`: the refined data set, as a trainer reads it, with its data card and the change as lists."""

from dataclasses import dataclass
from functools import partial
from typing import Annotated

import typer

from flows.cli.options import DaskWorkers, Format, OutFolder, Root, Seed
from flows.cli.result import Result
from flows.cli.sizes import parse_workers
from pipeline import refinement
from pipeline.errors import UserError
from pipeline.refined import export as formats
from pipeline.refined import shuffle
from pipeline.refined.data_card import write_card
from pipeline.review.summary import summarize_review


@dataclass(frozen=True)
class ExportResult(Result):
    """A data set that was written: its format, its folder, and its photos."""

    format: str
    folder: str
    photos: int

    def lines(self) -> list[str]:
        """One line for people."""
        return [f"{self.format} data set of {self.photos} photos: {self.folder}"]


def export(
    root: Root,
    out: OutFolder,
    *,
    format: Format = "parquet",
    layout: Annotated[str, typer.Option(help="Of recordio: identity_ranges (classic) or plain.")] = "identity_ranges",
    seed: Seed = 0,
    workers: DaskWorkers = "",
) -> ExportResult:
    """Write the refined data set as Parquet (shuffled), InsightFace RecordIO or folders of faces; OUT must be new.

    With it come its data card (README.md) and what was changed, as lists that can be published without the photos.
    """
    if format not in formats.FORMATS or layout not in formats.LAYOUTS:
        known = f"{', '.join(formats.FORMATS)}, and of {', '.join(formats.LAYOUTS)}"
        raise UserError(f"--format {format} --layout {layout}: give one of {known}")
    current = refinement.latest(root)
    by_label = format == "folder" or (format == "recordio" and layout == "identity_ranges")
    order, pool = "label" if by_label else "shuffle", parse_workers(workers)
    names = shuffle.identities(root, current.labels, workers=pool)
    table = shuffle.refined(root, current.labels, current.faces, names, order=order, seed=seed, workers=pool)
    again = f"refinery export ROOT --out OUT --format {format}"
    again += f" --layout {layout}" if format == "recordio" else "" if by_label else f" --seed {seed}"
    review = summarize_review(root)
    card = partial(write_card, current, review=review, photos=len(table), identities=len(names), command=again)
    photos = formats.export(table, names, out, format=format, layout=layout, card=card)
    return ExportResult(format, str(out), photos)
