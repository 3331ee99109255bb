"""The account of the files beside photos: how many are left out, by reason and by suffix."""

import re
from collections import Counter
from collections.abc import Iterable

from pipeline.sources.formats.folder_walk import NOT_A_PHOTO, FolderEntry
from pipeline.sources.photo_kinds import suffix_of

PLAIN_SUFFIX = re.compile(r"\.[a-z0-9_-]{1,12}")  # that is shown as it is
MAX_SHOWN = 8  # suffixes


def ignored_by_reason(entries: Iterable[FolderEntry]) -> Counter[str]:
    """The number of entries that are no photos, by reason; files that are not photos with their suffix."""
    ignored = [entry for entry in entries if entry.ignored]
    return Counter(f"{e.ignored}: {_shown_suffix(e.name)}" if e.ignored == NOT_A_PHOTO else e.ignored for e in ignored)


def fewer_suffixes(ignored: Counter[str]) -> dict[str, int]:
    """Counts by reason without those that are 0; of suffixes only the MAX_SHOWN most frequent ones by themselves."""
    suffixes = [reason for reason in ignored if reason.startswith(f"{NOT_A_PHOTO}: ")]
    rare = sorted(suffixes, key=lambda reason: (-ignored[reason], reason))[MAX_SHOWN:]
    others = {f"{NOT_A_PHOTO}: other suffixes": sum(ignored[reason] for reason in rare)}
    counts = {reason: count for reason, count in ignored.items() if reason not in rare} | others
    return {reason: count for reason, count in counts.items() if count}


def _shown_suffix(name: str) -> str:
    """The suffix of a file that is no photo, as part of a reason."""
    suffix = suffix_of(name)
    return suffix if PLAIN_SUFFIX.fullmatch(suffix) else "no suffix" if not suffix else "another suffix"
