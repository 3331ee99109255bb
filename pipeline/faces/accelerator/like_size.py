"""Puts items of like size together in batches, and their results back into the items' order, in bounded memory."""

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import NamedTuple, TypeVar

from pipeline.faces.accelerator.byte_session import IN_FLIGHT
from pipeline.tables.prefetch import prefetch

Item = TypeVar("Item")
Result = TypeVar("Result")


class Limits(NamedTuple):
    """most: items in a batch. behind, behind_bytes: how far other items may go ahead of one that waits for its like."""

    most: int
    behind: int
    behind_bytes: int


class Like(NamedTuple):
    """What an item goes with: items of equal keys form batches, one of key None goes alone. bytes: its memory."""

    key: Hashable
    bytes: int = 0


def in_batches_of_like(
    items: Iterable[Item],
    like: Callable[[Item], Like],
    work: Callable[[list[Item]], list[Result]],
    limits: Limits,
) -> Iterator[Result]:
    """Yields the result of every item, in the items' order. work: a batch of like items -> their results.

    The batches are the same for the same items. IN_FLIGHT batches are worked on at a time, on threads of their own.
    """

    def numbered(batch: list[tuple[int, Item]]) -> list[tuple[int, Result]]:
        results = work([item for _, item in batch])
        return [(number, result) for (number, _), result in zip(batch, results, strict=True)]

    ready: dict[int, Result] = {}
    due = 0
    for results in prefetch(numbered, _batches(items, like, limits), threads=IN_FLIGHT, per_thread=1):
        ready.update(results)
        while due in ready:
            yield ready.pop(due)
            due += 1


def _batches(items: Iterable[Item], like: Callable[[Item], Like], limits: Limits) -> Iterator[list[tuple[int, Item]]]:
    groups: dict[Hashable, list[tuple[int, Item]]] = {}  # a group's first item is its oldest, and groups are in order
    begins: dict[Hashable, int] = {}  # the bytes of all items before the group's first
    total = 0
    for number, item in enumerate(items):
        key, size = like(item)
        if key is None:
            yield [(number, item)]
            continue
        group = groups.setdefault(key, [])
        begins.setdefault(key, total)
        group.append((number, item))
        total += size
        if len(group) == limits.most:
            del begins[key]
            yield groups.pop(key)
        while groups:
            oldest = next(iter(groups))
            if number - groups[oldest][0][0] < limits.behind and total - begins[oldest] <= limits.behind_bytes:
                break
            del begins[oldest]
            yield groups.pop(oldest)
    yield from groups.values()
