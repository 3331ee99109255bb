"""`refinery verify`, and what labels and exports are made of: every file is read as it was written, or not at all."""

import json
import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from flows.refine.export import export
from flows.refine.labels import labels
from flows.refine.verify import verify
from pipeline.errors import UserError
from pipeline.refinement import latest
from pipeline.tables.digests import DamagedFile
from tests.builders.file_trees import file_bytes
from tests.builders.flipped_bits import flip_bit
from tests.builders.photos.refined_world import refine_drawn, refined_world_of_run
from tests.builders.processes.command_line import Command, error_line

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def whole(drawn_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of a refinement that no test may change."""
    return refined_world_of_run(drawn_world, tmp_path_factory)


def what_is_made(root: Path, out: Path) -> dict[str, bytes]:
    """The bytes of the labels and of an export."""
    out.mkdir()
    labels(str(root), out / "labels.tsv")
    export(str(root), out / "export")
    return {n: b for n, b in file_bytes(out).items() if not n.endswith("README.md")}


def test_after_any_flipped_bit_the_data_is_right_or_it_is_told(whole: Path, drawn_world: Path, tmp_path: Path) -> None:
    """One bit of one file of every table, and of refinement.json; then the same command makes all of it again."""
    right = what_is_made(shutil.copytree(whole, tmp_path / "right"), tmp_path / "right-out")
    files = [table.shards[0].path for table in latest(str(whole)).tables.values()]
    files += [f"{table.name}/{table.address}.json" for table in latest(str(whole)).tables.values()]
    told = 0
    for number, name in enumerate(files):
        root = shutil.copytree(whole, tmp_path / f"root-{number}")
        flip_bit(root / name, seed=number)
        assert [fault.name for fault in verify(str(root)).faults] == [name] if name.endswith("parquet") else True
        with suppress(UserError):
            assert what_is_made(root, tmp_path / f"out-{number}") == right, name
            continue
        told += 1
        with suppress(DamagedFile):  # a manifest that gives another digest of a shard: that shard is set aside
            refine_drawn(drawn_world, root)
            assert what_is_made(root, tmp_path / f"again-{number}") == right, name
            continue
        refine_drawn(drawn_world, root)
        assert what_is_made(root, tmp_path / f"again-{number}") == right, name
    assert told > len(files) / 2


def test_verify_counts_the_files_of_a_root_and_of_an_export(whole: Path, tmp_path: Path, refinery: Command) -> None:
    root = shutil.copytree(whole, tmp_path / "root")
    status, printed, err = refinery("verify", root)
    assert status == 0, printed + err
    assert "files are as they were written" in printed
    export(str(root), tmp_path / "out")
    assert refinery("verify", tmp_path / "out")[0] == 0
    flip_bit(tmp_path / "out/part-00000.parquet", seed=1)
    status, printed, _ = refinery("verify", tmp_path / "out", "--json")
    assert (status, [f["name"] for f in json.loads(printed)["faults"]]) == (1, ["part-00000.parquet"])
    export(str(root), tmp_path / "rec", format="recordio")
    assert refinery("verify", tmp_path / "rec")[0] == 0
    flip_bit(tmp_path / "rec/train.rec", seed=2)
    status, printed, _ = refinery("verify", tmp_path / "rec")
    assert status == 1
    assert "train.rec: other bytes than were written" in printed
    export(str(root), tmp_path / "faces", format="folder")
    assert refinery("verify", tmp_path / "faces")[0] == 0
    changed, gone, *_ = sorted((tmp_path / "faces").glob("*/*.jpg"))
    flip_bit(changed, seed=3)
    gone.unlink()
    status, printed, _ = refinery("verify", tmp_path / "faces", "--json")
    named = {f["name"]: f["what"] for f in json.loads(printed)["faults"]}
    first, second = (str(p.relative_to(tmp_path / "faces")) for p in (changed, gone))
    assert (status, named) == (1, {first: "other bytes than were written", second: "missing"})
    for line in ("../other/face.jpg\tabc\n", "one cell\n"):
        (tmp_path / "faces/digests.tsv").write_text(f"path\tdigest\n{line}")
        assert "digests.tsv is damaged (line 2): export" in error_line(refinery("verify", tmp_path / "faces"))
    (root / latest(str(root)).faces.shards[0].path).unlink()
    status, printed, _ = refinery("verify", root)
    assert status == 1
    assert ": missing" in printed
    assert "holds neither refinement.json nor manifest.json" in refinery("verify", tmp_path / "none")[2]


def test_a_shard_that_is_gone_is_never_exported_as_an_empty_part(whole: Path, tmp_path: Path) -> None:
    root = shutil.copytree(whole, tmp_path / "root")
    export(str(root), tmp_path / "first")
    for shard in (root / "refined").rglob("*.parquet"):
        shard.unlink()
    export(str(root), tmp_path / "second")
    first, second = file_bytes(tmp_path / "first"), file_bytes(tmp_path / "second")
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name] and name != "README.md"] == []
