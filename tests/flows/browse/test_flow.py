"""The command `refinery browse`: mistakes are one line, and a port that is taken is no mistake."""

import socket
from pathlib import Path

import pytest

from flows.browse.flow import ClosedGallery, browse, listening
from pipeline.errors import UserError
from tests.builders.tables.drawn_refinement import drawn_root


def test_mistakes_are_one_line_each(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no finished refinement"):
        browse(str(tmp_path))
    root = str(drawn_root(tmp_path_factory))
    for who in ("policy", "a\nb", "x" * 300):
        with pytest.raises(UserError, match="--who"):
            browse(root, who=who)
    for port in (-1, 70_000):
        with pytest.raises(UserError, match=f"--port {port}"):
            browse(root, port=port, who="ann")


def test_a_port_that_is_taken_gives_another_one_on_this_machine_alone() -> None:
    with listening(0) as first:
        port = first.getsockname()[1]
        socket.create_connection(first.getsockname(), timeout=5).close()  # it waits for the server to start
        with listening(port) as second:
            assert second.getsockname()[0] == "127.0.0.1"
            assert second.getsockname()[1] != port
            assert second.family == socket.AF_INET


def test_decisions_that_wait_are_said() -> None:
    assert "wait in the ledger" in ClosedGallery("r", True).lines()[0]
    assert "in the labels" in ClosedGallery("r", False).lines()[0]
