"""The two flows that run on a schedule: refine, export and send questions; collect answers, export and send again.

Neither repeats work: existing tables are reused, a question on the server is not sent again, and labels are exported
once. No questions are sent once the audit shows that few enough labels can be wrong. Parameters are plain values, which
a schedule keeps as JSON; prefect.yaml and `refinery serve` name these flows.
"""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect import flow

from flows.prefect_runtime.artifacts import publish_table
from flows.refine.export import export as write_export
from flows.refine.flow import refine
from flows.review import flow as review
from flows.schedule.run_outcome import began, completed, failed, run_name
from pipeline.errors import UserError
from pipeline.refinement import FILE, latest
from pipeline.root_lock import RootBusyError, root_lock
from pipeline.tables import storage

log = logging.getLogger("refinery")
TARGET_NOISE = 0.02  # share of wrong labels; an audit of 200 photos, none wrong, is enough to show it (0.005: 765)
WAIT_FOR_ROOT_S = 60.0  # a review waits so long for a short refinement that is due at the same minute
PROJECT_OPTIONS = ("url", "name")  # options of `review send` that name the server and its projects


@dataclass(frozen=True)
class ScheduledRun:
    """What one scheduled run did."""

    exported: str  # the new folder of the data set; "" where these labels were exported before
    asked: bool  # questions were sent
    busy: bool = False  # another process worked on the root, so nothing was done
    unsent: str = ""  # why no questions could be sent, after the tables were made

    def outcome(self) -> str:
        """What was done, for the run's name."""
        done = ["exported"] * bool(self.exported) + ["questions sent"] * self.asked
        return (
            "the root is busy"
            if self.busy
            else ", ".join(done + ["no questions sent"] * bool(self.unsent)) or "nothing new"
        )


# every run says on the server which process works on it, and in its name what it did; a failed one is a line of the log
OBSERVED: dict[str, Any] = {
    "flow_run_name": run_name,
    "on_running": [began],
    "on_completion": [completed],
    "on_failure": [failed],
    "on_crashed": [failed],
}


@flow(name="scheduled-refinement", validate_parameters=False, persist_result=False, **OBSERVED)
def scheduled_refinement(
    refine_options: dict[str, Any],
    send_options: dict[str, Any],
    out: str = "",
    format: str = "parquet",
    target_noise: float = TARGET_NOISE,
) -> ScheduledRun:
    """Refine, export the labels if they changed, and send questions; after new photos they are sent in any case.

    refine_options: of `refine`; send_options: of `review send`, without the root; out: "" exports nothing. Where no
    questions can be sent, the refinement counts all the same: that is logged, and the next review sends them.
    """
    root = str(refine_options["root"])
    with root_lock(root):
        before = photos_address(root)
        refine(**refine_options)
        exported = export_if_changed(root, out, format=format)
        new_photos = photos_address(root) != before
        try:
            return ScheduledRun(exported, send_questions(root, send_options, target_noise, new_photos=new_photos))
        except Exception as error:  # noqa: BLE001  whatever it is, the tables are made
            cause = " ".join(str(error).split())
            log.error("%s is refined, but no questions were sent: %s", root, cause)
            return ScheduledRun(exported, asked=False, unsent=cause)


@flow(name="scheduled-review", validate_parameters=False, persist_result=False, **OBSERVED)
def scheduled_review(
    root: str,
    send_options: dict[str, Any],
    out: str = "",
    format: str = "parquet",
    target_noise: float = TARGET_NOISE,
) -> ScheduledRun:
    """Collect answers, export the labels if they changed, and send further questions.

    Does nothing before the first refinement, nor while another process works on the root.
    """
    if not photos_address(root):
        log.info("%s is not refined yet, so there are no answers to collect", root)
        return ScheduledRun("", asked=False)
    try:
        with root_lock(root, wait_s=WAIT_FOR_ROOT_S):
            review.collect(root, **_project(send_options))
            exported = export_if_changed(root, out, format=format)
            asked = send_questions(root, send_options, target_noise)
            _publish_account(root)
            return ScheduledRun(exported, asked)
    except RootBusyError as busy:
        log.info("%s; answers wait on the server for the next run", busy)
        return ScheduledRun("", asked=False, busy=True)


def send_questions(root: str, send_options: dict[str, Any], target_noise: float, *, new_photos: bool = False) -> bool:
    """Send questions unless the labels are clean enough and no photos are new; return whether any were sent."""
    upper_bound = review.status(root, **_project(send_options)).audit_upper
    if clean_enough(upper_bound, target_noise) and not new_photos:
        clean = f"{upper_bound:.2%} of the labels at most are wrong (95%), fewer than {target_noise:.2%}"
        log.info("%s: no questions are sent", clean)
        return False
    review.send(root, **send_options)
    return True


def clean_enough(upper_bound: float | None, target_noise: float) -> bool:
    """Whether the audit's upper 95% bound of wrong labels is below the target; False without an answered audit."""
    return upper_bound is not None and upper_bound < target_noise


def photos_address(root: str) -> str:
    """The address of the photos table of the root's refinement; "" where there is no refinement yet."""
    return latest(root).photos.address if storage.get_json(root, FILE) else ""


def export_if_changed(root: str, out: str, *, format: str = "parquet") -> str:
    """Export the data set to a folder under `out` that is named by its labels, and return it; "" if it existed.

    OUT/latest is then a link to that folder; it always leads to a complete one. Without `out` nothing is exported.
    """
    if not out:
        return ""
    folder = Path(out).absolute() / f"{format}-{latest(root).labels.address}"
    existed = folder.exists()
    if not existed:
        result = write_export(root, folder, format=format)
        log.info("exported %d photos to %s", result.photos, folder)
    _point_latest_to(folder)
    return "" if existed else str(folder)


def _point_latest_to(folder: Path) -> None:
    """Make OUT/latest a link to the folder, in one step: a reader finds the old one or the new one."""
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


def _project(send_options: dict[str, Any]) -> dict[str, Any]:
    """The options of `review send` that `review collect` and `review status` have, too."""
    return {name: value for name, value in send_options.items() if name in PROJECT_OPTIONS}


def _publish_account(root: str) -> None:
    """Put the account on the page of the Prefect run, where there is a run."""
    publish_table(latest(root).account.rows(), "account", root, description="Where every photo went")
