"""The account of a refinement: photos kept + photos removed by reason = photos ingested. It is checked on every run."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.refinement import Account


class UnbalancedAccountError(AssertionError):
    """A photo is neither kept nor removed with a reason: an error in this program, not a mistake of its user."""


def account_labels(labels: Iterable[pa.Table], *, ingested: int) -> Account:
    """The account of all labels.

    labels: shard by shard, with the columns face_id, claimed, identity and reason; ingested: the number of photos.
    Raises UnbalancedAccountError when a photo is missing, comes twice or is removed without a reason, and when the sums
    disagree.
    """
    ids: list[NDArray[Any]] = []
    removed_by_reason: Counter[str] = Counter()
    claimed_identities: set[str] = set()
    kept_identities: set[str] = set()
    rows = kept = relabelled = 0
    for table in labels:
        rows += len(table)
        ids.append(_comparable_ids(table["face_id"]))
        removed = table.filter(table["identity"].is_null())
        if unexplained := removed.filter(pc.equal(pc.fill_null(removed["reason"], ""), "")).slice(0, 1).to_pylist():
            raise UnbalancedAccountError(f"photo {unexplained[0]['face_id']} is removed without a reason")
        removed_by_reason.update({r["values"]: r["counts"] for r in removed["reason"].value_counts().to_pylist()})
        kept_rows = table.filter(table["identity"].is_valid())
        kept += len(kept_rows)
        as_claimed = pc.fill_null(pc.equal(kept_rows["identity"], kept_rows["claimed"]), False)
        relabelled += len(kept_rows) - int(pc.sum(as_claimed).as_py() or 0)
        claimed_identities.update(table["claimed"].unique().to_pylist())
        kept_identities.update(kept_rows["identity"].unique().to_pylist())
    distinct = len(np.unique(np.concatenate(ids))) if ids else 0
    if rows != ingested or distinct != ingested or kept + removed_by_reason.total() != ingested:
        raise UnbalancedAccountError(f"{ingested} photos ingested, but {rows} labels of {distinct} photos; {kept} kept")
    reasons = dict(sorted(removed_by_reason.items()))
    return Account(ingested, kept, reasons, relabelled, len(claimed_identities - {None, ""}), len(kept_identities))


def _comparable_ids(ids: pa.ChunkedArray) -> NDArray[Any]:
    """Face_ids as bytes of fixed width, in which distinct ones are counted: 200 MB for ten million photos."""
    words = ids.combine_chunks().cast(pa.binary()).to_numpy(zero_copy_only=False)
    return np.asarray(words, "S")
