"""What runs by itself: refine and ask; collect, export and ask on, until few enough labels can be wrong.

Both flows do nothing twice: tables that are there are found, a question that was sent is not sent again, and an export
is made only for labels that have none yet. Everything is given as plain values, so a schedule can hold it.
"""

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.artifacts import create_table_artifact
from prefect.context import FlowRunContext

from flows.refine.export import export as write_export
from flows.refine.flow import refine
from flows.review import flow as review
from pipeline.errors import UserError
from pipeline.refinement import FILE, latest
from pipeline.root_lock import RootBusyError, root_lock
from pipeline.tables import storage

log = logging.getLogger("refinery")
TARGET_NOISE = 0.02  # an audit of 200 photos without a wrong one says so; 0.005 takes 765
TURN_S = 60.0  # seconds a review waits for a refinement to end: both may be due at the same minute, and both be short
PLACE = ("url", "name")  # which questions, on which server: what collecting and counting need to know as well


@dataclass(frozen=True)
class Round:
    """What one run did."""

    exported: str  # the folder of a data set that is new; "" when the labels are those of the last one
    asked: bool
    busy: bool = False  # another run is at work on the root: nothing was done


@flow(name="scheduled-refinement", validate_parameters=False, persist_result=False)
def scheduled_refinement(
    refining: dict[str, Any],
    asking: dict[str, Any],
    out: str = "",
    format: str = "parquet",
    target_noise: float = TARGET_NOISE,
) -> Round:
    """Refine, export what changed, ask people what is left; refining, asking: options of `refine`, `review send`."""
    _speak()
    root = str(refining["root"])
    with root_lock(root):
        before = _photos(root)
        refine(**refining)
        exported = export_changed(root, out, format=format)
        return Round(exported, ask(root, asking, target_noise, anyway=_photos(root) != before))


@flow(name="scheduled-review", validate_parameters=False, persist_result=False)
def scheduled_review(
    root: str,
    asking: dict[str, Any],
    out: str = "",
    format: str = "parquet",
    target_noise: float = TARGET_NOISE,
) -> Round:
    """Collect what people answered, export what changed, ask on; nothing before or while the root is refined."""
    _speak()
    if not _photos(root):
        log.info("%s is not refined yet: nobody was asked anything", root)
        return Round("", asked=False)
    try:
        with root_lock(root, wait_s=TURN_S):
            review.collect(root, **_place(asking))
            exported = export_changed(root, out, format=format)
            asked = ask(root, asking, target_noise)
            _tell(root)
            return Round(exported, asked)
    except RootBusyError as busy:
        log.info("%s; answers wait on the server for the next time", busy)
        return Round("", asked=False, busy=True)


def ask(root: str, asking: dict[str, Any], target_noise: float, *, anyway: bool = False) -> bool:
    """Whether questions were sent: not any more once the labels are clean enough; anyway: photos are new."""
    upper = review.status(root, **_place(asking)).audit_upper
    if clean_enough(upper, target_noise) and not anyway:
        log.info(
            "the upper bound of wrong labels is %.2f%%, under %.2f%%: no more is asked",
            100 * (upper or 0),
            100 * target_noise,
        )
        return False
    review.send(root, **asking)
    return True


def clean_enough(upper: float | None, target_noise: float) -> bool:
    """Whether the audit's upper 95% bound of wrong labels is under the target; it is not while there is no audit."""
    return upper is not None and upper < target_noise


def _photos(root: str) -> str:
    """The address of the photos that the root's refinement is of; "" where there is none yet."""
    return latest(root).photos.address if storage.get_json(root, FILE) else ""


def export_changed(root: str, out: str, *, format: str = "parquet") -> str:
    """The folder of the data set as it is now, under `out`, if it is a new one; "" when it is there already.

    One folder for each state of the labels; OUT/latest is a link to the newest that appears whole.
    """
    if not out:
        return ""
    labels = latest(root).labels.address
    folder = Path(out).absolute() / f"{format}-{labels}"
    new = not folder.exists()
    if new:
        taken = write_export(root, folder, format=format)
        log.info("exported %d photos to %s", taken.photos, folder)
    _link(folder)
    return str(folder) if new else ""


def _link(folder: Path) -> None:
    """OUT/latest leads to the folder; at no moment does it lead nowhere."""
    link, temporary = folder.with_name("latest"), folder.with_name(".latest.tmp")
    if link.is_symlink() and link.readlink() == Path(folder.name):
        return
    try:
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(folder.name)
        temporary.replace(link)
    except OSError as error:
        raise UserError(
            f"cannot make {link} a link to {folder.name} ({error.strerror}): move away what is there"
        ) from None


def _place(asking: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in asking.items() if k in PLACE}


def _tell(root: str) -> None:
    """The account on the run's page, beside what the status showed there; nothing without a run."""
    if FlowRunContext.get() is None:
        return
    rows = latest(root).account.rows()
    create_table_artifact(
        [{k: str(v) for k, v in row.items()} for row in rows], key="account", description="Where every photo went"
    )


def _speak() -> None:
    """Our lines of progress go to the run's page; in a process of its own no one else says so."""
    log.setLevel(os.environ.get("REFINERY_LOG", "INFO").upper())
