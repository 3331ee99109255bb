"""The command line as a user meets it: one clear line for every mistake, a status for scripts, JSON on request."""

import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from flows.cli import app
from tests.builders.command_line import COMMAND, Command, error_line, options
from tests.builders.small_world import World


def test_worker_processes_load_nothing_of_the_command_that_starts_them() -> None:
    code = "import sys, flows.cli.console; print([m for m in ('prefect', 'torch', 'pyarrow') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


@pytest.mark.material
@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda p: None, "is not there"),
        (lambda p: p.mkdir(), "holds no photo"),
        (lambda p: (p.mkdir(), (p / "a.jpg").write_bytes(b"x")), "no identities"),
        (lambda p: p.write_bytes(b"x"), "is a file: give the folder"),
    ],
    ids=["missing", "empty", "no identities", "a file"],
)
def test_an_image_folder_that_is_none(
    refinery: Command, models: dict, tmp_path: Path, make: Callable, expected: str
) -> None:
    make(tmp_path / "photos")
    line = error_line(refinery("refine", "image-folder", tmp_path / "photos", *options(models, tmp_path / "root")))
    assert expected in line
    assert str(tmp_path / "photos") in line
    assert ": " in line.removeprefix("refinery: "), "it says what to do"


@pytest.mark.material
def test_a_folder_that_cannot_be_read(models: dict, tmp_path: Path) -> None:
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("giving up root takes root and setpriv")
    (tmp_path / "photos/ann").mkdir(parents=True)
    (tmp_path / "photos/ann/1.jpg").write_bytes(b"x")
    (tmp_path / "photos/ann").chmod(0)
    from pipeline.errors import UserError

    pid = os.fork()
    if pid == 0:  # a child that is nobody
        status = 1
        try:
            for folder in (tmp_path, *tmp_path.parents):
                if folder.stat().st_uid == 0 and folder != Path("/"):
                    folder.chmod(folder.stat().st_mode | 0o055)
            os.setuid(65534)
            from pipeline.sources.formats import image_folder

            image_folder.parts(tmp_path / "photos")
        except UserError as error:
            status = 0 if "ann" in str(error) and "cannot be read" in str(error) else 3
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@pytest.mark.material
def test_a_tsv_with_wrong_columns(refinery: Command, models: dict, tmp_path: Path) -> None:
    (tmp_path / "faces.tsv").write_text("m.01\tonly\tthree\n" * 3)
    line = error_line(refinery("refine", "ms-celeb", tmp_path / "faces.tsv", *options(models, tmp_path / "root")))
    assert "faces.tsv" in line
    assert "column" in line


@pytest.mark.material
def test_a_truncated_rec_and_an_idx_past_the_end(
    refinery: Command, material: Path, models: dict, tmp_path: Path
) -> None:
    for name in ("rec", "idx"):
        folder = tmp_path / name
        shutil.copytree(material / "record_io/plain", folder)
        (folder / "train.rec").chmod(0o644)
        (folder / "train.idx").chmod(0o644)
        if name == "rec":
            data = (folder / "train.rec").read_bytes()
            (folder / "train.rec").write_bytes(data[: len(data) // 2])
            (folder / "train.idx").unlink()
        else:
            with open(folder / "train.idx", "a") as stream:
                stream.write("24\t99999999\n")
        line = error_line(refinery("refine", "record-io", folder, *options(models, tmp_path / "root")))
        assert f"train.{name}" in line
        assert "byte" in line


class Hostile:
    """What a hostile pickle asks for."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.system, (f"touch {self.path}",)


@pytest.mark.material
def test_a_bin_with_a_hostile_pickle_runs_nothing(refinery: Command, world: World, tmp_path: Path) -> None:
    (tmp_path / "lfw.bin").write_bytes(pickle.dumps(([Hostile(str(tmp_path / "owned"))], [True])))
    given = options(world.models, tmp_path / "root", test_set=tmp_path / "lfw.bin")
    line = error_line(refinery("refine", "image-folder", world.photos, *given))
    assert "lfw.bin" in line
    assert not (tmp_path / "owned").exists()


@pytest.mark.material
@pytest.mark.parametrize("option", ["detector", "embedder", "second_embedder"])
def test_models_that_are_none(refinery: Command, world: World, material: Path, tmp_path: Path, option: str) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"\x08\x07not a model")
    other = material / f"models/{'arcface_mobilefacenet_ms1m' if option == 'detector' else 'yunet_n_320_320'}.onnx"
    for file, expected in (
        (tmp_path / "broken.onnx", "no ONNX model"),
        (other, "is no "),
        (tmp_path / "x", "is not there"),
    ):
        given = options({**world.models, option: str(file)}, tmp_path / "root")
        line = error_line(refinery("refine", "image-folder", world.photos, *given))
        assert expected in line
        assert str(file) in line
    assert not (tmp_path / "root").exists(), "told before any work is done"


@pytest.mark.material
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["image-folder"], "give pairs of SOURCE and PATH"),
        (["folder", "x"], "no source is called folder"),
        (["image-folder", "x", "--undecided", "maybe"], "give keep or drop"),
        (["image-folder", "x", "--min-faces", "0"], "give 1 or more"),
        (["image-folder", "x", "--flip", "both"], "none, add, concatenate"),
        (["image-folder", "x", "--workers", "many"], "give a number of processes"),
        (["megaface", "--probes", "x"], "--probes alone: give --probes and --gallery"),
        (["megaface", "y", "--gallery", "x"], "--gallery alone"),
    ],
)
def test_options_that_cannot_be(refinery: Command, models: dict, tmp_path: Path, words: list, expected: str) -> None:
    assert expected in error_line(refinery("refine", *words, *options(models, tmp_path / "root")))


def test_without_a_refinement_there_is_nothing_to_take(refinery: Command, tmp_path: Path) -> None:
    for command in (
        ["labels", tmp_path, tmp_path / "o.tsv"],
        ["export", tmp_path, tmp_path / "o"],
        ["clean", tmp_path],
    ):
        assert "no finished refinement at" in error_line(refinery(*command))


def test_usage_mistakes_have_status_2_and_help_has_units(refinery: Command) -> None:
    assert refinery("refine", "--nonsense")[0] == 2
    status, out, _ = refinery("refine", "--help")
    assert status == 0
    for word in ("--root", "--detector", "--min-faces", "Photos;", "--workers", "default"):
        assert word in out


@pytest.mark.material
def test_a_full_disk_is_one_line_and_the_next_run_goes_on(
    refinery: Command, world: World, refined: Path, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if (
        os.geteuid() != 0
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=900k", "tmpfs", disk], check=False).returncode
    ):
        pytest.skip("mounting a small disk takes root")
    try:
        line = error_line(refinery("refine", "image-folder", world.photos, *options(world.models, disk / "root")))
        assert "no room left on the disk" in line
        assert not (disk / "root/refinement.json").exists()
        subprocess.run(["mount", "-o", "remount,size=200m", disk], check=True)
        assert refinery("refine", "image-folder", world.photos, *options(world.models, disk / "root"))[0] == 0
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.material
def test_json_is_for_scripts_and_nothing_else_is_on_standard_output(
    refinery: Command, world: World, refined: Path, tmp_path: Path
) -> None:
    status, out, _ = refinery("refine", "image-folder", world.photos, *options(world.models, refined), "--json")
    found = json.loads(out)
    assert status == 0
    assert found["account"]["ingested"] == len(world.truth)
    assert found["thresholds"]
    status, out, _ = refinery("labels", refined, tmp_path / "o.tsv", "--json")
    assert json.loads(out)["photos"] == len(world.truth)
    assert (tmp_path / "o.tsv").read_text().splitlines()[0].split("\t") == [
        "key",
        "claimed",
        "identity",
        "reason",
        "score",
    ]


@pytest.mark.material
def test_clean_removes_what_nothing_refers_to_and_no_more(
    refinery: Command, world: World, refined: Path, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    shutil.copytree(refined, root)
    (root / "mine.txt").write_text("mine")
    (root / "faces/0123456789abcdef0123").mkdir(parents=True)
    (root / "faces/0123456789abcdef0123/0123456789abcdef0123.parquet").write_bytes(b"old")
    assert "0 files" in refinery("clean", root)[1], "younger than an hour"
    assert "would be removed" in refinery("clean", root, "--min-age", 0, "--dry-run")[1]
    assert "removed" in refinery("clean", root, "--min-age", 0)[1]
    assert (root / "mine.txt").exists()
    assert not (root / "faces/0123456789abcdef0123/0123456789abcdef0123.parquet").exists()
    assert refinery("labels", root, tmp_path / "o.tsv")[0] == 0
    assert refinery("export", root, tmp_path / "out", "--format", "folder")[0] == 0


@pytest.mark.material
@pytest.mark.slow
def test_the_command_with_a_real_prefect_server_leaves_a_run_and_its_account(
    world: World, refined: Path, tmp_path: Path
) -> None:
    environment = {**os.environ, "PREFECT_HOME": str(tmp_path / "prefect")}
    given = [str(w) for w in options(world.models, refined)]
    command = [*COMMAND, "refine", "image-folder", str(world.photos), *given, "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["account"]["ingested"] == len(world.truth)
    ask = (
        "import json\nfrom prefect.client.orchestration import get_client\n"
        "with get_client(sync_client=True) as c:\n"
        "    runs = c.read_flow_runs(); artifacts = c.read_artifacts()\n"
        "    tasks = c.read_task_runs()\n"
        "print(json.dumps([[r.state_name for r in runs], sorted(a.key for a in artifacts),\n"
        "  sorted({t.name.rsplit('-', 1)[0] for t in tasks})]))"
    )
    seen = subprocess.run([sys.executable, "-c", ask], env=environment, capture_output=True, text=True, check=True)
    states, artifacts, tasks = json.loads(seen.stdout)
    assert states == ["Completed"]
    assert artifacts == ["account", "refinement"]
    assert {"photos", "faces", "embeddings", "noise", "label"} <= set(tasks)


@pytest.mark.material
@pytest.mark.slow
def test_ctrl_c_of_a_terminal_ends_the_command_and_its_workers_without_a_word_of_theirs(
    world: World, tmp_path: Path
) -> None:
    environment = {**os.environ, "PREFECT_HOME": str(tmp_path / "prefect")}
    given = [str(w) for w in options(world.models, tmp_path / "root", workers=2, shards=8)]
    heeds = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "  # whoever runs these tests
    command = [*COMMAND[:-1], heeds + COMMAND[-1], "refine", "image-folder", str(world.photos), *given]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True) as begun:
        assert begun.stderr is not None
        assert any("faces: " in line for line in begun.stderr)  # of an empty shard nothing is said
        os.killpg(begun.pid, signal.SIGINT)
        try:
            _, err = begun.communicate(timeout=45)  # a server that is asked in vain is asked for more than a minute
        finally:
            with suppress(ProcessLookupError):
                os.killpg(begun.pid, signal.SIGKILL)
    last = "refinery: stopped; what is finished stays, and the same command goes on from there"
    assert err.splitlines()[-1] == last
    assert [line for line in err.splitlines()[:-1] if " of 8 shards, " not in line] == []
    assert begun.returncode == 130


@pytest.mark.parametrize("gone", [False, True])
def test_ctrl_c_says_that_the_work_goes_on_from_there(
    refinery: Command, monkeypatch: pytest.MonkeyPatch, gone: bool
) -> None:
    def interrupted(**_: object) -> None:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            if gone:  # the server that the end was to be told to
                raise ConnectionRefusedError("nobody there")  # noqa: B904  as it comes about
            raise

    monkeypatch.setattr(app, "RUN", lambda _flow: interrupted)
    status, _, err = refinery("refine", "image-folder", "x", "--root", "r", "--detector", "d", "--embedder", "e")
    assert status == 130
    assert err.splitlines()[-1] == "refinery: stopped; what is finished stays, and the same command goes on from there"
