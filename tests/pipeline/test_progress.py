"""A stage logs a line at its end and before that at most one every ten seconds; a terminal shows a bar."""

import io

import pytest

from pipeline import progress


class Clock:
    """A clock that only moves when `now` is changed."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "monotonic", clock)
    return clock


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "refinery"]


def test_a_log_gets_a_line_every_ten_seconds_at_most_and_one_at_the_end(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", logger="refinery"):
        with progress.stage_progress("faces", total=1300, existing=100) as advance:
            for _ in range(1200):
                clock.now += 0.025  # thirty seconds in all
                advance(50)
        assert lines(caplog) == [
            "faces: 500 of 1300 shards, 20000 rows, 10 s",
            "faces: 900 of 1300 shards, 40000 rows, 20 s",
            "faces: 1300 of 1300 shards, 60000 rows, 30 s",
            "faces: 1200 of 1300 shards made, 60000 rows, 30.0 s, 2000 rows/s",
        ]


def test_a_short_stage_is_one_line(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="refinery"):
        with progress.stage_progress("draw", total=2, unit="people") as advance:
            advance(12)
            clock.now += 2
            advance(12)
        assert lines(caplog) == ["draw: 2 of 2 people made, 24 rows, 2.0 s, 12 rows/s"]


def test_a_stage_that_fails_does_not_say_that_it_ended(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    def stopped_stage() -> None:
        with progress.stage_progress("faces", total=2) as advance:
            advance(1)
            raise KeyboardInterrupt

    with caplog.at_level("INFO", logger="refinery"), pytest.raises(KeyboardInterrupt):
        stopped_stage()
    assert lines(caplog) == []


def test_a_terminal_gets_a_bar_and_the_last_line(
    clock: Clock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with caplog.at_level("INFO", logger="refinery"):
        with progress.stage_progress("faces", total=3) as advance:
            for _ in range(3):
                clock.now += 20
                advance(10)
        assert lines(caplog) == ["faces: 3 of 3 shards made, 30 rows, 60.0 s, 0 rows/s"]
    assert "faces" in terminal.getvalue()
    assert "3/3" in terminal.getvalue()
