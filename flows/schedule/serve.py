"""`refinery serve`: refining and reviewing on two schedules of a Prefect server, until Ctrl-C.

One schedule refines and sends questions; the other, more often, collects answers and sends further questions. The
options are those of `refine`, those of `review send`, where to export, and when to run.
"""

import asyncio
import logging
import os
import signal
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from prefect.deployments.runner import RunnerDeployment
from prefect.runner import Runner
from prefect.settings import PREFECT_API_URL

from flows.cli.options import (
    NONE_GIVEN,
    Aligned,
    Boxes,
    DaskWorkers,
    Detector,
    Embedder,
    Flip,
    FollowLinks,
    Format,
    Gallery,
    Groups,
    IdentityLevel,
    LostPerNoise,
    Memory,
    MinFaces,
    Probes,
    Quality,
    References,
    Root,
    SecondEmbedder,
    Shards,
    Sources,
    TestSets,
    Undecided,
)
from flows.cli.result import Result
from flows.cli.review_options import Audit, Budget, Minutes, ProjectName, ProposeGroups, Roster, Url, Votes
from flows.prefect_runtime.ended_runs import close_ended_runs
from flows.prefect_runtime.gpu_limit import create_gpu_limit
from flows.prefect_runtime.server import prefect_server
from flows.review.root_server import URL_VARIABLE, address_of
from flows.schedule.deployments import Schedule, checked_deployments, named_for_root
from flows.schedule.run_outcome import PARENT_VARIABLE
from flows.schedule.scheduled import TARGET_NOISE
from flows.schedule.skipped_runs import log_skipped_runs
from flows.schedule.webhook import listen
from pipeline.noise.policy import LOST_PER_NOISE

log = logging.getLogger("refinery")
ExportFolder = Annotated[
    str,
    typer.Option(
        help="Folder for exports: a folder in it for each change of the labels; `latest` links to the newest."
    ),
]
RefineCron = Annotated[
    str, typer.Option(help="When to refine and send questions, in UTC; empty: only when a run is started by hand.")
]
ReviewCron = Annotated[str, typer.Option(help="When to collect answers and send further questions, in UTC.")]
TargetNoise = Annotated[
    float,
    typer.Option(help="Share of wrong labels: no questions are sent once the audit's upper 95% bound is below it."),
]
WebhookPort = Annotated[
    int, typer.Option(help="Loopback port for a webhook of Label Studio, which then starts a collect; 0: none.")
]


@dataclass(frozen=True)
class StoppedSchedules(Result):
    """The deployments that were served until Ctrl-C."""

    deployments: list[str]

    def lines(self) -> list[str]:
        """One line for people."""
        return [f"stopped; served until now: {', '.join(self.deployments)}"]


def serve(
    root: Root,
    source: Sources,
    detector: Detector,
    embedder: Embedder,
    *,
    second_embedder: SecondEmbedder = "",
    quality: Quality = "",
    probes: Probes = "",
    gallery: Gallery = "",
    test_set: TestSets = NONE_GIVEN,
    reference: References = NONE_GIVEN,
    aligned: Aligned = False,
    flip: Flip = "",
    min_faces: MinFaces = 2,
    undecided: Undecided = "keep",
    lost_per_noise: LostPerNoise = LOST_PER_NOISE,
    shards: Shards = 0,
    workers: DaskWorkers = "",
    memory: Memory = "",
    follow_links: FollowLinks = False,
    identity_level: IdentityLevel = 0,
    boxes: Boxes = NONE_GIVEN,
    url: Url = "",
    groups: Groups = "",
    propose_groups: ProposeGroups = False,
    budget: Budget = 500,
    minutes: Minutes = 0.0,
    votes: Votes = 2,
    audit: Audit = 200,
    roster: Roster = "",
    name: ProjectName = "",
    out: ExportFolder = "",
    format: Format = "parquet",
    refine_cron: RefineCron = "0 3 * * *",
    review_cron: ReviewCron = "*/15 * * * *",
    target_noise: TargetNoise = TARGET_NOISE,
    webhook_port: WebhookPort = 0,
) -> StoppedSchedules:
    """Refine, send questions, collect and export on schedules (of PREFECT_API_URL or a new server), until Ctrl-C."""
    photos = {"root": root, "source": source, "probes": probes, "gallery": gallery}
    reading = {"aligned": aligned, "follow_links": follow_links, "identity_level": identity_level, "boxes": boxes}
    size = {"shards": shards, "workers": workers, "memory": memory}
    models = {"detector": detector, "embedder": embedder, "second_embedder": second_embedder}
    models |= {"quality": quality, "flip": flip}
    rules = {
        "test_set": test_set,
        "reference": reference,
        "min_faces": min_faces,
        "undecided": undecided,
        "lost_per_noise": lost_per_noise,
        "groups": groups,
    }
    routes = {"url": url, "name": name, "groups": groups, "propose_groups": propose_groups, "roster": roster}
    questions = {"budget": budget, "minutes": minutes, "votes": votes, "audit": audit}
    schedule = Schedule(refine_cron, review_cron, out, format, target_noise)
    served = checked_deployments(photos | reading | models | rules | size, routes | questions, schedule)
    # runs get the token of LABEL_STUDIO_API_KEY for this address alone, whatever their parameters say
    os.environ[URL_VARIABLE] = address_of(root, url)
    return serve_until_ctrl_c(named_for_root(served, root), webhook_port=webhook_port)


def serve_until_ctrl_c(served: Sequence[RunnerDeployment], *, webhook_port: int = 0) -> StoppedSchedules:
    """Register the deployments on the Prefect server and start their runs when due, until Ctrl-C, SIGTERM or SIGHUP.

    webhook_port: a loopback port on which a webhook starts a run of the last deployment; 0: none.
    """
    names = [f"{d.flow_name}/{d.name}" for d in served]
    # a server runs from here on and must be ended; a job in the background ignores Ctrl-C, so its handler is set anew
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for sign in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(sign) is not signal.SIG_IGN:  # under nohup the terminal may close
            signal.signal(sign, _as_ctrl_c)
    ours = not PREFECT_API_URL.value()  # a server of this command has no other runner
    with suppress(KeyboardInterrupt), prefect_server() as url, ExitStack() as stack:
        create_gpu_limit()
        if webhook_port:
            stack.enter_context(listen(webhook_port, names[-1]))
        runner = _runner(served)
        close_ended_runs(names, only_runner=ours, reason="its process had ended when the schedules were started")
        stack.callback(close_ended_runs, names, only_runner=ours, reason="the schedules were stopped during the run")
        log.info("%s: served on %s until Ctrl-C", " and ".join(names), url.removesuffix("/api"))
        os.environ[PARENT_VARIABLE] = str(os.getpid())  # runs end when this process does, even if it is killed
        asyncio.run(_run_when_due(runner, names))
    return StoppedSchedules(names)


def _runner(served: Sequence[RunnerDeployment]) -> Runner:
    """Register the deployments on the server, and return the runner that starts each run in a process of its own."""
    runner = Runner()
    # Prefect's own handler of this signal leaves the schedules active and prints a traceback
    runner.handle_sigterm = _as_ctrl_c  # type: ignore[method-assign]
    for deployment in served:
        runner.add_deployment(deployment)
    return runner


async def _run_when_due(runner: Runner, names: Sequence[str]) -> None:
    """Start runs when they are due, and log those that the server cancels."""
    skipped = asyncio.create_task(log_skipped_runs(names))
    try:
        await runner.start()
    finally:
        skipped.cancel()


def _as_ctrl_c(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGINT)
