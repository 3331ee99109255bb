"""The folder of a planted data set: links to unchanged photos, edited pictures, junk, a test set, and the truth.

One idea: the plan gives every file its name and its seed. Existing files are kept and missing ones are made, so the
result is the same to the byte after a run that was stopped. The truth is written last.
"""

import errno
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from flows.sample.planting_source import SourcePhotos
from pipeline.errors import UserError
from pipeline.progress import stage_progress
from pipeline.sample.cases.picture_edits import EDITS
from pipeline.sample.cases.truth_tables import COLUMNS, IDENTITIES, OVERLAP, TRUTH, write_rows
from pipeline.sample.planting import picture_bytes
from pipeline.sample.planting.planted_files import GROUP, LINK, PlannedFile, PlantingPlan
from pipeline.sources.photo import PhotoChanged
from pipeline.tables import storage

OPTIONS_FILE = "planted.json"  # how the data set was made; written before the first photo
NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EACCES)  # of file systems without symbolic links


def check_folder(out: Path, options: Mapping[str, Any]) -> dict[str, Any] | None:
    """What an earlier run with the same options wrote down, None for an empty folder or one that is not there.

    Raises UserError for a folder with anything else in it.
    """
    if not out.is_dir() and os.path.lexists(out):
        raise UserError(f"{out} is no folder: give --out a folder that is empty or not there yet")
    existing = storage.get_json(str(out), OPTIONS_FILE) if out.is_dir() else None
    if existing is None:
        if out.is_dir() and any(out.iterdir()):
            raise UserError(f"{out} is not empty: give --out a folder that is empty or not there yet")
        return None
    earlier = existing.get("options", {})
    if earlier != dict(options):
        changed = [name for name in options if earlier.get(name) != options[name]]
        raise UserError(
            f"{out} holds photos planted in another way ({', '.join(changed)} differ): give --out a folder that is "
            "empty or not there yet"
        )
    return dict(existing)


def write_planted(out: Path, plan: PlantingPlan, source: SourcePhotos, seed: int) -> tuple[int, int]:
    """Write the missing files of a plan; returns how many photos of it are links, and how many are files."""
    links = 0
    test = [(f"test/{p}/{n:04}.jpg", i) for p, ids in plan.test.items() for n, i in enumerate(ids, start=1)]
    with stage_progress("plant", total=len(plan.files) + len(test), unit="files") as advance:
        for file in plan.files:
            target = out / "photos" / file.path
            original = source.file(file.photo) if file.make == LINK else None
            if not os.path.lexists(target) and not (original and _link(original, target)):
                storage.put(str(out / "photos"), file.path, _bytes(file, source, seed))
            links += target.is_symlink()
            advance(1)
        for path, number in test:  # copies: test sets are read without following links
            if not (out / path).exists():
                storage.put(str(out), path, _read(source, number))
            advance(1)
    _write_truth(out, plan)
    return links, len(plan.files) - links


def _link(original: Path, target: Path) -> bool:
    """Make `target` a symbolic link to a photo; False where the file system has none."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.symlink_to(original.absolute())
    except OSError as error:
        if error.errno in NO_LINKS:
            return False
        raise UserError(f"cannot write {target} ({error.strerror}): give --out another folder") from None
    return True


def _read(source: SourcePhotos, number: int) -> bytes:
    try:
        return source.read(number)
    except PhotoChanged as error:
        raise UserError(f"{error}: run again with another --out") from None


def _bytes(file: PlannedFile, source: SourcePhotos, seed: int) -> bytes:
    """The bytes of a file that is no link; the same in every run."""
    rng = np.random.default_rng([82, seed, *file.path.encode()])
    try:
        if file.make == LINK:
            return source.read(file.photo)
        if file.make == GROUP:
            return picture_bytes.group_photo([source.face_photo(i) for i in (file.photo, *file.others)], rng)
        if file.make in EDITS:
            return picture_bytes.edited(source.face_photo(file.photo), file.make, rng)
        return picture_bytes.junk(file.make, rng, source.read(file.photo) if file.photo >= 0 else b"")
    except PhotoChanged as error:
        raise UserError(f"{error}: run again with another --out") from None


def _write_truth(out: Path, plan: PlantingPlan) -> None:
    write_rows(out, IDENTITIES, ("claimed", "persons"), [(name, " ".join(p)) for name, p in plan.persons.items()])
    if plan.test:
        write_rows(out, OVERLAP, ("claimed", "person"), plan.overlap.items())
    rows = [(f.path, f.claimed, f.person, f.kind, f.of, f.planted) for f in plan.files]
    write_rows(out, TRUTH, (*COLUMNS, "planted"), rows)
