"""Photos that annotators are to judge first, without those of an erased person."""

from pathlib import Path

from pipeline.review.questions.asked_for import FILE, ask_for, asked_for, no_longer_ask_for


def test_photos_that_go_are_taken_out_and_an_empty_list_leaves_no_file(tmp_path: Path) -> None:
    root = str(tmp_path)
    no_longer_ask_for(root, {"a"})
    assert not list(tmp_path.iterdir()), "without a list nothing is written"
    ask_for(root, ["a", "b"])
    no_longer_ask_for(root, {"a", "c"})
    assert asked_for(root) == ["b"]
    no_longer_ask_for(root, {"b"})
    assert not (tmp_path / FILE).exists()
