"""Files and folders appear whole or not at all; what killed processes left is removed, what others write is not."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pipeline import whole_files
from pipeline.whole_files import whole_file, whole_folder, write_whole

KILLED = """
import os, signal, sys
from pathlib import Path
from pipeline import whole_files
with getattr(whole_files, sys.argv[1])(Path(sys.argv[2])) as temporary:
    file = temporary / "part" if temporary.is_dir() else temporary
    file.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("kind", ["whole_file", "whole_folder"])
def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "out [1]"
    killed = subprocess.run([sys.executable, "-c", KILLED, kind, str(target)], check=False)
    assert killed.returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".out [1].")
    with getattr(whole_files, kind)(target) as temporary:
        (temporary / "part" if temporary.is_dir() else temporary).write_text("whole")
    assert [p.name for p in tmp_path.iterdir()] == ["out [1]"]
    assert (target / "part" if target.is_dir() else target).read_text() == "whole"


def test_after_an_error_the_earlier_file_is_unchanged(tmp_path: Path) -> None:
    write_whole(tmp_path / "a", "first")
    with pytest.raises(ZeroDivisionError), whole_file(tmp_path / "a") as temporary:
        temporary.write_text(str(1 / (temporary.write_text("half") - 4)))
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"a": "first"}


def test_two_that_write_the_same_name_do_not_disturb_each_other(tmp_path: Path) -> None:
    texts = {str(number) * 100_000 for number in range(8)}
    threads = [threading.Thread(target=write_whole, args=(tmp_path / "a", text)) for text in texts]
    with whole_file(tmp_path / "a") as temporary:
        temporary.write_text("last")
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (tmp_path / "a").read_text() in texts
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"a": "last"}


def test_a_temporary_file_that_another_writer_takes_for_a_leftover_is_made_anew(tmp_path: Path) -> None:
    left = iter(("removed", "locked", "ours"))
    holders: list[int] = []

    def make(file: Path) -> None:
        file.touch()
        before_the_lock = next(left)
        if before_the_lock == "removed":
            whole_files._remove_leftovers(tmp_path / "a")
        if before_the_lock == "locked":
            holders.append(whole_files._locked(file))

    with whole_files._locked_temporary(tmp_path / "a", make) as temporary:
        assert next(left, None) is None
        whole_files._remove_leftovers(tmp_path / "a")
        assert temporary.exists(), "it is locked"
        with pytest.raises(BlockingIOError):
            whole_files._locked(temporary)
    os.close(holders[0])
    whole_files._remove_leftovers(tmp_path / "a")
    assert not list(tmp_path.iterdir())


def test_a_name_is_given_only_after_its_bytes_are_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []

    def sync(descriptor: int) -> None:
        synced.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name.partition(".tmp")[0])

    monkeypatch.setattr(os, "fsync", sync)
    with whole_folder(tmp_path / "out") as folder:
        (folder / "sub").mkdir()
        (folder / "sub/file").write_text("x")
        temporary = folder.name.removesuffix(".tmp")
    assert synced.index("file") < synced.index(temporary) < synced.index(tmp_path.name)
    synced.clear()
    write_whole(tmp_path / "a", b"x")
    assert synced[0].startswith(".a.")
    assert synced[-1] == tmp_path.name


def test_a_link_to_an_empty_folder_stays_and_the_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    with whole_folder(tmp_path / "link") as temporary:
        (temporary / "file").write_text("x")
    assert (tmp_path / "link").is_symlink()
    assert [p.name for p in (tmp_path / "folder").iterdir()] == ["file"]


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="links to open files are Linux's")
def test_an_open_file_is_written_where_it_stands(tmp_path: Path) -> None:
    """As /dev/stdout does, the link leads to an open file; what the file held stays, and later writes follow."""
    with open(tmp_path / "open", "wb", buffering=0) as stream:
        (tmp_path / "stdout").symlink_to(f"/proc/self/fd/{stream.fileno()}")
        stream.write(b"before ")
        write_whole(tmp_path / "stdout", b"data ")
        stream.write(b"after")
    assert (tmp_path / "open").read_bytes() == b"before data after"
    assert {p.name for p in tmp_path.iterdir()} == {"open", "stdout"}
