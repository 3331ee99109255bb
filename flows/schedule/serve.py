"""The loop that goes on by itself: two schedules on a Prefect server, served from here until Ctrl-C.

One refines and asks; the other, more often, collects what people answered and asks on. What each of them is given are
the options of `refine` and of `review send`, so whatever those commands learn, this one has.
"""

import asyncio
import inspect
import logging
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Annotated, Any

import typer
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.deployments.runner import RunnerDeployment
from prefect.exceptions import ObjectNotFound
from prefect.runner import Runner
from prefect.types.entrypoint import EntrypointType

from flows.cli.result import Result
from flows.prefect_runtime.gpu_limit import LIMIT as GPU
from flows.prefect_runtime.server import prefect_server
from flows.refine.flow import refine
from flows.refine.source_pairs import parse_sources
from flows.review import flow as review
from flows.schedule.deployments import TARGET_NOISE, refinement, reviewing
from flows.schedule.webhook import listen
from pipeline.errors import UserError
from pipeline.refined.export import FORMATS

log = logging.getLogger("refinery")
# of a deployment's runs one at a time; one that is due while another goes on is left out, the next one is soon
ALONE = ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW)
Z = 1.96  # of a 95 % interval
FILES = ("detector", "embedder", "second_embedder", "groups", "roster")  # options that may name a file


@dataclass(frozen=True)
class Served(Result):
    """What was served until it was stopped."""

    deployments: list[str]

    def lines(self) -> list[str]:
        """One line for people."""
        return [f"stopped; served until now: {', '.join(self.deployments)}"]


def serve(
    source: Annotated[list[str], typer.Argument(metavar="SOURCE PATH...", help="As for refine.")],
    root: Annotated[str, typer.Option(help="Where the tables go, as for refine.")],
    detector: Annotated[str, typer.Option(help="As for refine.")],
    embedder: Annotated[str, typer.Option(help="As for refine.")],
    export: Annotated[
        str,
        typer.Option(help="Folder for the data set: one folder in it for each state, `latest` leads to the newest."),
    ] = "",
    format: Annotated[str, typer.Option(help="Of the exported data set: parquet, recordio or folder.")] = "parquet",
    refine_cron: Annotated[
        str, typer.Option(help="When to refine and ask; UTC. Empty: only when told to.")
    ] = "0 3 * * *",
    review_cron: Annotated[str, typer.Option(help="When to collect and ask on; UTC.")] = "*/15 * * * *",
    target_noise: Annotated[
        float,
        typer.Option(help="Share of wrong labels: nothing is asked once the audit's upper 95% bound is under it."),
    ] = TARGET_NOISE,
    webhook_port: Annotated[
        int, typer.Option(help="Loopback port on which Label Studio's webhook may ask for a collect; 0: none.")
    ] = 0,
    **given: Any,
) -> Served:
    """Refine, ask, collect and export on schedules, until Ctrl-C; on PREFECT_API_URL's server, or one of its own."""
    given |= {"source": source, "root": root, "detector": detector, "embedder": embedder}
    own = {"export": export, "format": format, "target_noise": target_noise}
    both = deployments(_placed(given), own, refine_cron=refine_cron, review_cron=review_cron)
    names = [f"{d.flow_name}/{d.name}" for d in both]
    # from here on there is something to tidy up; a job in the background ignores Ctrl-C, and with it what stands for it
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _as_ctrl_c)
    with suppress(KeyboardInterrupt), prefect_server() as url, ExitStack() as stack:
        _allow_one_gpu()
        if webhook_port:
            stack.enter_context(listen(webhook_port, names[1]))
        runner = _runner(both)
        log.info("%s: served on %s until Ctrl-C", " and ".join(names), url.removesuffix("/api"))
        asyncio.run(runner.start())
    return Served(names)


def _runner(both: Sequence[RunnerDeployment]) -> Runner:
    """What starts the runs as they fall due, each in a process of its own; the deployments are on the server then."""
    runner = Runner()
    # Prefect's own way with this signal leaves the schedules on and a traceback behind
    runner.handle_sigterm = _as_ctrl_c  # type: ignore[method-assign]
    for deployment in both:
        runner.add_deployment(deployment)
    return runner


def _as_ctrl_c(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGINT)


def deployments(
    given: Mapping[str, Any], own: Mapping[str, Any], *, refine_cron: str, review_cron: str
) -> tuple[RunnerDeployment, RunnerDeployment]:
    """The two deployments; given: options of refine and of review send, own: what both scheduled flows take.

    Raises UserError for a schedule or a format that is none.
    """
    if own["format"] not in FORMATS:
        raise UserError(f"--format {own['format']}: give one of {', '.join(FORMATS)}")
    refining, asking = split(given)
    _tell_small_audit(int(asking.get("audit", 0)), float(own["target_noise"]))
    return (
        _deployment(refinement, "refine", refine_cron, {"refining": refining, "asking": asking, **own}),
        _deployment(reviewing, "review", review_cron, {"root": refining["root"], "asking": asking, **own}),
    )


def split(given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What of the options is refine's, and what is review send's (but for the root, which it is given anyway)."""
    refining, asking = (inspect.signature(f).parameters for f in (refine.fn, _send()))
    return {k: v for k, v in given.items() if k in refining}, {
        k: v for k, v in given.items() if k in asking and k != "root"
    }


def _deployment(flow: Any, name: str, cron: str, parameters: dict[str, Any]) -> RunnerDeployment:
    try:
        made: RunnerDeployment = flow.to_deployment(
            name,
            cron=cron or None,
            parameters=parameters,
            paused=False,
            concurrency_limit=ALONE,
            entrypoint_type=EntrypointType.MODULE_PATH,
        )
    except ValueError:
        raise UserError(f'--{name}-cron "{cron}" is no schedule: give five fields like "0 3 * * *"') from None
    return made


def _tell_small_audit(audit: int, target_noise: float) -> None:
    """Said at once, not after weeks: even an audit without a fault has an upper bound, z² / (n + z²) of Wilson's."""
    least = ceil(Z**2 * (1 - target_noise) / target_noise) if target_noise > 0 else 0
    if 0 < audit < least:
        log.warning(
            "--audit %d cannot show less than %.2f%% of wrong labels: it takes %d, until then it is asked on",
            audit,
            100 * target_noise,
            least,
        )


def _placed(given: Mapping[str, Any]) -> dict[str, Any]:
    """The options with every path absolute: the runs have working folders of their own."""
    placed = dict(given)
    placed["source"] = [word for s in parse_sources(given["source"]) for word in (s.kind, f"{s.name}={s.path}")]
    placed["test_set"] = [str(Path(p).absolute()) for p in given.get("test_set", [])]
    if "://" not in given["root"]:
        placed["root"] = str(Path(given["root"]).absolute())
    for option in FILES:
        if given.get(option) and Path(given[option]).exists():
            placed[option] = str(Path(given[option]).absolute())
    return placed


def _allow_one_gpu() -> None:
    """The limit that runs on a graphics card wait for, made once: what someone set on the server stands."""
    with get_client(sync_client=True) as client:
        try:
            client.read_global_concurrency_limit_by_name(GPU)
        except ObjectNotFound:
            client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=GPU, limit=1))


def _send() -> Callable[..., Any]:
    return getattr(review.send, "fn", review.send)  # the plain function, should it be a flow


def _with_options() -> None:
    """Give serve, which takes **given, the options of refine and of review send that it has not itself."""
    signature = inspect.signature(serve)
    own = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
    options: dict[str, inspect.Parameter] = {}
    for function in (refine.fn, _send()):
        for name, p in inspect.signature(function).parameters.items():
            if name not in signature.parameters:
                options.setdefault(name, p.replace(kind=inspect.Parameter.KEYWORD_ONLY))
    serve.__signature__ = signature.replace(parameters=[*own, *options.values()])  # type: ignore[attr-defined]
    serve.__annotations__ |= {p.name: p.annotation for p in options.values()}
    serve.__annotations__.pop("given", None)


_with_options()
