"""What became of the photos of a refinement, counted by source, reason, identity and group of identities.

One pass over labels and photos, shard by shard; only a few numbers for each identity stay in memory.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pipeline.refinement import Refinement

KEPT, RELABELLED, REMOVED = "kept", "relabelled", "removed"  # kept: under the claimed identity
SIZES = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500)  # photos of an identity, where a bar of the chart by size begins


class IdentityCounts(NamedTuple):
    """The photos of an identity: claimed, kept, relabelled as another person, relabelled as this one, and removed."""

    identity: str  # "" for photos that claim none
    claimed: int
    kept: int
    relabelled_to_others: int
    relabelled_from_others: int
    removed_by_reason: dict[str, int]

    @property
    def removed(self) -> int:
        """Photos removed."""
        return sum(self.removed_by_reason.values())

    @property
    def changed(self) -> int:
        """Photos whose label is not the claimed one, and photos of other identities that are labelled as this one."""
        return self.claimed - self.kept + self.relabelled_from_others


class FateCounts(NamedTuple):
    """The photos of several identities: how many there are, how many were removed and relabelled."""

    name: str
    photos: int
    removed: int
    relabelled: int
    identities: int


class Counts(NamedTuple):
    """Photos by source, fate and reason ("" for kept photos); and by identity, the most changed first."""

    flow: dict[tuple[str, str, str], int]
    identities: list[IdentityCounts]


def count_photos(refinement: Refinement) -> Counts:
    """What became of every photo of a refinement."""
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
    """The noise of identities with few photos and with many, by the number of photos that claim them."""
    shares = []
    for low, high in zip(SIZES, [*SIZES[1:], None], strict=True):
        name = f"{low}+" if high is None else str(low) if high == low + 1 else f"{low}-{high - 1}"
        members = [i for i in identities if i.identity and i.claimed >= low and (high is None or i.claimed < high)]
        shares += [_fate_counts(name, members)] if members else []
    return shares


def noise_by_group(identities: Sequence[IdentityCounts], group: Mapping[str, str]) -> list[FateCounts]:
    """The noise by group of identities; group: by identity, those without one are counted together."""
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
