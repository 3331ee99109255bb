"""The two deployments that `refinery serve` registers, with the options of `refine` and of `review send`."""

import inspect
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml
from prefect.deployments.runner import RunnerDeployment
from prefect.events import AutomationCore, EventTrigger, ResourceSpecification
from prefect.flows import load_flow_from_entrypoint

from flows.refine.flow import refine
from flows.review import flow as review
from flows.schedule.deployments import (
    Schedule,
    absolute_paths,
    checked_deployments,
    deployments,
    named_for_root,
)
from flows.schedule.scheduled import TARGET_NOISE
from flows.schedule.serve import StoppedSchedules, serve
from pipeline.sample.models import DETECTOR, EMBEDDER
from tests.builders.processes.command_line import Command

REFINE_OPTIONS = {
    "root": "/r",
    "source": ["image-folder", "/p"],
    "detector": "d",
    "embedder": "e",
    "aligned": True,
    "workers": "2",
}
SEND_OPTIONS = {"url": "http://127.0.0.1:1", "budget": 7, "groups": "/g.csv"}
ASKED_BY_PEOPLE = {"without_lost_answers"}  # no schedule goes on without answers that are gone
EVERY = "* * * * *"
NOBODY = "http://127.0.0.1:9"
NIGHTLY = Schedule("0 3 * * *", "*/15 * * * *", out="/out", target_noise=0.01)


def test_serve_has_every_option_of_refine_and_of_review_send_with_its_default() -> None:
    serve_parameters = inspect.signature(serve).parameters
    for function in (refine.fn, review.send.fn):
        for name, parameter in inspect.signature(function).parameters.items():
            if name in ASKED_BY_PEOPLE:
                continue
            assert serve_parameters[name].default == parameter.default
            assert serve_parameters[name].annotation == parameter.annotation


def test_serve_gives_every_option_to_the_flow_that_has_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    served: list[RunnerDeployment] = []

    def keep(both: Sequence[RunnerDeployment], **_: object) -> StoppedSchedules:
        served.extend(both)
        return StoppedSchedules([])

    monkeypatch.setattr("flows.schedule.serve.serve_until_ctrl_c", keep)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "token")
    monkeypatch.setenv("LABEL_STUDIO_URL", "before")  # serve sets it, and the test puts it back
    sources = ["image-folder", str(tmp_path)]
    serve(str(tmp_path), sources, str(DETECTOR), str(EMBEDDER), min_faces=3, budget=7, out="/out", url=f"{NOBODY}/")
    assert os.environ["LABEL_STUDIO_URL"] == NOBODY, "runs send the token nowhere else"
    refine_options, send_options = served[0].parameters["refine_options"], served[0].parameters["send_options"]
    assert all(d.name.rpartition("-")[2] in (tmp_path / "ledger/root.json").read_text() for d in served)
    assert set(refine_options) == set(inspect.signature(refine.fn).parameters) - ASKED_BY_PEOPLE
    assert set(send_options) == set(inspect.signature(review.send.fn).parameters) - {"root"}
    assert (refine_options["min_faces"], send_options["budget"], served[0].parameters["out"]) == (3, 7, "/out")


def test_the_deployments_of_two_roots_with_one_name_have_names_of_their_own(tmp_path: Path) -> None:
    one, other = (str(tmp_path / folder / "My Photos") for folder in ("a", "b"))
    served = deployments(REFINE_OPTIONS, SEND_OPTIONS, NIGHTLY)
    names = [d.name for root in (one, other) for d in named_for_root(served, root)]
    assert len(set(names)) == 4
    assert [name.rpartition("-")[0] for name in names] == ["refine-my-photos", "review-my-photos"] * 2
    moved = (tmp_path / "a").rename(tmp_path / "c") / "My Photos"
    assert [d.name for d in named_for_root(served, str(moved))] == names[:2], "the same root somewhere else"


def test_paths_are_absolute_in_the_parameters_of_a_deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("d.onnx", "q.onnx"):
        (tmp_path / name).touch()
    options = {
        "root": "r",
        "source": ["image-folder", "p"],
        "detector": "d.onnx",
        "embedder": "buffalo_l",
        "quality": "q.onnx",
        "test_set": ["t"],
        "boxes": ["b.csv"],
    }
    assert absolute_paths(options) == {
        "root": f"{tmp_path}/r",
        "source": ["image-folder", f"p={tmp_path}/p"],
        "detector": f"{tmp_path}/d.onnx",
        "embedder": "buffalo_l",
        "quality": f"{tmp_path}/q.onnx",
        "test_set": [f"{tmp_path}/t"],
        "boxes": [f"{tmp_path}/b.csv"],
    }
    assert absolute_paths({"root": "s3://bucket/root"}) == {"root": "s3://bucket/root"}


def test_no_deployment_overlaps_with_itself_and_each_has_all_parameters() -> None:
    first, second = deployments(REFINE_OPTIONS, SEND_OPTIONS, NIGHTLY)
    assert [s.schedule.cron for d in (first, second) for s in d.schedules] == ["0 3 * * *", "*/15 * * * *"]
    for deployment in (first, second):
        assert deployment.concurrency_limit == 1
        assert deployment.concurrency_options.collision_strategy.value == "CANCEL_NEW"
        assert deployment.parameters["out"] == "/out"
        assert deployment.parameters["target_noise"] == 0.01
        assert deployment.parameters["send_options"]["budget"] == 7
        flow = load_flow_from_entrypoint(deployment.entrypoint)
        assert set(deployment.parameters) <= set(flow.parameters.properties)
    assert first.parameters["refine_options"]["detector"] == "d"
    assert second.parameters["root"] == "/r"
    assert not deployments(REFINE_OPTIONS, SEND_OPTIONS, Schedule("", EVERY))[0].schedules


def test_all_mistakes_are_told_at_once_before_anything_starts(refinery: Command, tmp_path: Path) -> None:
    words = ("--format", "zip", "--refine-cron", "daily", "--review-cron", "at noon", "--votes", 0, "--workers", "many")
    models = ("--detector", tmp_path / "d.onnx", "--embedder", EMBEDDER)
    more = (*words, "--groups", tmp_path / "g.csv", "--url", NOBODY)
    status, _, err = refinery("serve", tmp_path / "root", "image-folder", tmp_path / "photos", *models, *more)
    assert status == 2
    lines = err.splitlines()
    parts = (
        "g.csv",
        f"no token for {NOBODY}",
        "--votes 0",
        '--refine-cron "daily" is not a schedule',
        '--review-cron "at noon" is not a schedule',
        "photos is not",
        "d.onnx",
        "--workers many",
        "--format zip: give one of",
    )
    for part, line in zip(parts, lines, strict=True):
        assert line.startswith("refinery: ")
        assert part in line
    assert not (tmp_path / "root").exists()


def test_a_label_studio_that_does_not_answer_yet_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "token")
    models = {"detector": str(DETECTOR), "embedder": str(EMBEDDER)}
    refine_options = {"root": str(tmp_path / "root"), "source": ["image-folder", str(tmp_path)], **models}
    send_options = {"url": NOBODY, "groups": "", "roster": "", "budget": 7, "votes": 2, "audit": 200}
    with caplog.at_level("INFO", logger="refinery"):
        checked_deployments(refine_options, send_options, NIGHTLY)
    assert f"no Label Studio answers at {NOBODY} yet" in caplog.text


def test_an_audit_too_small_for_the_target_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="refinery"):
        deployments(REFINE_OPTIONS, {**SEND_OPTIONS, "audit": 765}, Schedule("", EVERY, target_noise=0.005))
        assert not caplog.text
        deployments(REFINE_OPTIONS, {**SEND_OPTIONS, "audit": 764}, Schedule("", EVERY, target_noise=0.005))
        assert "--audit 764 cannot show less than 0.50% of wrong labels: that takes 765 photos" in caplog.text


def test_the_deployments_for_a_work_pool_are_those_that_are_served() -> None:
    written = yaml.safe_load((Path(__file__).parents[3] / "prefect.yaml").read_text())["deployments"]
    served = deployments(REFINE_OPTIONS, SEND_OPTIONS, NIGHTLY)
    for theirs, ours in zip(written, served, strict=True):
        assert theirs["name"] == ours.name
        assert theirs["entrypoint"] == ours.entrypoint
        assert theirs["schedules"][0]["cron"] == ours.schedules[0].schedule.cron
        assert theirs["concurrency_limit"] == {"limit": 1, "collision_strategy": "CANCEL_NEW"}
        assert theirs["parameters"]["target_noise"] == TARGET_NOISE
        assert set(theirs["parameters"]) == set(ours.parameters) - {"format"}
        assert set(theirs["parameters"]["send_options"]) <= set(inspect.signature(review.send.fn).parameters)
        refine_options = set(theirs["parameters"].get("refine_options", {}))
        assert refine_options <= set(inspect.signature(refine.fn).parameters)


def test_the_alert_of_the_guide_is_an_automation_about_the_flows_that_are_served() -> None:
    guide = (Path(__file__).parents[3] / "flows/guides/schedules.md").read_text()
    automation = AutomationCore.model_validate(yaml.safe_load(guide.partition("```yaml")[2].partition("```")[0]))
    assert isinstance(automation.trigger, EventTrigger)
    assert automation.trigger.expect == {"prefect.flow-run.Failed", "prefect.flow-run.Crashed"}
    served = deployments(REFINE_OPTIONS, SEND_OPTIONS, NIGHTLY)
    related = automation.trigger.match_related
    assert isinstance(related, ResourceSpecification)
    assert related["prefect.resource.name"] == [d.flow_name for d in served]
