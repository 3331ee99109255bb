"""A short soak of refinements and of a review; `make soak` runs a long one."""

import shutil
from pathlib import Path

import pytest

from tests.builders.photos.drawn_world import PEOPLE, PHOTOS, SEED, drawn_world_of_run
from tests.chaos.killed_command import SIGNAL_SHARES, run_command
from tests.chaos.soak.run import SoakFaultsError, soak


@pytest.mark.slow
@pytest.mark.server
def test_a_few_kills_of_refinements_and_of_a_review_lose_nothing(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    shutil.copytree(drawn_world_of_run(tmp_path_factory), tmp_path / "world")
    report = soak(tmp_path, kills=3, review_kills=2, people=PEOPLE, photos=PHOTOS, seed=SEED)
    kills = report.kills["refine"]
    assert kills.total() >= 3
    assert kills.keys() <= SIGNAL_SHARES.keys()
    assert report.restarts == kills.total() + report.kills["review"].total()
    assert report.refinements >= 1
    assert report.kills["review"].total() >= 2
    assert report.reviews >= 1
    assert report.pages_answered > 0
    assert report.checks > 25, report.lines()
    assert report.faults.total() == 0
    assert "0 photos unaccounted for" in "\n".join(report.lines())


def test_a_fault_ends_the_soak_with_its_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.chaos.soak.run.draw_world", lambda *_args, **_options: None)
    monkeypatch.setattr(
        "tests.chaos.soak.run.undisturbed_steps", lambda bench: bench.report.check("lost", ["answer 1"], "collect")
    )
    with pytest.raises(SoakFaultsError, match=r"1 answers lost or invented.*lost: collect: answer 1"):
        soak(tmp_path, kills=0, review_kills=0)


@pytest.mark.slow
def test_a_command_that_is_not_killed_gives_its_status_and_last_line(tmp_path: Path) -> None:
    words = ["labels", str(tmp_path / "none"), "--out", str(tmp_path / "o.tsv")]
    result = run_command(words, root=tmp_path, log=tmp_path / "log")
    assert (result.status, result.killed, result.orphans) == (2, False, False)
    assert "no finished refinement at" in result.last_line
