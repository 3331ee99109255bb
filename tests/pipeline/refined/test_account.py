"""The account: every photo is kept or removed with a reason, or an error is raised."""

import pyarrow as pa
import pytest

from pipeline import schema
from pipeline.refined.account import UnbalancedAccountError, account_labels


def labels(*rows: tuple[str, str | None, str | None, str]) -> pa.Table:
    """Labels of (face, claimed, identity, reason)."""
    return pa.Table.from_pylist(
        [{"face_id": f, "key": f, "claimed": c, "identity": i, "reason": r} for f, c, i, r in rows],
        schema=schema.LABELS,
    )


def test_every_photo_is_kept_or_has_a_reason() -> None:
    shards = [
        labels(("1", "a", "a", ""), ("2", "a", None, "outlier")),
        labels(("3", "b", "a", "merge"), ("4", None, None, "no_face")),
    ]
    account = account_labels(shards, ingested=4)
    assert (account.kept, account.removed, account.moved) == (2, {"no_face": 1, "outlier": 1}, 1)
    assert (account.identities_claimed, account.identities_kept) == (2, 1)
    assert [r["photos"] for r in account.rows()] == [2, 1, 1, 4]


@pytest.mark.parametrize(
    ("rows", "ingested"),
    [
        ([("1", "a", "a", "")], 2),
        ([("1", "a", "a", ""), ("1", "a", "a", "")], 2),
        ([("1", "a", None, "")], 1),
        ([("1", "a", "a", ""), ("2", "a", "a", "")], 1),
    ],
)
def test_an_account_that_does_not_balance_raises(rows: list, ingested: int) -> None:
    with pytest.raises(UnbalancedAccountError):
        account_labels([labels(*rows)], ingested=ingested)
