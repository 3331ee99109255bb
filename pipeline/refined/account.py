"""The account: photos kept + photos removed by reason = photos ingested, or nothing leaves."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa


class Unaccounted(AssertionError):  # noqa: N818
    """Photos came in that neither stay nor have a reason: a fault of the program, never of its user."""


@dataclass(frozen=True)
class Account:
    """Where every photo went."""

    ingested: int
    kept: int
    removed: dict[str, int]  # by reason
    moved: int  # kept under another identity than claimed
    identities_claimed: int
    identities_kept: int

    def rows(self) -> list[dict[str, object]]:
        """The account as lines of a table: what, photos, share of the ingested."""
        lines = [("kept", self.kept)] + [(f"removed: {r}", n) for r, n in sorted(self.removed.items())]
        table: list[dict[str, object]] = [
            {"what": what, "photos": n, "share": f"{n / max(1, self.ingested):.1%}"} for what, n in lines
        ]
        return [*table, {"what": "ingested", "photos": self.ingested, "share": "100.0%"}]


def account(labels: Iterable[pa.Table], *, ingested: int) -> Account:
    """The account of labels that come shard by shard.

    Raises Unaccounted when a photo is missing, comes twice, is removed without a reason, or when the sums disagree.
    """
    seen: set[str] = set()
    removed: Counter[str] = Counter()
    claimed: set[str] = set()
    left: set[str] = set()
    rows = kept = moved = 0
    for table in labels:
        for face, claim, identity, reason in zip(
            *(table[c].to_pylist() for c in ("face_id", "claimed", "identity", "reason")), strict=True
        ):
            rows += 1
            seen.add(face)
            claimed.add(claim or "")
            if identity is None and not reason:
                raise Unaccounted(f"photo {face} is removed without a reason")
            if identity is None:
                removed[reason] += 1
            else:
                kept += 1
                moved += identity != claim
                left.add(identity)
    if rows != ingested or len(seen) != ingested or kept + sum(removed.values()) != ingested:
        raise Unaccounted(f"{ingested} photos ingested, {rows} labels for {len(seen)} of them, {kept} kept")
    return Account(ingested, kept, dict(sorted(removed.items())), moved, len(claimed - {""}), len(left))
