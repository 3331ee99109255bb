"""Published lists of noisy photos are compared with photos that are spelled otherwise."""

from pathlib import Path

import pytest

from flows.evaluate.megaface.noise_list_files import (
    compared_name,
    distractor_name,
    log_unmatched,
    probe_name,
    read_list,
)
from pipeline.errors import UserError


@pytest.mark.parametrize(("encoding", "line_end"), [("utf-8-sig", "\r\n"), ("utf-16", "\r"), ("utf-8", "\n")])
def test_names_are_compared_without_suffix_and_blanks(tmp_path: Path, encoding: str, line_end: str) -> None:
    lines = ["# a comment", "Aaron Eckhart_1.png", "", "375\\37531198@N00\\4174611825_0.jpg"]
    (tmp_path / "list.txt").write_bytes(line_end.join(lines).encode(encoding))
    listed = read_list(tmp_path / "list.txt")
    assert compared_name(probe_name("images/Aaron_Eckhart/Aaron_Eckhart_1.jpeg")) in listed
    assert compared_name(distractor_name("FlickrFinal2/375/37531198@N00/4174611825_0.jpg")) in listed
    assert len(listed) == 2


def test_names_that_no_photo_has_are_counted_with_examples(caplog: pytest.LogCaptureFixture) -> None:
    log_unmatched("facescrub_noises.txt", {"d", "b", "a", "c"})
    log_unmatched("megaface_noises.txt", set())
    assert caplog.messages == ["facescrub_noises.txt names 4 photos that are not there: 'a', 'b', 'c'"]


def test_a_list_that_is_missing_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot read the published list"):
        read_list(tmp_path / "none.txt")
