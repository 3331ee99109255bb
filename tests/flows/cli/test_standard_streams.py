"""Standard output that is full, closed, or no longer read: one line and a status, and the work is done all the same."""

import io
import os
import subprocess
from pathlib import Path

import pyarrow as pa
import pytest

from flows.cli.standard_streams import StandardOutput, UnwritableOutput
from pipeline import schema
from pipeline.tables.build import build
from tests.builders.processes.command_line import COMMAND
from tests.builders.tables.partial_refinement import publish_partial

FULL = "refinery: cannot write to standard output (No space left on device): "


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A root with the label of one photo."""
    folder = str(tmp_path_factory.mktemp("root"))
    publish_partial(folder, labels=build(folder, "labels", one_label, [0], schema=schema.LABELS))
    return folder


def one_label(_: int) -> pa.Table:
    return pa.Table.from_pylist([{"face_id": "a", "key": "a.jpg", "reason": "no_face"}], schema=schema.LABELS)


def run(redirection: str, *words: str) -> subprocess.CompletedProcess[str]:
    """A command with its standard streams redirected by a shell."""
    script = f'exec "$@" {redirection}'
    return subprocess.run(["sh", "-c", script, "sh", *COMMAND, *words], capture_output=True, text=True, check=False)


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="the full device is Linux's")
@pytest.mark.parametrize("words", [["--version"], ["verify", "ROOT", "--json"]])
def test_a_full_standard_output_is_one_line(root: str, words: list[str]) -> None:
    finished = run("> /dev/full", *(root if word == "ROOT" else word for word in words))
    (line,) = [line for line in finished.stderr.splitlines() if line.startswith("refinery: ")]
    assert line.startswith(FULL)
    assert (finished.returncode, finished.stderr.count("Errno")) == (2, 0)


def test_a_command_without_streams_does_its_work(root: str, tmp_path: Path) -> None:
    """As a daemon has none. Its files do not get the numbers of the streams: nothing else is written into them."""
    out = tmp_path / "labels.tsv"
    assert run("<&- >&- 2>&-", "labels", root, "--out", str(out)).returncode == 0
    assert out.read_text() == "key\tclaimed\tidentity\treason\tscore\na.jpg\t\t\tno_face\t\n"
    failed = run("<&- >&- 2>&-", "labels", root, "--out", str(tmp_path / "none/labels.tsv"))
    assert (failed.returncode, failed.stdout, failed.stderr) == (2, "", "")


def test_where_nobody_reads_any_more_nothing_is_said() -> None:
    readable, writable = os.pipe()
    os.close(readable)
    stream = StandardOutput(io.FileIO(writable, "w"), write_through=True)
    with pytest.raises(UnwritableOutput) as raised:
        stream.write("a result\n")
    assert raised.value.messages == ()
    stream.detach().close()
