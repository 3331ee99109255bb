"""Mistakes in a review are one-line errors, before anything is written."""

from functools import partial

import pytest

from flows.review import flow
from flows.review.flow import collect, send, status
from flows.review.root_server import DEFAULT_URL, server_of
from pipeline.errors import UserError
from pipeline.refinement import latest
from pipeline.review.round import RoundLimits, plan_round
from pipeline.root_lock import RootBusyError, root_lock
from tests.builders.processes.lock_holder import lock_holder
from tests.builders.tables.drawn_refinement import refined


def test_a_missing_token_is_an_error_with_advice(tmp_path, monkeypatch):
    monkeypatch.delenv("LABEL_STUDIO_API_KEY", raising=False)
    with pytest.raises(UserError, match=r"no token for http://x:1: set LABEL_STUDIO_API_KEY, or .*review serve"):
        server_of(str(tmp_path), "http://x:1")


def test_the_local_server_of_a_root_is_found_and_its_token_never_shown(tmp_path, monkeypatch):
    monkeypatch.delenv("LABEL_STUDIO_API_KEY", raising=False)
    local = tmp_path / "review" / "server"
    local.mkdir(parents=True)
    (local / "url").write_text("http://127.0.0.1:8123\n")
    (local / "token").write_text("secret-token\n")
    server = server_of(str(tmp_path), "")
    assert (server.url, server.token) == ("http://127.0.0.1:8123", "secret-token")
    assert "secret-token" not in repr(server)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "from the environment")
    assert server_of(str(tmp_path), "").token == "from the environment"


def test_a_token_goes_only_to_the_address_that_it_was_given_for(tmp_path, monkeypatch):
    local = tmp_path / "review" / "server"
    local.mkdir(parents=True)
    (local / "url").write_text("http://127.0.0.1:8123\n")
    (local / "token").write_text("of-the-root\n")
    root, elsewhere = str(tmp_path), "http://elsewhere:1"
    monkeypatch.delenv("LABEL_STUDIO_API_KEY", raising=False)
    monkeypatch.delenv("LABEL_STUDIO_URL", raising=False)
    with pytest.raises(UserError, match=f"no token for {elsewhere}"):
        server_of(root, elsewhere)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "of-the-variable")
    assert server_of(root, elsewhere).token == "of-the-variable", "a person typed that address"
    monkeypatch.setenv("PREFECT__FLOW_RUN_ID", "a-run-whose-parameters-anybody-may-have-set")
    with pytest.raises(UserError, match=f"no token for {elsewhere}: set .* and LABEL_STUDIO_URL={elsewhere}"):
        server_of(root, elsewhere)
    assert server_of(root, "").token == "of-the-root"
    monkeypatch.setenv("LABEL_STUDIO_URL", "http://ours:1/")
    assert server_of(root, "http://ours:1").token == "of-the-variable"
    with pytest.raises(UserError, match=f"no token for {elsewhere}"):
        server_of(root, elsewhere)


@pytest.mark.parametrize("wrong", [{"budget": -1}, {"votes": 0}, {"audit": -5}])
def test_impossible_numbers(tmp_path, wrong):
    with pytest.raises(UserError, match="give 0 or more, and 1 vote at least"):
        send.fn(str(tmp_path), **wrong)


def test_a_root_without_a_refinement(tmp_path):
    with pytest.raises(UserError, match="no finished refinement"):
        send.fn(str(tmp_path))


@pytest.mark.parametrize("step", [send, collect, status])
def test_a_server_that_does_not_answer(tmp_path, monkeypatch, step):
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "0" * 40)
    monkeypatch.setattr("pipeline.review.label_studio.client.FIRST_PATIENCE_S", 0.5)
    refined(str(tmp_path))
    with pytest.raises(UserError, match=r"127\.0\.0\.1:9"):
        step.fn(str(tmp_path), url="http://127.0.0.1:9")
    assert not (tmp_path / "asked").exists()


def test_a_second_send_waits_for_the_first(tmp_path, monkeypatch):
    """Both would send the same questions; the second logs which process it waits for."""
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "0" * 40)
    monkeypatch.setattr(flow, "root_lock", partial(root_lock, wait_s=0.1))
    refined(str(tmp_path))
    with lock_holder(tmp_path, 60) as other, pytest.raises(RootBusyError, match=f"process {other.pid}"):
        send.fn(str(tmp_path), url="http://127.0.0.1:9")
    assert not (tmp_path / "asked").exists()


def test_groups_never_come_near_the_labels(tmp_path):
    """Whatever groups are known, the tables that an export reads are the same."""
    root = str(tmp_path)
    refinement, _ = refined(root)
    before = {role: t.address for role, t in refinement.tables.items()}
    plan_round(refinement, (), {}, RoundLimits(budget=10))
    assert {role: t.address for role, t in latest(root).tables.items()} == before
    assert not [
        c for role in ("labels", "faces", "photos") for c in refinement.tables[role].read().schema.names if c == "group"
    ]


@pytest.mark.parametrize(
    "url", ["https://elsewhere.example", "http://127.0.0.1:80@elsewhere.example", "http://10.0.0.1:80"]
)
def test_an_address_in_a_root_that_came_from_elsewhere_gets_no_token(tmp_path, monkeypatch, url):
    monkeypatch.delenv("LABEL_STUDIO_URL", raising=False)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "mine")
    (tmp_path / "review/server").mkdir(parents=True)
    (tmp_path / "review/server/url").write_text(url)
    assert server_of(str(tmp_path), "").url == DEFAULT_URL
