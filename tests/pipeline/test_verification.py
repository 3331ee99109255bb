"""What verify finds damaged is made again by the next run, with the same bytes."""

import json
import shutil
from pathlib import Path

import pytest

from flows.refine.verify import verify
from pipeline.refinement import latest
from pipeline.review.questions.audit import renew_audit
from tests.builders.file_trees import file_bytes
from tests.builders.flipped_bits import flip_bit
from tests.builders.tables.drawn_refinement import drawn_root, refined


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of a refinement, which no test may change."""
    return drawn_root(tmp_path_factory)


def test_damaged_shards_of_every_table_are_set_aside_and_made_again(finished: Path, tmp_path: Path) -> None:
    root = shutil.copytree(finished, tmp_path / "root")
    whole = file_bytes(root)
    shards = sorted(name for name in whole if name.endswith(".parquet"))
    assert {"photos", "clusters", "findings", "decisions", "resolved", "labels"} <= {n.split("/")[0] for n in shards}
    for number, name in enumerate(shards):
        flip_bit(root / name, seed=number)
    faults = verify(str(root)).faults
    assert sorted(fault.name for fault in faults) == shards
    assert all(fault.what.endswith(f"set aside as {Path(fault.name).name}.damaged") for fault in faults)
    assert {fault.what for fault in verify(str(root)).faults} == {"missing"}
    refined(str(root))
    assert {n: b for n, b in file_bytes(root).items() if not n.endswith(".damaged")} == whole
    assert not verify(str(root)).faults


def test_a_manifest_with_another_parameter_is_made_again(finished: Path, tmp_path: Path) -> None:
    root = shutil.copytree(finished, tmp_path / "root")
    whole = file_bytes(root)
    (file,) = (root / "clusters").glob("*.json")
    manifest = json.loads(file.read_text())
    manifest["version"] += 1
    file.write_text(json.dumps(manifest))
    assert verify(str(root)).faults
    refined(str(root))
    assert file_bytes(root) == whole


def test_a_damaged_draw_of_an_audit_is_listed(finished: Path, tmp_path: Path) -> None:
    root = shutil.copytree(finished, tmp_path / "root")
    renew_audit(latest(str(root)), 5, set())
    assert not verify(str(root)).faults
    (draw,) = (root / "ledger/audits").iterdir()
    draw.write_text("{}")
    assert [fault.name for fault in verify(str(root)).faults] == [f"ledger/audits/{draw.name}"]
