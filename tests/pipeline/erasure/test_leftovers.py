"""What is left of an erased person in a root, and is removed."""

from pathlib import Path

import pytest

from pipeline.erasure.leftovers import remove_exports
from pipeline.errors import UserError
from tests.builders.file_trees import put_files
from tests.builders.processes.user_nobody import as_user_nobody


def test_an_export_that_cannot_be_removed_is_no_removed_export(tmp_path: Path) -> None:
    put_files(tmp_path, {"closed/one/face.jpg": b"face", "two/face.jpg": b"face"})
    for folder in (tmp_path, *(p for p in tmp_path.parents if p.name.startswith(("pytest-", "popen-")))):
        folder.chmod(0o755)
    (tmp_path / "closed/one").chmod(0o555)
    with as_user_nobody(), pytest.raises(UserError, match=r"closed/one .*which shows the person: remove it"):
        remove_exports(str(tmp_path), ["closed/one"])
    (tmp_path / "closed/one").chmod(0o755)
    remove_exports(str(tmp_path), ["closed/one", "two", "gone before"])
    assert not list(tmp_path.rglob("*.jpg"))
