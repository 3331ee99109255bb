"""A refinement in four steps whose commands are killed and started again.

After every kill the root may lack files of an undisturbed root, but may hold no others. At the end both must be equal,
file by file.
"""

import logging
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from pipeline.refinement import FILE
from pipeline.sample.models import DETECTOR, EMBEDDER
from tests.chaos import root_checks
from tests.chaos.killed_command import KillPlan, random_kill
from tests.chaos.soak.bench import SoakBench

log = logging.getLogger("refinery")
SHARDS = "6"
STEPS: dict[str, tuple[str, ...]] = {  # folder of photos, and options; each step reuses tables of the steps before
    "some photos": ("some",),
    "all photos": ("world",),
    "another rule": ("world", "--min-faces", "3"),
    "other embeddings": ("world", "--flip", "add"),
}
SHARE_WITH_WORKERS = 0.15  # share of the killed runs with worker processes, which change no table
KILLS_A_STEP = 8  # after this number of kills a step may end


class UndisturbedStep(NamedTuple):
    """The root after a step without kills: digests of its files, and refinement.json; and the step's seconds."""

    files: root_checks.Digests
    refinement: bytes
    seconds: float


def undisturbed_steps(bench: SoakBench) -> dict[str, UndisturbedStep]:
    """Run all steps in a root in which no command is killed; the results by step."""
    root = bench.undisturbed
    shutil.rmtree(root, ignore_errors=True)
    _link_some_photos(bench)
    steps = {}
    for step in STEPS:
        result = bench.run("refine", _words(bench, step, root), root)
        if result.status:
            raise RuntimeError(f"an undisturbed refinement ended with status {result.status}: {result.last_line}")
        steps[step] = UndisturbedStep(root_checks.digests(root), (root / FILE).read_bytes(), result.seconds)
        log.info("undisturbed, %s: %d files in %.1f s", step, len(steps[step].files), result.seconds)
    return steps


def killed_refinement(bench: SoakBench, undisturbed: Mapping[str, UndisturbedStep], kills: int) -> None:
    """Run all steps in one root, each killed again and again; then `clean` removes half-written files."""
    root, report = bench.out / "root", bench.report
    shutil.rmtree(root, ignore_errors=True)
    for step, expected in undisturbed.items():
        _run_until_done(bench, step, root, expected, kills)
        report.check(
            "different", root_checks.differing_files(root_checks.digests(root), expected.files), f"{step}, done"
        )
        report.check("unaccounted", root_checks.unaccounted_photos(str(root), _keys(bench, step)), step)
        report.check("doubled", root_checks.doubled_rows(str(root)), step)
    report.half_written += len(root_checks.half_written(root))
    bench.run("refine", ["clean", str(root), "--min-age", "0"], root)
    report.check("other", [f"{n} is left" for n in root_checks.half_written(root)], "clean")
    report.check("unaccounted", root_checks.unaccounted_photos(str(root), _keys(bench, list(undisturbed)[-1])), "clean")
    report.refinements += 1
    log.info("%s", report.lines()[0])


def _run_until_done(bench: SoakBench, step: str, root: Path, expected: UndisturbedStep, kills: int) -> None:
    for tries in range(KILLS_A_STEP + 1):
        files_left = len(expected.files) - len(root_checks.digests(root))
        kill: KillPlan | None = random_kill(bench.rng, seconds=expected.seconds, files=files_left)
        workers = ("--workers", "2") if bench.rng.random() < SHARE_WITH_WORKERS else ()
        if tries == KILLS_A_STEP or not bench.goes_on("refine", kills):
            kill, workers = None, ()
        result = bench.run("refine", [*_words(bench, step, root), *workers], root, kill)
        files = root_checks.digests(root)
        faults = [*root_checks.unexpected_files(files, expected.files), *root_checks.damaged_files(root, files)]
        bench.report.check("different", faults, f"{step}, after {kill}")
        if not result.status:
            return


def _link_some_photos(bench: SoakBench) -> None:
    """Make a folder of links to two thirds of the identities; links have the times of the photos' files."""
    folders = sorted((bench.world / "photos").iterdir())
    for photo in (p for folder in folders[: 2 * len(folders) // 3] for p in sorted(folder.iterdir())):
        link = bench.out / "some" / photo.relative_to(bench.world)
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.exists():
            os.link(photo, link)


def _words(bench: SoakBench, step: str, root: Path) -> list[str]:
    folder, *more = STEPS[step]
    options = {
        "--detector": DETECTOR,
        "--embedder": EMBEDDER,
        "--test-set": bench.world / "test",
        "--shards": SHARDS,
    }
    words = [str(word) for option in options.items() for word in option]
    return ["refine", str(root), "image-folder", str(bench.out / folder / "photos"), *words, *more]


def _keys(bench: SoakBench, step: str) -> list[str]:
    """The keys of the photos that a step refines."""
    folder = bench.out / STEPS[step][0] / "photos"
    return [p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()]
