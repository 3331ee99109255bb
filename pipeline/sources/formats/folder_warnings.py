"""Warnings about a tree of photos whose folders may not be identities, told before any photo is read.

Each folder that holds photos is taken as an identity. Two layouts make that wrong: albums inside a person's folder, and
one folder that holds the photos of many people.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import PurePosixPath

MIN_PHOTOS = 10  # of a folder, before it is taken for one of many people
MIN_SHARE = 0.5  # of all photos, likewise
MIN_PARENTS = 4  # fewer folders of folders are rather parts of a data set, such as train and val
MAX_ALBUMS = 10  # of a person, on average; more are rather the people of a part of a data set
GENERAL_NAMES = frozenset({"0", "all", "data", "dataset", "faces", "image", "images", "imgs", "photos", "pictures"})


def layout_warnings(photos: Mapping[str, int]) -> list[str]:
    """What is odd about a tree of photos, one line each; photos: the number of photos by folder, "" is the root."""
    folders = {name: count for name, count in photos.items() if name and count}
    return [line for line in (_albums(folders), _one_identity(folders)) if line]


def _albums(folders: Mapping[str, int]) -> str:
    """A warning where identities lie in folders of other identities, or each person seems to have several folders."""
    inside = {name: outer for name in sorted(folders) if (outer := _outer_identity(name, folders))}
    if inside:
        album, person = next(iter(inside.items()))
        level = Counter(_depth(outer) for outer in inside.values()).most_common(1)[0][0]
        what = f"{len(inside)} folders of photos lie inside another folder of photos"
    else:
        nested = sorted(name for name in folders if "/" in name)
        parents = Counter(name.rpartition("/")[0] for name in nested)
        last_names = {name.rpartition("/")[2] for name in nested}
        fewer_names = len(parents) >= 2 and len(last_names) <= len(parents) < len(nested)
        few_albums = MIN_PARENTS <= len(parents) < len(nested) <= MAX_ALBUMS * len(parents)
        if not (fewer_names or few_albums):
            return ""
        album = next(name for name in nested if parents[name.rpartition("/")[0]] > 1)
        person = album.rpartition("/")[0]
        level = Counter(_depth(parent) for parent in parents).most_common(1)[0][0]
        what = f"{len(nested)} folders of photos lie in {len(parents)} folders"
    return (
        f"{what}, {album!r} in {person!r} for example, and each is an identity of its own: "
        f"if these are albums of one person, give --identity-level {level}"
    )


def _outer_identity(name: str, folders: Mapping[str, int]) -> str:
    """The innermost other folder of photos that a folder lies in; "": there is none."""
    while "/" in name:
        name = name.rpartition("/")[0]
        if name in folders:
            return name
    return ""


def _depth(name: str) -> int:
    return name.count("/") + 1


def _one_identity(folders: Mapping[str, int]) -> str:
    """A warning where one folder is the only identity, or has a general name and most photos."""
    if not folders:
        return ""
    name, count = max(folders.items(), key=lambda item: (item[1], item[0]))
    total = sum(folders.values())
    is_general = PurePosixPath(name).name.lower() in GENERAL_NAMES
    if len(folders) == 1 or (is_general and count >= MIN_PHOTOS and count >= MIN_SHARE * total):
        return (
            f"{count} of {total} photos lie in the one folder {name!r} and are taken as one identity: "
            "if they show several people, put each person's photos in a folder of their own"
        )
    return ""
