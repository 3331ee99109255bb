"""The loop by itself: what each schedule is given; and for some minutes on a real Prefect and a real Label Studio."""

import inspect
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.flows import load_flow_from_entrypoint

from flows.refine.flow import refine
from flows.review import flow as review
from flows.schedule.serve import deployments, serve, split
from pipeline.errors import UserError

GIVEN = {
    "source": ["image-folder", "/p"],
    "root": "/r",
    "detector": "d",
    "embedder": "e",
    "aligned": True,
    "url": "http://127.0.0.1:1",
    "budget": 7,
    "groups": "/g.csv",
    "workers": "2",
}
OWN = {"export": "/out", "format": "parquet", "target_noise": 0.01}
EVERY = "* * * * *"


def test_each_option_goes_to_the_flow_that_knows_it() -> None:
    refining, asking = split(GIVEN)
    assert refining == {k: GIVEN[k] for k in ("source", "root", "detector", "embedder", "aligned", "workers")}
    assert asking == {k: GIVEN[k] for k in ("url", "budget", "groups")}


def test_serve_has_every_option_of_refine_and_of_review_send() -> None:
    there = inspect.signature(serve).parameters
    for function in (refine.fn, review.send.fn):
        assert set(inspect.signature(function).parameters) <= set(there)
    assert there["budget"].default == inspect.signature(review.send.fn).parameters["budget"].default


def test_the_two_deployments_never_overlap_with_themselves_and_know_all_they_need() -> None:
    first, second = deployments(GIVEN, OWN, refine_cron="0 3 * * *", review_cron="*/15 * * * *")
    assert [s.schedule.cron for d in (first, second) for s in d.schedules] == ["0 3 * * *", "*/15 * * * *"]
    for made in (first, second):
        assert made.concurrency_limit == 1
        assert made.concurrency_options.collision_strategy.value == "CANCEL_NEW"
        assert made.parameters["export"] == "/out"
        assert made.parameters["target_noise"] == 0.01
        assert made.parameters["asking"]["budget"] == 7
        flow = load_flow_from_entrypoint(made.entrypoint)
        assert set(made.parameters) <= set(flow.parameters.properties)
    assert first.parameters["refining"]["detector"] == "d"
    assert second.parameters["root"] == "/r"
    assert not deployments(GIVEN, OWN, refine_cron="", review_cron=EVERY)[0].schedules


@pytest.mark.parametrize(
    ("own", "cron", "message"),
    [
        ({"format": "zip"}, EVERY, "--format zip: give one of"),
        ({}, "at noon", '--review-cron "at noon" is no schedule'),
    ],
)
def test_a_mistake_is_one_line(own: dict[str, Any], cron: str, message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        deployments(GIVEN, {**OWN, **own}, refine_cron=EVERY, review_cron=cron)


def test_an_audit_too_small_for_the_target_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="refinery"):
        deployments({**GIVEN, "audit": 765}, {**OWN, "target_noise": 0.005}, refine_cron="", review_cron=EVERY)
        assert not caplog.text
        deployments({**GIVEN, "audit": 764}, {**OWN, "target_noise": 0.005}, refine_cron="", review_cron=EVERY)
        assert "--audit 764 cannot show less than 0.50% of wrong labels: it takes 765" in caplog.text


def test_the_deployments_for_a_work_pool_are_those_that_are_served() -> None:
    written = yaml.safe_load((Path(__file__).parents[3] / "prefect.yaml").read_text())["deployments"]
    served = deployments(GIVEN, OWN, refine_cron="0 3 * * *", review_cron="*/15 * * * *")
    for theirs, ours in zip(written, served, strict=True):
        assert theirs["name"] == ours.name
        assert theirs["entrypoint"] == ours.entrypoint
        assert theirs["schedules"][0]["cron"] == ours.schedules[0].schedule.cron
        assert theirs["concurrency_limit"] == {"limit": 1, "collision_strategy": "CANCEL_NEW"}
        assert set(theirs["parameters"]) == set(ours.parameters) - {"format"}
        assert set(theirs["parameters"]["asking"]) <= set(inspect.signature(review.send.fn).parameters)
        refining = set(theirs["parameters"].get("refining", {}))
        assert refining <= set(inspect.signature(refine.fn).parameters)
