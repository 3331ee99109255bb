"""Where every photo of a refinement went: by source, by reason, by identity and by group of identities.

One pass over labels and photos, shard by shard; what stays in memory is a few numbers for each identity.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import NamedTuple

from pipeline.refinement import Refinement

SIZES = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500)  # photos of a name, where a bar of the chart by size begins
STAYS = "kept"  # under the claimed name


class Fate(NamedTuple):
    """Of a name: photos that came, that stayed, that went to another name, that came from one, and removed."""

    identity: str
    came: int
    stayed: int
    left: int
    joined: int
    removed: dict[str, int]  # by reason

    @property
    def gone(self) -> int:
        """Photos removed."""
        return sum(self.removed.values())

    @property
    def changed(self) -> int:
        """Photos whose label is another one than claimed, and those that came to it."""
        return self.came - self.stayed + self.joined


class Share(NamedTuple):
    """Of some photos: how many came, were removed, and went to another name."""

    name: str
    photos: int
    removed: int
    moved: int
    identities: int


class Counts(NamedTuple):
    """Photos by source, whether they stay, and why; and by identity, the most changed first."""

    flow: dict[tuple[str, str, str], int]  # source; kept, moved or removed; reason ("" for those that stayed)
    fates: list[Fate]


def count(done: Refinement) -> Counts:
    """Where every photo went."""
    flow: Counter[tuple[str, str, str]] = Counter()
    came: Counter[str] = Counter()
    stayed: Counter[str] = Counter()
    joined: Counter[str] = Counter()
    removed: dict[str, Counter[str]] = defaultdict(Counter)
    tables = (
        done.photos.batches(["source"]),
        done.labels.batches(["claimed", "identity", "reason"]),
    )
    for photos, labels in zip(*tables, strict=True):
        rows = labels.append_column("source", photos["source"])
        alike = rows.group_by(["source", "claimed", "identity", "reason"]).aggregate([([], "count_all")])
        for source, claimed, identity, reason, n in zip(*(c.to_pylist() for c in alike.columns), strict=True):
            claimed = claimed or ""
            came[claimed] += n
            if identity is None:
                removed[claimed][reason] += n
                flow[source, "removed", reason] += n
            elif identity == claimed:
                stayed[claimed] += n
                flow[source, STAYS, ""] += n
            else:
                joined[identity] += n
                flow[source, "moved", reason] += n
    fates = [
        Fate(n, came[n], stayed[n], came[n] - stayed[n] - gone.total(), joined[n], dict(sorted(gone.items())))
        for n, gone in ((n, removed.get(n, Counter())) for n in sorted({*came, *joined}))
    ]
    return Counts(dict(sorted(flow.items())), sorted(fates, key=lambda f: (-f.changed, f.identity)))


def by_size(fates: list[Fate]) -> list[Share]:
    """The noise of names with few photos and with many."""
    of: dict[str, list[Fate]] = {}
    for low, high in zip(SIZES, [*SIZES[1:], None], strict=True):
        name = f"{low}+" if high is None else str(low) if high == low + 1 else f"{low}-{high - 1}"
        of[name] = [f for f in fates if f.identity and f.came >= low and (high is None or f.came < high)]
    return [_share(name, some) for name, some in of.items() if some]


def by_group(fates: list[Fate], group: Mapping[str, str]) -> list[Share]:
    """The noise by group of identities; group: by identity, those without one are left together."""
    of: dict[str, list[Fate]] = defaultdict(list)
    for fate in fates:
        if fate.identity and fate.came:
            of[group.get(fate.identity, "no group given")].append(fate)
    return [_share(name, some) for name, some in sorted(of.items())]


def _share(name: str, some: list[Fate]) -> Share:
    return Share(name, sum(f.came for f in some), sum(f.gone for f in some), sum(f.left for f in some), len(some))
