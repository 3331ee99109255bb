"""The command line: every subcommand is a function of flows, and its options are that function's signature.

Exit status: 0 done, 1 a fault of the program, 2 a mistake in what was given, 130 stopped by Ctrl-C.
"""

import functools
import inspect
import json
import logging
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from threading import Thread
from typing import Annotated, Any

import typer
from prefect.settings import PREFECT_API_URL
from rich.console import Console
from rich.table import Table as Grid

from flows.benchmark import cleaning as benchmark_cleaning
from flows.benchmark import device as benchmark_device
from flows.benchmark import figures as benchmark_figures
from flows.benchmark import megaface as benchmark_megaface
from flows.benchmark import noise as benchmark_noise
from flows.benchmark import peers as benchmark_peers
from flows.benchmark import refine as benchmark
from flows.benchmark import review as benchmark_review
from flows.benchmark import search as benchmark_search
from flows.benchmark import training as benchmark_training
from flows.benchmark import world as benchmark_world
from flows.evaluate.flow import evaluate
from flows.evaluate.megaface_noise_lists import megaface
from flows.find.flow import find
from flows.prefect_runtime.server import run_server
from flows.refine import take_out as take
from flows.refine.apply_list import apply_list
from flows.refine.flow import refine
from flows.refine.half_precision import halve
from flows.refine.self_training import bootstrap
from flows.report.flow import report
from flows.review import flow as review
from flows.review import label_server
from flows.sample import models as sample_models
from flows.sample.flow import demo
from flows.schedule.serve import serve
from flows.train.experiment import experiment
from flows.train.flow import run_recipe
from pipeline.errors import UserError

log = logging.getLogger("refinery")
STOPPED = "stopped; what is finished stays, and the same command goes on from there"
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]


def as_flow(flow: Callable[..., Any]) -> Callable[..., Any]:
    """A call of a Prefect flow, with a word before the seconds in which the server starts."""

    def run(**given: Any) -> Any:
        if not PREFECT_API_URL.value():
            log.info("starting a Prefect server for this run (up to half a minute the first time)")
            starting = Thread(target=run_server, daemon=True)
            starting.start()
            starting.join()
        return flow(**given)

    return run


RUN: Callable[[Callable[..., Any]], Callable[..., Any]] = as_flow


def main() -> None:
    """The console script."""
    _speak()
    try:
        status = _app()(standalone_mode=False)
    except UserError as error:
        _stop(2, str(error))
    except (KeyboardInterrupt, typer.Abort):
        _stop(130, STOPPED)
    except Exception as error:  # the last line of defence: a fault is told in one line, too
        if type(error).__module__.startswith(("click", "typer")) and hasattr(error, "show"):
            error.show()
            sys.exit(2)
        if os.environ.get("REFINERY_DEBUG"):
            raise
        if _by_ctrl_c(error):
            _stop(130, STOPPED)
        _stop(1, f"a fault of the program, not yours: {error} (REFINERY_DEBUG=1 shows where)")
    if status == 130:  # what typer makes of Ctrl-C
        _stop(130, STOPPED)
    sys.exit(status if isinstance(status, int) else 0)


def _by_ctrl_c(error: BaseException | None) -> bool:
    """Whether an error only followed from Ctrl-C, as when a Prefect server of the same terminal obeyed it, too."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _stop(status: int, message: str) -> None:
    sys.stderr.write(f"refinery: {' '.join(message.split())}\n")
    sys.exit(status)


def _speak() -> None:
    """Log lines go to standard error, one line each; standard output is for results."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    log.handlers = [handler]
    log.setLevel(os.environ.get("REFINERY_LOG", "INFO").upper())
    log.propagate = False


def _app() -> typer.Typer:
    app = typer.Typer(
        add_completion=False,
        no_args_is_help=True,
        help="Cleans face-recognition data sets.",
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.command("demo")(_command(demo.fn, run=RUN(demo)))
    app.command("refine")(_command(refine.fn, run=RUN(refine)))
    app.command("labels")(_command(take.labels))
    app.command("export")(_command(take.export))
    app.command("apply-list")(_command(apply_list))
    app.command("train")(_command(run_recipe))
    app.command("evaluate")(_command(evaluate))
    app.command("halve")(_command(halve))
    app.command("megaface")(_command(megaface))
    app.command("report")(_command(report))
    app.command("find")(_command(find))
    app.command("experiment")(_command(experiment.fn, run=RUN(experiment)))
    app.command("bootstrap")(_command(bootstrap.fn, run=RUN(bootstrap)))
    app.command("serve")(_command(serve))
    app.command("clean")(_command(take.clean))
    people = typer.Typer(help="What people say about what the machine is not sure of.", no_args_is_help=True)
    people.command("serve")(_command(label_server.serve))
    people.command("send")(_command(review.send.fn, run=RUN(review.send)))
    people.command("collect")(_command(review.collect.fn, run=RUN(review.collect)))
    people.command("status")(_command(review.status.fn, run=RUN(review.status)))
    app.add_typer(people, name="review")
    group = typer.Typer(help="Measure on this machine, beside a limit in the same run.", no_args_is_help=True)
    group.command("refine")(_command(benchmark.refine))
    group.command("train")(_command(benchmark_training.train))
    group.command("device")(_command(benchmark_device.device))
    group.command("world")(_command(benchmark_world.world))
    group.command("noise")(_command(benchmark_noise.noise))
    group.command("search")(_command(benchmark_search.search))
    group.command("peers")(_command(benchmark_peers.peers))
    group.command("figures")(_command(benchmark_figures.figures))
    group.command("losses")(_command(benchmark_training.losses))
    group.command("cleaning")(_command(benchmark_cleaning.cleaning))
    group.command("megaface")(_command(benchmark_megaface.megaface))
    group.command("review")(_command(benchmark_review.review))
    group.callback()(lambda: None)
    app.add_typer(group, name="benchmark")
    drawn = typer.Typer(help="The drawn sample world and its two small models.", no_args_is_help=True)
    drawn.command("world")(_command(sample_models.world))
    drawn.command("models")(_command(sample_models.models))
    app.add_typer(drawn, name="sample")
    return app


def _command(function: Callable[..., Any], *, run: Callable[..., Any] | None = None) -> Callable[..., None]:
    """A subcommand with a function's own signature and --json, which shows what the function returns."""

    @functools.wraps(function)
    def command(*, json: bool, **given: Any) -> None:
        _show((run or function)(**given), as_json=json)

    signature = inspect.signature(function)
    option = inspect.Parameter("json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=AsJson)
    command.__signature__ = signature.replace(parameters=[*signature.parameters.values(), option])  # type: ignore[attr-defined]
    command.__annotations__ = {**function.__annotations__, "json": AsJson, "return": None}
    del command.__wrapped__
    return command


def _show(result: Any, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(asdict(result), indent=1, sort_keys=True) + "\n")
        return
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
    rows = result.rows()
    if rows:
        grid = Grid(*rows[0], box=None)
        for row in rows:
            grid.add_row(*(str(v) for v in row.values()))
        console.print(grid)
    for line in result.lines():
        console.print(line, soft_wrap=True, markup=False)
