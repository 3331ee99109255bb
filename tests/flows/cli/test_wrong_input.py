"""Wrong input on the command line: one line that says what, where and what to do, before any work is done."""

import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.builders.processes.command_line import Command, error_line, options
from tests.builders.small_world import World


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
def test_a_path_that_is_no_image_folder(
    refinery: Command, models: dict, tmp_path: Path, make: Callable, expected: str
) -> None:
    make(tmp_path / "photos")
    line = error_line(refinery("refine", tmp_path / "root", "image-folder", tmp_path / "photos", *options(models)))
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
    line = error_line(refinery("refine", tmp_path / "root", "ms-celeb", tmp_path / "faces.tsv", *options(models)))
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
        line = error_line(refinery("refine", tmp_path / "root", "record-io", folder, *options(models)))
        assert f"train.{name}" in line
        assert "byte" in line


class Hostile:
    """An object whose pickle would run a command when it is loaded."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.system, (f"touch {self.path}",)


@pytest.mark.material
def test_a_bin_with_a_hostile_pickle_runs_nothing(refinery: Command, world: World, tmp_path: Path) -> None:
    (tmp_path / "lfw.bin").write_bytes(pickle.dumps(([Hostile(str(tmp_path / "owned"))], [True])))
    refine_options = options(world.models, test_set=tmp_path / "lfw.bin")
    line = error_line(refinery("refine", tmp_path / "root", "image-folder", world.photos, *refine_options))
    assert "lfw.bin" in line
    assert not (tmp_path / "owned").exists()


@pytest.mark.material
def test_a_test_set_without_a_readable_photo_is_told_before_the_long_work(
    refinery: Command, few: World, tmp_path: Path
) -> None:
    (tmp_path / "raw.bin").write_bytes(pickle.dumps(([bytes(112 * 112 * 3), b"x"], [True])))
    refine_options = options(few.models, test_set=tmp_path / "raw.bin")
    line = error_line(refinery("refine", tmp_path / "root", "image-folder", few.photos, *refine_options))
    assert f"none of the 2 photos of {tmp_path / 'raw.bin'} can be used (unreadable" in line
    assert len(list((tmp_path / "root/faces").glob("*.json"))) == 1, "the test set's faces alone"


@pytest.mark.material
@pytest.mark.parametrize("option", ["detector", "embedder", "second_embedder"])
def test_files_that_are_no_models(refinery: Command, world: World, material: Path, tmp_path: Path, option: str) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"\x08\x07not a model")
    other = material / f"models/{'arcface_mobilefacenet_ms1m' if option == 'detector' else 'yunet_n_320_320'}.onnx"
    for file, expected in (
        (tmp_path / "broken.onnx", "not an ONNX model"),
        (other, "is not a"),
        (tmp_path / "x", "is not there"),
    ):
        refine_options = options({**world.models, option: str(file)})
        line = error_line(refinery("refine", tmp_path / "root", "image-folder", world.photos, *refine_options))
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
        (["image-folder", "x", "--lost-per-noise", "0"], "give a number above 0, such as 0.5 or 2"),
        (["image-folder", "x", "--lost-per-noise", "inf"], "give a number above 0, such as 0.5 or 2"),
        (["image-folder", "x", "--flip", "both"], "none, add, concatenate"),
        (["image-folder", "x", "--workers", "many"], "give a number of processes"),
        (["megaface", "--probes", "x"], "--probes alone: give --probes and --gallery"),
        (["megaface", "y", "--gallery", "x"], "--gallery alone"),
    ],
)
def test_impossible_options(
    refinery: Command, models: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list, expected: str
) -> None:
    (tmp_path / "x").mkdir()
    monkeypatch.chdir(tmp_path)
    assert expected in error_line(refinery("refine", tmp_path / "root", *words, *options(models)))
