"""The photos of a refinement counted by fate (kept, relabelled, removed) and reason, by source, identity and group.

The tables are read once, shard by shard; only a few numbers for each identity stay in memory.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pipeline.refinement import Refinement

KEPT, RELABELLED, REMOVED = "kept", "relabelled", "removed"  # fates; kept means under the claimed identity
SIZES = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500)  # lowest number of photos of an identity for each bar of the chart


class IdentityCounts(NamedTuple):
    """The numbers of photos of an identity by fate."""

    identity: str  # "" for photos without a claimed identity
    claimed: int
    kept: int  # claimed photos that keep this identity
    relabelled_to_others: int  # claimed photos that got another identity
    relabelled_from_others: int  # photos claimed by other identities that got this one
    removed_by_reason: dict[str, int]  # claimed photos

    @property
    def removed(self) -> int:
        """The number of claimed photos that were removed."""
        return sum(self.removed_by_reason.values())

    @property
    def changed(self) -> int:
        """The number of photos that left this identity or came to it."""
        return self.claimed - self.kept + self.relabelled_from_others


class FateCounts(NamedTuple):
    """The numbers of claimed photos of several identities: all, removed, and relabelled."""

    name: str
    photos: int
    removed: int
    relabelled: int
    identities: int


class Counts(NamedTuple):
    """All photos counted by fate."""

    flow: dict[tuple[str, str, str], int]  # by source, fate and reason ("" for kept photos)
    identities: list[IdentityCounts]  # the most changed first


def count_photos(refinement: Refinement) -> Counts:
    """The photos of a refinement counted by fate."""
    flow: Counter[tuple[str, str, str]] = Counter()
    claimed_photos: Counter[str] = Counter()
    kept: Counter[str] = Counter()
    relabelled_from_others: Counter[str] = Counter()
    removed: dict[str, Counter[str]] = defaultdict(Counter)
    sources = refinement.photos.batches(["source"])
    labels = refinement.labels.batches(["claimed", "identity", "reason"])
    for photo_rows, label_rows in zip(sources, labels, strict=True):
        rows = label_rows.append_column("source", photo_rows["source"])
        equal = rows.group_by(["source", "claimed", "identity", "reason"]).aggregate([([], "count_all")])
        for source, claimed, identity, reason, n in zip(*(c.to_pylist() for c in equal.columns), strict=True):
            claimed = claimed or ""
            claimed_photos[claimed] += n
            if identity is None:
                removed[claimed][reason] += n
                flow[source, REMOVED, reason] += n
            elif identity == claimed:
                kept[claimed] += n
                flow[source, KEPT, ""] += n
            else:
                relabelled_from_others[identity] += n
                flow[source, RELABELLED, reason] += n
    identities = [
        IdentityCounts(
            identity,
            claimed_photos[identity],
            kept[identity],
            claimed_photos[identity] - kept[identity] - removed[identity].total(),
            relabelled_from_others[identity],
            dict(sorted(removed[identity].items())),
        )
        for identity in sorted({*claimed_photos, *relabelled_from_others})
    ]
    return Counts(dict(sorted(flow.items())), sorted(identities, key=lambda i: (-i.changed, i.identity)))


def noise_by_size(identities: Sequence[IdentityCounts]) -> list[FateCounts]:
    """The counts of identities by size, the number of claimed photos; one entry for each range of SIZES in the data."""
    by_size = []
    for low, high in zip(SIZES, [*SIZES[1:], None], strict=True):
        name = f"{low}+" if high is None else str(low) if high == low + 1 else f"{low}-{high - 1}"
        members = [i for i in identities if i.identity and i.claimed >= low and (high is None or i.claimed < high)]
        by_size += [_fate_counts(name, members)] if members else []
    return by_size


def noise_by_group(identities: Sequence[IdentityCounts], group: Mapping[str, str]) -> list[FateCounts]:
    """The counts of identities by group; group: the group of an identity, by identity.

    Identities without a group are counted together.
    """
    members: dict[str, list[IdentityCounts]] = defaultdict(list)
    for identity in identities:
        if identity.identity and identity.claimed:
            members[group.get(identity.identity, "no group given")].append(identity)
    return [_fate_counts(name, of_group) for name, of_group in sorted(members.items())]


def _fate_counts(name: str, identities: Sequence[IdentityCounts]) -> FateCounts:
    return FateCounts(
        name,
        sum(i.claimed for i in identities),
        sum(i.removed for i in identities),
        sum(i.relabelled_to_others for i in identities),
        len(identities),
    )
