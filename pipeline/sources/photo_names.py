"""How lists spell the photos of a data set, and comparing such names with those of the photos.

Lists differ from the files in the folder they start from, in separators (backslashes), in the suffix, in blanks and
underscores, and in the form of accented letters (macOS takes them apart). A folded path has none of these differences.
"""

import re
import unicodedata
from collections.abc import Iterator

SUFFIX_PATTERN = r"\.(?:jpe?g|jpe|jfif|png|webp|bmp|gif|tiff?|avif|hei[cf]|p[bgnp]m|jp2|j2k)"
SUFFIX = re.compile(f"{SUFFIX_PATTERN}$", re.IGNORECASE)


def folded_path(path: str) -> str:
    """A photo's path as it is compared: composed letters, slashes, no suffix, no leading ./ or /, no blanks."""
    return SUFFIX.sub("", plain_path(path)).replace(" ", "_")


def folded_name(name: str) -> str:
    """An identity as it is compared: composed letters, slashes and no blanks."""
    return plain_path(name).replace(" ", "_")


def plain_path(path: str) -> str:
    """A path with composed letters and slashes, without empty parts and ".", and with its suffix."""
    composed = unicodedata.normalize("NFC", path).replace("\\", "/")
    return "/".join(part for part in composed.split("/") if part not in ("", "."))


def path_tails(path: str) -> Iterator[str]:
    """A path, then the path without its first one, two, ... folders, down to one folder and the file."""
    pieces = path.split("/")
    return ("/".join(pieces[i:]) for i in range(max(1, len(pieces) - 1)))
