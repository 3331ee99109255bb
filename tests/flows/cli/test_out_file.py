"""--out: what is no regular file is written to and stays, links are followed, no file that is needed is replaced."""

import os
import re
import shutil
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from flows.cli.out_file import check_out
from flows.evaluate.half_precision import half_precision
from flows.evaluate.megaface.noise_list_files import DISTRACTOR_LIST, PROBE_LIST, check_lists, write_lists
from flows.find.contact_sheet import Tile, draw_sheet
from flows.find.flow import find
from flows.refine.labels import labels
from flows.report.flow import report
from pipeline.errors import UserError
from pipeline.report.html.page import ReportPage, page_mark, render
from pipeline.sample.models import EMBEDDER
from pipeline.sources.formats.folder_walk import SHEET_MARK
from tests.builders.file_trees import file_bytes
from tests.builders.tables.drawn_refinement import drawn_root

pytestmark = pytest.mark.slow

FACE = np.full((112, 112, 3), 90, np.uint8)
WRITERS: dict[str, Callable[[str, Path], object]] = {"labels": labels, "report": report}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shutil.copytree(drawn_root(tmp_path_factory), tmp_path_factory.mktemp("out-file") / "root")


def sheet(_: str, out: Path) -> None:
    draw_sheet(FACE, [Tile(FACE, "1  0.90", "name", same=True)], out)


@pytest.mark.parametrize("write", [labels, sheet])
def test_a_pipe_gets_the_bytes_of_the_file_and_stays_a_pipe(
    root: Path, tmp_path: Path, write: Callable[[str, Path], object]
) -> None:
    pipe, file, got = tmp_path / "pipe", tmp_path / "file.png", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    write(str(root), pipe)
    reader.join()
    write(str(root), file)
    assert stat.S_ISFIFO(pipe.lstat().st_mode)
    assert got == [file.read_bytes()]
    assert {p.name for p in tmp_path.iterdir()} == {"pipe", "file.png"}


@pytest.mark.parametrize("write", [labels, sheet])
def test_behind_a_link_the_file_is_replaced_and_the_link_stays(
    root: Path, tmp_path: Path, write: Callable[[str, Path], object]
) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "file.png")
    for _ in range(2):  # the link leads to nothing, then to the earlier output
        write(str(root), tmp_path / "link")
        assert (tmp_path / "link").readlink() == tmp_path / "file.png"
        assert (tmp_path / "file.png").stat().st_size > 100


def test_an_earlier_output_is_replaced_and_no_other_file(root: Path, tmp_path: Path) -> None:
    own = {"labels": tmp_path / "labels", "report": tmp_path / "report"}
    own["labels"].touch()
    for _ in range(2):
        labels(str(root), own["labels"])
    own["report"].write_text(render(ReportPage("title", "lead", [], [])))
    check_out(own["report"], page_mark("refinery report"), kind="a page")
    (tmp_path / "photo").write_bytes(b"\xff\xd8 a photo")
    before = file_bytes(tmp_path)
    for name, write in WRITERS.items():
        for out in (*(file for kind, file in own.items() if kind != name), tmp_path / "photo"):
            with pytest.raises(UserError, match="is there already and is not"):
                write(str(root), out)
    assert file_bytes(tmp_path) == before


@pytest.mark.parametrize(
    "name", ["refinement.json", ".lock", "ledger", "ledger/a.parquet", "labels/new.tsv", "faces/x/y.tsv"]
)
@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_nothing_is_written_among_the_files_of_a_root(
    root: Path, name: str, write: Callable[[str, Path], object]
) -> None:
    before = file_bytes(root)
    with pytest.raises(UserError, match="belongs to the refinement"):
        write(str(root), root / name)
    assert file_bytes(root) == before


def test_beside_the_files_of_a_root_an_output_may_be_written(root: Path) -> None:
    for out in (root / "labels.tsv", root / "my reports" / "labels.tsv"):
        out.parent.mkdir(exist_ok=True)
        assert labels(str(root), out).photos
        out.unlink()


@pytest.mark.parametrize("suffix", [".jpg", ".svg", ""])
def test_a_sheet_of_any_kind_is_known_again(tmp_path: Path, suffix: str) -> None:
    sheet("", tmp_path / f"sheet{suffix}")
    assert [p.name for p in tmp_path.iterdir()] == [f"sheet{suffix}"]
    check_out(tmp_path / f"sheet{suffix}", re.compile(re.escape(SHEET_MARK)), kind="a sheet")


def test_find_replaces_no_picture_that_it_did_not_draw(tmp_path: Path) -> None:
    (tmp_path / "found.png").write_bytes(b"\x89PNG a picture")
    with pytest.raises(UserError, match="is there already and is not a sheet"):
        find(str(tmp_path / "photos"), tmp_path / "photo.jpg", out=tmp_path / "found.png")


def test_a_model_in_full_precision_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(EMBEDDER.read_bytes())
    for _ in range(2):
        half_precision(str(EMBEDDER), tmp_path / "half.onnx")
    with pytest.raises(UserError, match="no model in half precision"):
        half_precision(str(EMBEDDER), tmp_path / "model.onnx")
    assert (tmp_path / "model.onnx").read_bytes() == EMBEDDER.read_bytes()


def test_published_lists_of_the_same_name_are_not_replaced(tmp_path: Path) -> None:
    write_lists(tmp_path, {PROBE_LIST: ["a.jpg"], DISTRACTOR_LIST: []})
    check_lists(tmp_path, str(tmp_path / "root"))
    (tmp_path / DISTRACTOR_LIST).write_text("0/1@N00/2.jpg\n")
    with pytest.raises(UserError, match=f"{DISTRACTOR_LIST} is there already"):
        check_lists(tmp_path, str(tmp_path / "root"))
