"""`refinery benchmark upgrade`: whole refinements by this version of refinery and by another checkout, in turn."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer

import flows
from flows.benchmark.speed.checkouts import Cost, check_checkout, run_in_turn, speedup
from flows.benchmark.speed.varied_photos import (
    NO_NUMBERS,
    SourceKind,
    SourcePath,
    TotalPhotos,
    write_varied_photos,
)
from flows.cli.options import DaskWorkers, Detector, Embedder, SecondEmbedder, Turns
from flows.cli.result import Result
from flows.refine.tables import build_photos
from pipeline.errors import UserError
from pipeline.progress import stage_progress
from pipeline.sources.index import Source

THIS = Path(flows.__file__).parents[1]
WARM_UP_PHOTOS = 16  # with which both load models and compile their modules before the clock starts


@dataclass(frozen=True)
class UpgradeRates(Result):
    """What refinements of a number of photos cost this version and the other checkout in each turn."""

    checkout: str
    photos: list[int]
    ours: list[list[Cost]]
    theirs: list[list[Cost]]

    def rows(self) -> list[dict[str, Any]]:
        """A line for each number of photos: medians, and how much faster this version is."""
        return [
            {
                "photos": n,
                "turns": len(ours),
                "photos/s": f"{n / median(c.wall_s for c in ours):.1f}",
                "of the other": f"{n / median(c.wall_s for c in theirs):.1f}",
                "speed-up": str(speedup([c.wall_s for c in ours], [c.wall_s for c in theirs])),
                "CPU ms a photo": f"{1000 * median(c.cpu_s for c in ours) / n:.2f}",
                "of the other, too": f"{1000 * median(c.cpu_s for c in theirs) / n:.2f}",
                "CPU speed-up": str(speedup([c.cpu_s for c in ours], [c.cpu_s for c in theirs])),
            }
            for n, ours, theirs in zip(self.photos, self.ours, self.theirs, strict=True)
        ]

    def lines(self) -> list[str]:
        """What was compared."""
        return [
            f"beside {self.checkout}; a speed-up above 1: this version is faster; [ ]: 95% interval over the turns",
            "whole commands, start and imports included; the figures are medians, the speed-ups means of the turns",
        ]


def upgrade(
    checkout: Annotated[
        Path,
        typer.Argument(metavar="CHECKOUT", help="Folder of another version of refinery, like a git worktree."),
    ],
    kind: SourceKind,
    path: SourcePath,
    detector: Detector,
    embedder: Embedder,
    *,
    second_embedder: SecondEmbedder = "",
    total_photos: TotalPhotos = NO_NUMBERS,
    workers: DaskWorkers = "",
    turns: Turns = 5,
) -> UpgradeRates:
    """Measure `refinery refine` of this version beside that of another checkout, in turn, on the same photos."""
    if turns < 2:
        raise UserError(f"--turns {turns}: give 2 or more, for the interval of the speed-up is over them")
    other = check_checkout(checkout)
    given = {"--detector": detector, "--embedder": embedder, "--second-embedder": second_embedder, "--workers": workers}
    options = [word for option, value in given.items() if value for word in (option, value)]
    totals = [WARM_UP_PHOTOS, *(total_photos or [0])]
    rates = UpgradeRates(str(checkout), [], [], [])
    with (
        tempfile.TemporaryDirectory() as folder,
        stage_progress("upgrade", total=2 * (1 + turns * (len(totals) - 1)), unit="refinements") as advance,
    ):
        for i, total in enumerate(totals):
            source, photos = _source(kind, path, Path(folder), total)
            words = partial(_refine_words, [*source, *options])
            costs = run_in_turn((THIS, other), words, turns if i else 1, done=partial(advance, photos))
            if i:
                rates.photos.append(photos)
                rates.ours.append(costs[0])
                rates.theirs.append(costs[1])
    return rates


def _source(kind: str, path: str, folder: Path, total: int) -> tuple[list[str], int]:
    """The words of a source of `total` photos made of those of another one (0: that one itself), and their number."""
    if total:
        return ["image-folder", str(write_varied_photos(kind, path, folder / str(total), total))], total
    path = str(Path(path).absolute())
    photos, _ = build_photos(str(folder / "counted"), [Source("data", kind, path)])
    return [kind, path], len(photos)


def _refine_words(words: Sequence[str], folder: Path) -> list[str]:
    return ["refine", str(folder / "root"), *words]
