"""The id of a root is made once and lies beside the ledger's answers."""

import pytest

from pipeline.errors import UserError
from pipeline.review.answers import ledger
from pipeline.review.answers.root_id import FILE, make_root_id, read_root_id


def test_the_id_of_a_root_is_made_once_and_differs_from_other_roots(tmp_path):
    one, other = str(tmp_path / "a" / "root"), str(tmp_path / "b" / "root")
    assert read_root_id(one) is None
    made = make_root_id(one, "root")
    assert read_root_id(one) == made == make_root_id(one, "another name")
    assert make_root_id(other, "root").id != made.id
    assert len(ledger.read(one)) == 0, "no answer"


@pytest.mark.parametrize("damaged", ['{"id": "x"}', "[1]", "", "{"])
def test_a_damaged_id_is_an_error(tmp_path, damaged):
    (tmp_path / FILE).parent.mkdir()
    (tmp_path / FILE).write_text(damaged)
    with pytest.raises(UserError, match="is damaged: put it back from a backup"):
        read_root_id(str(tmp_path))
