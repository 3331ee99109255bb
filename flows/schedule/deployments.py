"""The two deployments that `refinery serve` registers: a scheduled refinement and a scheduled review.

A deployment's parameters are plain values with absolute paths: each run is a process with a working folder of its own.
"""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

from prefect import Flow
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.deployments.runner import RunnerDeployment
from prefect.types.entrypoint import EntrypointType

from flows.refine.request import RefineRequest
from flows.refine.source_pairs import parse_sources
from flows.review.flow import SendInputs
from flows.schedule.scheduled import TARGET_NOISE, scheduled_refinement, scheduled_review
from pipeline.errors import UserError, check_all
from pipeline.refined.export import FORMATS
from pipeline.review.answers.root_id import make_root_id, read_root_id
from pipeline.review.label_studio.client import StudioClient
from pipeline.review.label_studio.local_server import is_up

log = logging.getLogger("refinery")
# one run of a deployment at a time; a run that is due during another one is skipped because the next one is due soon
ONE_AT_A_TIME = ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW)
Z = 1.96  # of a 95% interval
# a file, or for models a pack's name
FILE_OPTIONS = ("detector", "embedder", "second_embedder", "quality", "groups", "roster")


@dataclass(frozen=True)
class Schedule:
    """When each of the two deployments runs, and the parameters that both have."""

    refine_cron: str  # five fields in UTC; "": only when a run is started by hand
    review_cron: str
    out: str = ""  # folder for the data set; "": none is exported
    format: str = "parquet"
    target_noise: float = TARGET_NOISE

    def parameters(self) -> dict[str, Any]:
        """The parameters that both flows have."""
        return {"out": self.out, "format": self.format, "target_noise": self.target_noise}


def deployments(
    refine_options: Mapping[str, Any], send_options: Mapping[str, Any], schedule: Schedule
) -> tuple[RunnerDeployment, RunnerDeployment]:
    """The deployments of a scheduled refinement and of a scheduled review.

    refine_options: those of `refine`; send_options: those of `review send` without the root. Raises UserError for a
    schedule that does not exist.
    """
    _warn_of_small_audit(int(send_options.get("audit", 0)), schedule.target_noise)
    refine_options, send_options = absolute_paths(refine_options), absolute_paths(send_options)
    common = {"send_options": send_options, **schedule.parameters()}
    refinement, review = {"refine_options": refine_options, **common}, {"root": refine_options["root"], **common}
    first, second = check_all(
        lambda: _deployment(scheduled_refinement, "refine", schedule.refine_cron, refinement),
        lambda: _deployment(scheduled_review, "review", schedule.review_cron, review),
    )
    return first, second


def checked_deployments(
    refine_options: Mapping[str, Any], send_options: Mapping[str, Any], schedule: Schedule
) -> tuple[RunnerDeployment, RunnerDeployment]:
    """The same deployments; raises UserError with every mistake in the options, which a run would find in the night.

    A Label Studio that does not answer yet is warned of: it may start later than the schedules.
    """
    inputs, served, *_ = check_all(
        lambda: SendInputs.read({"root": refine_options["root"], **send_options}, refined=False),
        lambda: deployments(refine_options, send_options, schedule),
        lambda: RefineRequest.parse(**{name: value for name, value in refine_options.items() if name != "root"}),
        lambda: _check_format(schedule.format),
    )
    if is_up(inputs.server.url):
        StudioClient(inputs.server)  # raises where it does not accept the token
    else:
        log.warning("no Label Studio answers at %s yet: until it does, no questions are sent", inputs.server.url)
    first, second = served
    return first, second


def named_for_root(served: Sequence[RunnerDeployment], root: str) -> list[RunnerDeployment]:
    """The deployments with the root's name and id in theirs: one server has the deployments of several roots.

    Two roots may have one name, and a root that is moved keeps its id; a root without one gets it now.
    """
    root_id = read_root_id(root) or make_root_id(root, Path(root).absolute().name)
    words = re.sub(r"[^a-z0-9]+", "-", root_id.name.lower()).strip("-")[:40] or "root"
    return [d.model_copy(update={"name": f"{d.name}-{words}-{root_id.id[:12]}"}) for d in served]


def _check_format(format: str) -> None:
    if format not in FORMATS:
        raise UserError(f"--format {format}: give one of {', '.join(FORMATS)}")


def _deployment(flow: Flow[..., Any], name: str, cron: str, parameters: dict[str, Any]) -> RunnerDeployment:
    try:
        deployment = flow.to_deployment(
            name,
            cron=cron or None,
            parameters=parameters,
            paused=False,
            concurrency_limit=ONE_AT_A_TIME,
            entrypoint_type=EntrypointType.MODULE_PATH,
        )
    except ValueError:
        raise UserError(f'--{name}-cron "{cron}" is not a schedule: give five fields like "0 3 * * *"') from None
    assert isinstance(deployment, RunnerDeployment)  # noqa: S101  a coroutine only where an event loop runs
    return deployment


def _warn_of_small_audit(audit: int, target_noise: float) -> None:
    """Warn at the start when the audit has too few photos ever to show the target.

    An audit of n photos, none of them wrong, has Wilson's upper bound z² / (n + z²).
    """
    needed = ceil(Z**2 * (1 - target_noise) / target_noise) if target_noise > 0 else 0
    if 0 < audit < needed:
        log.warning(
            "--audit %d cannot show less than %.2f%% of wrong labels: that takes %d photos; questions will not end",
            audit,
            100 * target_noise,
            needed,
        )


def absolute_paths(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options with every path absolute; a root with a scheme (s3://) and a model known by name stay as they are."""
    absolute = dict(options)
    if "source" in options:
        absolute["source"] = [word for s in parse_sources(options["source"]) for word in (s.kind, f"{s.name}={s.path}")]
    for name in ("test_set", "reference", "boxes"):
        if name in options:
            absolute[name] = [str(Path(p).absolute()) for p in options[name]]
    if "root" in options and "://" not in options["root"]:
        absolute["root"] = str(Path(options["root"]).absolute())
    for name in FILE_OPTIONS:
        if options.get(name) and Path(options[name]).exists():
            absolute[name] = str(Path(options[name]).absolute())
    return absolute
