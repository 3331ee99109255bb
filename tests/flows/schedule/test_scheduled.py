"""The scheduled flows: one export for each change of labels, no two runs on a root at once, an end of questions."""

from pathlib import Path

import pyarrow as pa
import pytest

from flows.schedule.scheduled import clean_enough, export_if_changed, scheduled_review
from pipeline import schema
from pipeline.errors import UserError
from pipeline.refined.account import account_labels
from pipeline.review.questions.audit import AuditSample, case_of_photo, estimate_noise
from pipeline.tables.build import build
from tests.builders.processes.lock_holder import lock_holder
from tests.builders.tables.label_shards import faces_shard, labels_shard
from tests.builders.tables.partial_refinement import publish_partial

PHOTOS_A_SHARD = 6


def photos_shard(part: int, *, each: int) -> pa.Table:
    """The photos of the same labels."""
    rows = labels_shard(part, each=each).to_pylist()
    return pa.Table.from_pylist([r | {"source": "s", "identity": r["claimed"]} for r in rows], schema=schema.PHOTOS)


def refined(root: str, shards: int) -> str:
    """A root whose refinement has this number of shards of labels; their address."""
    labels = build(
        root, "labels", labels_shard, list(range(shards)), schema=schema.LABELS, params={"each": PHOTOS_A_SHARD}
    )
    faces = build(root, "faces", faces_shard, list(range(shards)), schema=schema.FACES, params={"each": PHOTOS_A_SHARD})
    account = account_labels(labels.batches(), ingested=len(labels))
    photos = build(
        root, "photos", photos_shard, list(range(shards)), schema=schema.PHOTOS, params={"each": PHOTOS_A_SHARD}
    )
    publish_partial(root, photos=photos, labels=labels, faces=faces, account=account)
    return labels.address


def test_an_export_is_made_for_labels_that_have_none_and_latest_leads_to_it(tmp_path: Path) -> None:
    root, out = str(tmp_path / "root"), tmp_path / "out"
    first = refined(root, 1)
    assert export_if_changed(root, str(out)) == str(out / f"parquet-{first}")
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*")}
    assert export_if_changed(root, str(out)) == ""
    assert {p: p.stat().st_mtime_ns for p in out.rglob("*")} == before
    second = refined(root, 2)
    assert export_if_changed(root, str(out)) == str(out / f"parquet-{second}")
    assert (out / "latest").readlink() == Path(f"parquet-{second}")
    assert (out / f"parquet-{first}").is_dir(), "a reader of the older data set is not disturbed"
    refined(root, 1)
    assert export_if_changed(root, str(out)) == "", "these labels were exported before"
    assert (out / "latest" / "identities.tsv").read_bytes() == (out / f"parquet-{first}/identities.tsv").read_bytes()
    assert export_if_changed(root, str(out), format="folder") == str(out / f"folder-{first}"), "another format is new"


def test_without_a_folder_nothing_is_exported(tmp_path: Path) -> None:
    refined(str(tmp_path / "root"), 1)
    assert export_if_changed(str(tmp_path / "root"), "") == ""
    assert [p.name for p in tmp_path.iterdir()] == ["root"]


def test_a_folder_in_the_place_of_latest_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "out/latest").mkdir(parents=True)
    refined(str(tmp_path / "root"), 1)
    with pytest.raises(UserError, match=f"cannot make {tmp_path}/out/latest a link"):
        export_if_changed(str(tmp_path / "root"), str(tmp_path / "out"))


def test_questions_end_at_the_target_and_not_before_the_audit_is_answered() -> None:
    assert not clean_enough(None, 0.005)
    sample = AuditSample("labels", 800, [case_of_photo(str(i), "a", "a", "") for i in range(800)])
    ids = list(sample.wrong_verdicts)
    for wrong, judged, enough in ((0, 800, True), (0, 100, False), (1, 800, False)):
        answers = [{"finding_id": ids[i], "verdict": "yes" if i < wrong else "no"} for i in range(judged)]
        noise = estimate_noise(sample, pa.Table.from_pylist(answers, schema=schema.ANSWERS))
        assert noise is not None
        assert clean_enough(noise.high, 0.005) is enough, (wrong, judged, noise)


def test_a_review_leaves_a_root_alone_that_is_being_refined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("flows.schedule.scheduled.WAIT_FOR_ROOT_S", 0.1)
    refined(str(tmp_path), 1)
    with lock_holder(tmp_path, 60) as other, caplog.at_level("INFO", logger="refinery"):
        run = scheduled_review.fn(str(tmp_path), {"url": "http://127.0.0.1:9"})
        assert run.busy
        assert not run.asked
        assert f"by process {other.pid}" in caplog.text
        assert "answers wait on the server" in caplog.text


def test_before_the_first_refinement_a_review_does_nothing(tmp_path: Path) -> None:
    run = scheduled_review.fn(str(tmp_path / "root"), {"url": "http://127.0.0.1:9"})
    assert (run.asked, run.busy, run.exported) == (False, False, "")
    assert not (tmp_path / "root").exists()
