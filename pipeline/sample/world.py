"""The sample world on disk: noisy photos under claimed identities, the true labels, groups, and a test set.

One idea: the plan gives every file its name and its seed. Existing files are kept and missing files are drawn, so the
result is the same to the byte after an interruption and with any number of workers.
"""

import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from pipeline.child_process import end_with_parent
from pipeline.errors import UserError
from pipeline.progress import stage_progress
from pipeline.sample.cases.truth_tables import COLUMNS, IDENTITIES, OVERLAP, TRUTH, table_text
from pipeline.sample.lfw_pairs import PHOTOS_EACH, pairs_txt
from pipeline.sample.photo_bytes import photo_bytes
from pipeline.sample.world_plan import Picture, PlannedPhoto, WorldPlan, plan_world
from pipeline.tables import storage

DRAWING = 1  # version of the drawing: a world begun by another version is not continued
BATCH = 12  # files that a worker draws for one step of the progress bar: about a second
GROUPS = ("actors", "athletes", "musicians", "politicians")
OPTIONS_FILE = "world.json"  # the options of the world; written before the first photo
PlannedFile = tuple[str, PlannedPhoto]  # its path below the world's folder, and what it holds


@dataclass(frozen=True)
class WorldAccount:
    """The content of a world; drawn: the number of files drawn in this call, 0 when all existed."""

    out: Path
    photos: int
    identities: int
    people: int
    planted: dict[str, int]  # number of photos or identities by kind of noise
    test_people: int
    test_photos: int
    overlapping_identities: int
    drawn: int
    seconds: float

    def lines(self) -> list[str]:
        """The account as lines of text."""
        kinds = ", ".join(f"{n} {kind}" for kind, n in sorted(self.planted.items()))
        drawn = f"{self.drawn} files drawn in {self.seconds:.0f} s" if self.drawn else "all existed already"
        return [
            f"{self.out}: {self.photos} photos, {self.identities} identities, {self.people} drawn people ({drawn})",
            f"planted: {kinds}",
            f"test set: {self.test_photos} photos of {self.test_people} people",
            f"identities whose person is in the test set: {self.overlapping_identities}",
        ]


def draw_world(
    out: Path,
    *,
    people: int = 80,
    photos: int = 1200,
    seed: int = 0,
    workers: int | None = None,
    noise: bool = True,
    test_people: int | None = None,
) -> WorldAccount:
    """Draw a world, or its missing files, into a folder and return its account.

    Files: photos/IDENTITY/NNNN.jpg; the true labels truth.tsv, identities.tsv and overlap.tsv; groups.csv (identity,
    group, name); test/, with a folder for each person; pairs.txt, pairs of test photos. workers: processes, by default
    one for each core. test_people: the number of people who are only in the test set, by default half of `people`, at
    least 4. Raises UserError for a folder with another world in it, and for a full disk.
    """
    started = time.monotonic()
    plan = plan_world(seed, people=people, photos=photos, noise=noise, test_people=test_people)
    options = {
        "drawing": DRAWING,
        "people": people,
        "photos": photos,
        "seed": seed,
        "noise": noise,
        "tested": len(plan.test_people),
    }
    existing = storage.get_json(str(out), OPTIONS_FILE)
    if existing not in (None, options):
        raise UserError(f"{out} holds another world ({existing}): give a folder that is empty or not there yet")
    storage.put_json(str(out), OPTIONS_FILE, options)
    files = [*_photo_files(plan), *_test_files(plan)]
    missing = [f for f in files if not (out / f[0]).exists()]
    _draw_all(out, seed, missing, workers)
    for name, text in _texts(plan).items():
        storage.put(str(out), name, text.encode())
    return _account(out, plan, len(missing), time.monotonic() - started)


def _photo_files(plan: WorldPlan) -> Iterator[PlannedFile]:
    for photo in plan.photos:
        yield f"photos/{photo.path}", photo


def _test_files(plan: WorldPlan) -> Iterator[PlannedFile]:
    for person in plan.test_people:
        name = plan.names[person]
        for i in range(PHOTOS_EACH):
            path = f"{name}/{name}_{i + 1:04}.jpg"
            # picture numbers far above those in photos/, so that a person in both is drawn in other pictures
            yield f"test/{path}", PlannedPhoto(path, name, "clean", Picture(person, 100_000 + i))


def _draw_all(out: Path, seed: int, missing: Sequence[PlannedFile], workers: int | None) -> None:
    batches = [missing[i : i + BATCH] for i in range(0, len(missing), BATCH)]
    processes = min(workers or len(os.sched_getaffinity(0)), len(batches))
    with stage_progress("draw", total=len(batches), unit="batches") as advance:
        if processes <= 1:
            for batch in batches:
                advance(_draw_batch(str(out), seed, batch))
            return
        _draw_in_processes(str(out), seed, batches, processes, advance)


def _draw_in_processes(
    out: str,
    seed: int,
    batches: Iterable[Sequence[PlannedFile]],
    processes: int,
    advance: Callable[[int], None],
) -> None:
    """Draw batches in new processes; spawned rather than forked, because this process may have other threads."""
    spawn, this = multiprocessing.get_context("spawn"), (os.getpid(),)
    with ProcessPoolExecutor(processes, spawn, initializer=end_with_parent, initargs=this) as pool:
        pending = [pool.submit(_draw_batch, out, seed, batch) for batch in batches]
        try:
            for finished in as_completed(pending):
                advance(finished.result())
        except BrokenProcessPool:
            raise UserError(
                f"a process that drew into {out} was ended from outside, perhaps because memory ran out: "
                "run again with fewer workers; finished files are kept"
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)


def _draw_batch(out: str, seed: int, batch: Sequence[PlannedFile]) -> int:
    cv2.setNumThreads(1)  # the processes run in parallel already
    for name, photo in batch:
        storage.put(out, name, photo_bytes(seed, photo))
    return len(batch)


def _texts(plan: WorldPlan) -> dict[str, str]:
    """The text files of a world by name: true labels, groups and pairs."""
    truth = [
        (p.path, p.claimed, plan.names[p.picture.person] if p.picture else "", p.kind, p.original or _source(plan, p))
        for p in plan.photos
    ]
    identities = [(name, " ".join(plan.names[p] for p in persons)) for name, persons in plan.persons.items()]
    overlap = [(name, plan.names[p]) for name, p in plan.overlap.items()]
    rng = np.random.default_rng([61, plan.seed])
    groups = [(name, str(rng.choice(GROUPS)), plan.names[p[0]].replace("_", " ")) for name, p in plan.persons.items()]
    return {
        TRUTH: table_text(COLUMNS, truth),
        IDENTITIES: table_text(("claimed", "persons"), identities),
        OVERLAP: table_text(("claimed", "person"), overlap),
        "groups.csv": table_text(("identity", "group", "name"), groups, ","),
        "pairs.txt": pairs_txt(plan.seed, [plan.names[p] for p in plan.test_people]),
    }


def _source(plan: WorldPlan, photo: PlannedPhoto) -> str:
    """The name of the picture that a photo was made from, in the form of LFW's photo names; "" for junk."""
    if photo.picture is None:
        return ""
    name = plan.names[photo.picture.person]
    return f"{name}/{name}_{photo.picture.number + 1:04}.jpg"


def _account(out: Path, plan: WorldPlan, drawn: int, seconds: float) -> WorldAccount:
    planted = Counter(p.kind for p in plan.photos if p.kind != "clean")
    planted["with bystanders"] = sum(bool(p.picture and p.picture.bystanders) for p in plan.photos)
    planted["same picture under two identities"] = sum(p.kind == "flip" and bool(p.original) for p in plan.photos)
    planted["two persons under one identity"] = sum(len(p) > 1 for p in plan.persons.values())
    planted["one person under two identities"] = sum(
        n > 1 for n in Counter(p for v in plan.persons.values() for p in v).values()
    )
    people = {p.picture.person for p in plan.photos if p.picture}
    return WorldAccount(
        out=out,
        photos=len(plan.photos),
        identities=len(plan.persons),
        people=len(people),
        planted=dict(planted),
        test_people=len(plan.test_people),
        test_photos=len(plan.test_people) * PHOTOS_EACH,
        overlapping_identities=len(plan.overlap),
        drawn=drawn,
        seconds=seconds,
    )
