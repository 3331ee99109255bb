"""`refinery benchmark few-identities`: identities refined alone, beside the same ones inside their whole data set.

What is measured is what is lost by calibrating on few identities: embeddings, truth and rules are the same.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import numpy as np
import typer

from flows.benchmark.few_identities.subsets import Counts, StoredFaces, Subset
from flows.cli.options import Root, Seed, World
from flows.cli.result import Result
from pipeline.errors import UserError
from pipeline.progress import stage_progress
from pipeline.refined.scoring.known_truth import read_truth
from pipeline.refinement import latest
from pipeline.sample.cases.few_identities import choose_identities

SIZES = [3, 6, 12, 24, 50]
SAMPLES = 20
ALIKE_PHOTOS = 8  # least photos of an identity among identities that look alike


@dataclass(frozen=True)
class FewIdentities(Result):
    """A row for each number of identities; whole: F1 and clean photos lost of the whole data set."""

    sizes: list[dict[str, Any]]
    whole: str
    worst: str

    def rows(self) -> list[dict[str, Any]]:
        """The figures of each number of identities."""
        return self.sizes

    def lines(self) -> list[str]:
        """What the columns mean, and the figures of the whole data set."""
        return [
            "F1 of wrong labels found, wrong labels kept, clean photos lost: over the photos of all samples together;",
            "in brackets: in the whole; spread: median standard error of the threshold at FAR 0.003",
            self.worst,
            f"all identities together: {self.whole}",
        ]


def few_identities(
    root: Root,
    world: World,
    *,
    size: Annotated[list[int], typer.Option("--size", help="Identities of a sample; may be repeated.")] = SIZES,
    samples: Annotated[int, typer.Option(min=1, help="Samples of each size.")] = SAMPLES,
    alike: Annotated[
        bool, typer.Option("--alike", help="Take an identity and those most like it, instead of any identities.")
    ] = False,
    names_each: Annotated[int, typer.Option(min=1, help="Deal the photos of each identity to so many identities.")] = 1,
    others: Annotated[int, typer.Option(min=0, help="Give so many other identities of ROOT as reference photos.")] = 0,
    by_embedder: Annotated[
        int, typer.Option(min=0, max=2, help="Use only the first (1) or the second (2) embedder of ROOT; 0: all.")
    ] = 0,
    seed: Seed = 0,
) -> FewIdentities:
    """Refine samples of few identities of a finished refinement from its stored embeddings, and score them.

    Beside each figure stands that of the same photos when all identities are refined together. Nothing is written to
    ROOT.
    """
    stored = _stored(root, world, by_embedder)
    draw = _alike(stored) if alike else lambda n, number: choose_identities(stored.identities, n, number)
    drawn = {n: [draw(n, seed + number) for number in range(samples)] for n in size}
    with _work_folder() as folder:
        whole = stored.refined(folder(), stored.identities)
        rows, worst = [], ""
        with stage_progress("few-identities", total=samples * len(size), unit="samples") as tick:
            for n in size:
                subsets = []
                for names in drawn[n]:
                    references = _others(stored, names, others, seed)
                    subsets.append(stored.refined(folder(), names, names_each=names_each, references=references))
                    tick(1)
                rows.append(_row(n, subsets, whole))
                worst += f"{', ' if worst else ''}{n}: {_worst(subsets, whole):+.3f}"
    total = _total(whole, stored.identities)
    figures = f"F1 {total.f1:.4f}, {total.lost} of {total.clean} clean photos lost"
    return FewIdentities(rows, figures, f"worst sample, F1 alone less F1 in the whole, by identities: {worst}")


def _stored(root: str, world: Path, embedder: int) -> StoredFaces:
    refinement, truth = latest(root), read_truth(world)
    if embedder > len(refinement.embeddings):
        raise UserError(f"--by-embedder {embedder}: {root} has {len(refinement.embeddings)} embedder")
    try:
        return StoredFaces(refinement, truth, embedder=embedder)
    except KeyError as error:
        raise UserError(f"the photo {error} of {world} is not in {root}: give the truth of that data set") from None


@contextmanager
def _work_folder() -> Iterator[Callable[[], str]]:
    """A function that gives the root of the next refinement; the earlier one is removed."""
    with TemporaryDirectory(prefix="few-identities-") as path:
        current: list[TemporaryDirectory[str]] = []

        def next_root() -> str:
            while current:
                current.pop().cleanup()
            current.append(TemporaryDirectory(dir=path))
            return current[0].name

        yield next_root


def _alike(stored: StoredFaces) -> Callable[[int, int], list[str]]:
    """A function that draws an identity and the n - 1 most similar ones, all of ALIKE_PHOTOS photos or more."""
    centres, large = stored.centres(), np.flatnonzero(stored.sizes() >= ALIKE_PHOTOS)

    def draw(n: int, number: int) -> list[str]:
        if n > len(large):
            raise UserError(f"{n} identities of {ALIKE_PHOTOS} photos wanted, found {len(large)}: give fewer")
        first = int(np.random.default_rng([n, number]).choice(large))
        order = large[np.argsort(-np.round(centres[large] @ centres[first], 9), kind="stable")]
        return [stored.identities[i] for i in order[:n].tolist()]

    return draw


def _others(stored: StoredFaces, names: Sequence[str], n: int, seed: int) -> list[str]:
    """So many identities that are not among the names."""
    rest = sorted(set(stored.identities) - set(names))
    return choose_identities(rest, n, seed) if n else []


def _row(n: int, subsets: Sequence[Subset], whole: Subset) -> dict[str, Any]:
    """The figures of the samples of n identities."""
    alone, inside = Counts(0, 0, 0, 0), Counts(0, 0, 0, 0)
    for subset in subsets:
        alone, inside = alone.plus(_total(subset, list(subset.counts))), inside.plus(_total(whole, list(subset.counts)))
    return {
        "identities": n,
        "F1 alone": f"{alone.f1:.4f}",
        "in the whole": f"{inside.f1:.4f}",
        "difference": f"{alone.f1 - inside.f1:+.4f}",
        "wrong kept": f"{alone.wrong - alone.found} ({inside.wrong - inside.found}) of {alone.wrong}",
        "lost": f"{alone.lost} ({inside.lost}) of {alone.clean}",
        "merged": f"{sum(s.merged for s in subsets)} of {sum(s.to_merge for s in subsets)}",
        "spread": f"{float(np.median([s.basis.spread for s in subsets])):.2f}",
        "guess": f"{sum(s.basis.is_guess for s in subsets)} of {len(subsets)}",
    }


def _worst(subsets: Sequence[Subset], whole: Subset) -> float:
    """The lowest F1 of a sample alone, less that of the same identities in the whole."""
    return min(_total(s, list(s.counts)).f1 - _total(whole, list(s.counts)).f1 for s in subsets)


def _total(subset: Subset, names: Sequence[str]) -> Counts:
    total = Counts(0, 0, 0, 0)
    for name in names:
        total = total.plus(subset.counts[name])
    return total
