"""What is read of a task's row: the files of the pictures that its page shows."""

from pathlib import Path
from types import SimpleNamespace

from pipeline.review.label_studio.images import PictureAddresses, picture_addresses, shown_faces
from pipeline.review.label_studio.page_data import task_data
from pipeline.review.label_studio.server_rows import task_of
from pipeline.review.questions.question import GRID, Item, Question


def test_the_picture_files_of_a_task_are_those_that_were_written_for_its_page(tmp_path: Path) -> None:
    question = Question("q", GRID, "Ann", ("a", "b"), (), (Item("i", "c", "yes", "words"),))
    media = tmp_path / "files"
    addresses: PictureAddresses = picture_addresses(shown_faces([question]), {}, media=media)
    task = task_of(SimpleNamespace(id=1, data=task_data(question, addresses), total_annotations=0))
    assert task.pictures == {file.name for file in media.iterdir()}
    assert task.pictures
    inside = picture_addresses(shown_faces([question]), {}, media=None)
    assert not task_of(SimpleNamespace(id=1, data=task_data(question, inside), total_annotations=0)).pictures
