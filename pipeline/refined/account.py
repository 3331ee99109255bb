"""The account: photos kept + photos removed by reason = photos ingested, or nothing leaves."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.refinement import Account


class Unaccounted(AssertionError):  # noqa: N818
    """Photos came in that neither stay nor have a reason: a fault of the program, never of its user."""


def account(labels: Iterable[pa.Table], *, ingested: int) -> Account:
    """The account of labels that come shard by shard.

    Raises Unaccounted when a photo is missing, comes twice, is removed without a reason, or when the sums disagree.
    """
    ids: list[NDArray[Any]] = []
    removed: Counter[str] = Counter()
    claimed: set[str] = set()
    left: set[str] = set()
    rows = kept = moved = 0
    for table in labels:
        rows += len(table)
        ids.append(_numbers(table["face_id"]))
        gone = table.filter(table["identity"].is_null())
        if bare := gone.filter(pc.equal(pc.fill_null(gone["reason"], ""), "")).slice(0, 1).to_pylist():
            raise Unaccounted(f"photo {bare[0]['face_id']} is removed without a reason")
        removed.update({r["values"]: r["counts"] for r in gone["reason"].value_counts().to_pylist()})
        stay = table.filter(table["identity"].is_valid())
        kept += len(stay)
        moved += len(stay) - int(pc.sum(pc.fill_null(pc.equal(stay["identity"], stay["claimed"]), False)).as_py() or 0)
        claimed.update(table["claimed"].unique().to_pylist())
        left.update(stay["identity"].unique().to_pylist())
    different = len(np.unique(np.concatenate(ids))) if ids else 0
    if rows != ingested or different != ingested or kept + removed.total() != ingested:
        raise Unaccounted(f"{ingested} photos ingested, {rows} labels for {different} of them, {kept} kept")
    return Account(ingested, kept, dict(sorted(removed.items())), moved, len(claimed - {None, ""}), len(left))


def _numbers(ids: pa.ChunkedArray) -> NDArray[Any]:
    """What ids are told apart by: their bytes, so that those of ten million photos take 200 MB."""
    words = ids.combine_chunks().cast(pa.binary()).to_numpy(zero_copy_only=False)
    return np.asarray(words, "S")
