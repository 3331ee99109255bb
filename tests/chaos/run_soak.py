"""`refinery benchmark soak`: a refinement and its review, killed and started again at random, over and over."""

import signal
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from pipeline.sample.world import draw_world
from tests.chaos.soak import Bench, Soak, label_studio, refinement, review, undisturbed


class Faults(RuntimeError):  # noqa: N818  what a soak is for
    """Something was lost, doubled or different; the message holds the figures and what it was."""


def soak(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A folder of its own; the drawn world in it is kept.")],
    kills: Annotated[int, typer.Option(help="Of refinements.")] = 150,
    review_kills: Annotated[int, typer.Option(help="Of a review's commands; 0: without a Label Studio.")] = 60,
    minutes: Annotated[float, typer.Option(help="It ends after these, however many kills it were; 0: never.")] = 0.0,
    people: Annotated[int, typer.Option(help="In the drawn world.")] = 24,
    photos: Annotated[int, typer.Option(help="Of them, noise included.")] = 360,
    seed: Annotated[int, typer.Option(help="Of the world, and of the kills' moments and signals.")] = 0,
) -> Soak:
    """Kill refinements and reviews at random and start them again: nothing may be lost, doubled or different."""
    started = time.monotonic()
    until = started + 60 * minutes if minutes else float("inf")
    bench = Bench(out.absolute(), np.random.default_rng(seed), Soak(str(out)), until)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the server that is started here is ended here
    draw_world(bench.world, people=people, photos=photos, seed=seed)
    expected = undisturbed(bench)
    while bench.goes_on("refine", kills):
        refinement(bench, expected, kills)
    if review_kills:
        with label_studio(bench) as server:
            while bench.goes_on("review", review_kills):
                review(bench, expected, server, review_kills)
    bench.made.seconds = time.monotonic() - started
    if bench.made.found:
        raise Faults("; ".join(bench.made.lines()))
    return bench.made
