"""The record of a request, from which an erasure refines again."""

from dataclasses import fields, replace
from pathlib import Path

import pytest

from flows.refine.request import RefineRequest
from pipeline.sample.models import DETECTOR, EMBEDDER

HOW_IT_RUNS = {"workers", "memory_bytes"}


def test_a_record_gives_the_request_again_with_every_option(tmp_path: Path) -> None:
    for folder in ("photos", "test", "others"):
        (tmp_path / folder).mkdir()
    boxes, groups = tmp_path / "boxes.csv", tmp_path / "groups.csv"
    boxes.write_text("path,x1,y1,x2,y2\na/1.jpg,1,2,3,4\n")
    groups.write_text("identity,group\na,one\n")
    given = RefineRequest.parse(
        ["image-folder", f"mine={tmp_path / 'photos'}"],
        str(DETECTOR),
        str(EMBEDDER),
        second_embedder=str(EMBEDDER),
        test_set=[str(tmp_path / "test")],
        reference=[str(tmp_path / "others")],
        groups=str(groups),
        aligned=True,
        flip="add",
        min_faces=3,
        undecided="drop",
        lost_per_noise=2.0,
        shards=16,
        workers="2",
        memory="1GB",
        follow_links=True,
        identity_level=1,
        boxes=[str(boxes)],
    )
    given = replace(given, choose=False, textures=True)
    defaults = RefineRequest.parse(["image-folder", str(tmp_path / "photos")], str(DETECTOR), str(EMBEDDER))
    names = {field.name for field in fields(RefineRequest)}
    for name in names - {"models"}:
        assert getattr(given, name) != getattr(defaults, name), f"{name} has its default, so its loss would not be seen"
    again = RefineRequest.of_record("root", given.record(), groups=given.groups)
    for name in names - HOW_IT_RUNS - {"models"}:
        one, other = getattr(given, name), getattr(again, name)
        assert (list(one) == list(other)) if isinstance(one, list | tuple) else (one == other), name
    assert [e.named_by for e in again.models.embedders] == [e.named_by for e in given.models.embedders]
    assert again.models.detector.named_by == given.models.detector.named_by
    assert again.record() == given.record()


def test_a_record_holds_no_path_that_depends_on_the_folder_of_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("photos", "test", "others"):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path)
    words, models = ["image-folder", "photos"], (str(DETECTOR), str(EMBEDDER))
    record = RefineRequest.parse(words, *models, test_set=["test"], reference=["others"]).record()
    monkeypatch.chdir("/")
    assert RefineRequest.of_record("root", record, groups={}).record() == record
