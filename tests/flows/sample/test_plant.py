"""`refinery plant`: links and edited pictures beside an untouched source, the same bytes again, one-line mistakes."""

import shutil
import tarfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from flows.prefect_runtime.flow_run import PREFECT_VARIABLE
from pipeline.refined.scoring.known_truth import read_truth
from pipeline.sample.cases.truth_tables import IDENTITIES, TRUTH, read_rows
from pipeline.tables import storage
from tests.builders.file_trees import file_bytes
from tests.builders.processes.command_line import Command

MIX = "outliers=.2,misnamed=.05,companions=.3,two-names=.2,duplicates=.2,groups=.2,junk=.1,overlap=.2"


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of people with 1 to 9 photos; a photo is a colour with noise."""
    folder, rng = tmp_path_factory.mktemp("source") / "photos", np.random.default_rng(0)
    for person, size in enumerate([1] * 20 + [3] * 4 + [6] * 8 + [9] * 4):
        (folder / f"Ann {person}").mkdir(parents=True)
        for n in range(size):
            pixels = rng.integers(0, 60, (64, 60, 3)) + rng.integers(0, 190, 3)
            cv2.imwrite(str(folder / f"Ann {person}" / f"{n}.png"), pixels.astype(np.uint8))
    return folder


def stamps(folder: Path) -> dict[str, tuple[int, ...]]:
    """Size, links and times of every file and folder; reading may change the time of access only."""
    status = {str(p): p.stat() for p in [folder, *folder.rglob("*")]}
    return {p: (s.st_size, s.st_nlink, s.st_mtime_ns, s.st_ctime_ns) for p, s in status.items()}


def test_unchanged_photos_are_links_and_the_source_is_not_touched(
    photos: Path, tmp_path: Path, refinery: Command
) -> None:
    before, out = stamps(photos), tmp_path / "out"
    status, printed, errors = refinery("plant", "image-folder", photos, "--out", out, "--mix", MIX)
    assert status == 0, errors
    assert stamps(photos) == before
    rows = read_rows(out)
    for row in rows:
        file = out / "photos" / row["path"]
        changed = row["kind"] in ("duplicate", "junk") or row["planted"] == "group"
        assert file.is_symlink() != changed
        if not changed:
            assert file.read_bytes() == file.resolve().read_bytes()
            assert file.resolve().parent.name.replace(" ", "%20") == row["person"]
    assert {p.relative_to(out / "photos").as_posix() for p in (out / "photos").rglob("*.*")} == {
        r["path"] for r in rows
    }
    assert {"group", "companion", "misnamed", "empty"} <= {row["planted"] for row in rows}
    truth = read_truth(out)
    assert len(truth.keys) == len(rows)
    assert truth.overlap
    assert len(list((out / "test").iterdir())) == 2 * len(truth.overlap)
    assert not [p for p in (out / "test").rglob("*") if p.is_symlink()], "test sets are read without following links"
    assert f"{len(rows)} photos of {len(truth.persons)} identities" in printed
    assert "--follow-links --test-set" in printed
    assert len(read_rows(out, IDENTITIES, ("claimed", "persons"))) == len(truth.persons)


def test_the_same_bytes_after_a_run_that_was_stopped(
    photos: Path, tmp_path: Path, refinery: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("plant", "image-folder", photos, "--mix", MIX, "--seed", "3", "--out")
    assert refinery(*words, tmp_path / "whole")[0] == 0
    put, calls = storage.put, list[str]()

    def stopped(root: str, name: str, data: bytes, **options: Any) -> None:
        calls.append(name)
        if len(calls) == 12:
            raise KeyboardInterrupt
        put(root, name, data, **options)

    monkeypatch.setattr(storage, "put", stopped)
    assert refinery(*words, tmp_path / "part")[0] == 130
    monkeypatch.undo()
    assert not (tmp_path / "part" / TRUTH).exists()
    monkeypatch.setenv(PREFECT_VARIABLE, "off")  # which undo() took back
    assert refinery(*words, tmp_path / "part")[0] == 0
    assert file_bytes(tmp_path / "part") == file_bytes(tmp_path / "whole")
    again = refinery(*words, tmp_path / "part")
    assert again[0] == 0
    assert again[1].replace("part", "whole") == refinery(*words, tmp_path / "whole")[1]
    assert refinery(*words[:-2], "4", "--out", tmp_path / "other")[0] == 0
    assert file_bytes(tmp_path / "other") != file_bytes(tmp_path / "whole")


def test_photos_of_an_archive_are_written(photos: Path, tmp_path: Path, refinery: Command) -> None:
    with tarfile.open(tmp_path / "shard.tar", "w") as tar:
        for file in sorted(photos.rglob("*.png")):
            name = f"{file.parent.name.replace(' ', '')}_{file.stem}"
            (tmp_path / "label").write_text(file.parent.name)
            tar.add(file, f"{name}.png")
            tar.add(tmp_path / "label", f"{name}.cls")
    status, printed, errors = refinery(
        "plant", "webdataset", tmp_path / "shard.tar", "--out", tmp_path / "out", "--mix", "outliers=.2"
    )
    assert status == 0, errors
    assert ": 0 links" in printed
    assert "--follow-links" not in printed
    rows = read_rows(tmp_path / "out")
    assert rows
    assert all((tmp_path / "out/photos" / row["path"]).read_bytes().startswith(b"\x89PNG") for row in rows)


def test_mistakes_are_one_line_each(photos: Path, tmp_path: Path, refinery: Command) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/letter.txt").write_text("dear")
    copy = shutil.copytree(photos, tmp_path / "copy")

    def mistake(*words: object) -> str:
        status, _, errors = refinery("plant", *words)
        assert status == 2
        return errors

    assert "mine is not empty" in mistake("image-folder", photos, "--out", tmp_path / "mine")
    assert "lie in each other" in mistake("image-folder", copy, "--out", copy / "noisy")
    assert "lie in each other" in mistake("image-folder", copy, "--out", tmp_path)
    three = mistake("image-folder", photos, "--out", tmp_path / "out", "--mix", "blur=1", "--embedder", "x.onnx")
    assert len(three.splitlines()) == 2
    assert "groups=0" in mistake("image-folder", photos, "--out", tmp_path / "out", "--aligned")
    assert refinery("plant", "image-folder", photos, "--out", tmp_path / "out", "--mix", "outliers=.2")[0] == 0
    assert "seed differ" in mistake(
        "image-folder", photos, "--out", tmp_path / "out", "--mix", "outliers=.2", "--seed", 1
    )
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["letter.txt"]
