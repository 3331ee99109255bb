"""`refinery export`: writes the refined data set for trainers, with its data card and lists of what was changed."""

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
    """The data set that was written: its format, its folder, and its number of photos."""

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

    A data card (README.md) and lists of what was changed are written with it; lists can be published without photos.
    """
    if format not in formats.FORMATS or layout not in formats.LAYOUTS:
        known = f"{', '.join(formats.FORMATS)}, and of {', '.join(formats.LAYOUTS)}"
        raise UserError(f"--format {format} --layout {layout}: give one of {known}")
    current = refinement.latest(root)
    by_label = format == "folder" or (format == "recordio" and layout == "identity_ranges")
    order, pool = "label" if by_label else "shuffle", parse_workers(workers)
    identities = shuffle.identities(root, current.labels, workers=pool)
    table = shuffle.refined(root, current.labels, current.faces, identities, order=order, seed=seed, workers=pool)
    command = f"refinery export ROOT --out OUT --format {format}"
    command += f" --layout {layout}" if format == "recordio" else "" if by_label else f" --seed {seed}"
    review = summarize_review(root)
    card = partial(write_card, current, review=review, photos=len(table), identities=len(identities), command=command)
    photos = formats.export(table, identities, out, format=format, layout=layout, card=card)
    return ExportResult(format, str(out), photos)
