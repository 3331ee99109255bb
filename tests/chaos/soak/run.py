"""Refinements and a review, killed and started again at random, over and over: python -m tests.chaos.soak.run OUT."""

import argparse
import logging
import signal
import sys
import time
from pathlib import Path

import numpy as np

from pipeline.sample.world import draw_world
from tests.builders.markdown_table import markdown_table
from tests.chaos.soak.bench import SoakBench
from tests.chaos.soak.refinement import killed_refinement, undisturbed_steps
from tests.chaos.soak.report import SoakReport
from tests.chaos.soak.review import killed_review, label_studio


class SoakFaultsError(RuntimeError):
    """Something was lost, doubled or different; the message holds the report's lines."""


def soak(
    out: Path,
    *,
    kills: int = 150,
    review_kills: int = 60,
    minutes: float = 0.0,
    people: int = 24,
    photos: int = 360,
    seed: int = 0,
) -> SoakReport:
    """Kill refinements and reviews of a drawn world at random and start them again.

    out: a folder of the soak's own, in which the drawn world is kept. kills: of refinements; review_kills: of a
    review's commands, 0 for no review and no Label Studio; minutes: it ends after these, 0 for never; seed: of the
    world, and of the moments and signals of the kills. Raises SoakFaultsError when anything is lost, doubled or
    different.
    """
    started = time.monotonic()
    until = started + 60 * minutes if minutes else float("inf")
    bench = SoakBench(out.absolute(), np.random.default_rng(seed), SoakReport(), until)
    draw_world(bench.world, people=people, photos=photos, seed=seed)
    undisturbed = undisturbed_steps(bench)
    while bench.goes_on("refine", kills):
        killed_refinement(bench, undisturbed, kills)
    if review_kills:
        with label_studio(bench) as server:
            while bench.goes_on("review", review_kills):
                killed_review(bench, undisturbed, server, review_kills)
    bench.report.seconds = time.monotonic() - started
    if bench.report.messages:
        raise SoakFaultsError("; ".join(bench.report.lines()))
    return bench.report


def main(arguments: list[str]) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.soak.run", description=soak.__doc__)
    parser.add_argument("out", type=Path)
    for name, kind, default in (
        ("kills", int, 150),
        ("review-kills", int, 60),
        ("minutes", float, 0.0),
        ("people", int, 24),
        ("photos", int, 360),
        ("seed", int, 0),
    ):
        parser.add_argument(f"--{name}", type=kind, default=default)
    options = parser.parse_args(arguments)
    logging.basicConfig(level="INFO", format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the server that is started here is ended here
    report = soak(**vars(options))
    print(markdown_table(report.rows()), *report.lines(), sep="\n")  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
