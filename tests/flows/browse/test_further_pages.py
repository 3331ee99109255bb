"""What the pages compute in the background, and the models by which a photo is looked for."""

import logging
import threading
from dataclasses import replace

import pytest

from flows.browse import further_pages
from flows.browse.computed import Computed, is_computing
from flows.browse.further_pages import _Models
from flows.browse.gallery import Loading
from flows.find import flow as find_flow
from flows.refine.models import load_embedder
from pipeline.errors import UserError
from pipeline.refinement import latest
from pipeline.sample.models import DETECTOR, EMBEDDER
from pipeline.tables.naming import plain_value
from tests.builders.processes.served_gallery import wait_until
from tests.builders.tables.drawn_refinement import drawn_root


@pytest.mark.parametrize("flip", ["none", "add"])
def test_a_photo_is_embedded_as_those_of_the_root_are(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, flip: str
) -> None:
    root = str(drawn_root(tmp_path_factory))
    made = latest(root)
    manifest = {**made.embeddings[0].manifest, "params": plain_value({"embedder": load_embedder(str(EMBEDDER), flip)})}
    refinement = replace(
        made,
        embeddings=(replace(made.embeddings[0], manifest=manifest),),
        options=replace(made.options, models=(str(DETECTOR), str(EMBEDDER))),
    )
    for module in (further_pages, find_flow):
        monkeypatch.setattr(module, "latest", lambda _: refinement)
    (embedder,) = _Models(root).get()[1]
    assert embedder == load_embedder(str(EMBEDDER), flip)


def test_what_fails_in_the_background_is_told_and_not_computed_again(caplog: pytest.LogCaptureFixture) -> None:
    runs: list[int] = []

    def compute() -> int:
        go_on.wait(60)
        runs.append(len(runs))
        if len(runs) == 1:
            raise ValueError("a shard is damaged")
        return 7

    computed, go_on = Computed(compute, "wait"), threading.Event()

    def asked(version: str) -> int | str:
        try:
            return computed.of(version)
        except Loading:
            return ""
        except UserError as error:
            return str(error)

    with caplog.at_level(logging.WARNING):
        assert (asked("one"), is_computing()) == ("", True)
        go_on.set()
        wait_until(lambda: asked("one"))
        assert "a shard is damaged" in str(asked("one"))
        assert runs == [0]
    assert caplog.text.count("browse: a shard is damaged") == 1
    wait_until(lambda: asked("two"))
    assert (asked("two"), runs) == (7, [0, 1])
    wait_until(lambda: not is_computing())


def test_the_end_of_a_computation_and_its_value_are_seen_together() -> None:
    """A page that asks between the two would begin the same computation again."""
    computed = Computed(lambda: 7, "wait")
    computed._running = True
    thread = threading.Thread(target=computed._run, args=("one",))
    with computed._lock:  # somebody asks
        thread.start()
        thread.join(0.1)
        assert (computed._running, computed._value) == (True, None)
    thread.join()
    assert (computed._running, computed.of("one")) == (False, 7)
