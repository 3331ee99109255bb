"""The keys of artifacts: Prefect accepts them, and roots of one server do not share any."""

import re
from pathlib import Path

import pytest

from flows.prefect_runtime.artifacts import artifact_key

ROOTS = ("/a/faces", "/b/faces", "s3://bucket/faces", "/a/Größe & Öl/", "/", "/a/" + "x" * 200, "/a/é")


def test_every_root_has_a_key_of_its_own_that_prefect_accepts() -> None:
    keys = [artifact_key("account", root) for root in ROOTS]
    assert len(set(keys)) == len(ROOTS)
    assert all(re.fullmatch(r"account-[a-z0-9][a-z0-9-]*", key) for key in keys)
    assert artifact_key("account", "/a/faces").startswith("account-faces-")


def test_a_relative_root_and_its_absolute_path_have_one_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert artifact_key("account", "root") == artifact_key("account", str(tmp_path / "root"))
