"""The address of a gallery (`refinery browse`) to which a report links."""

import re

from pipeline.errors import UserError

ADDRESS = re.compile(r"(http://(?:127\.0\.0\.1|localhost):\d{1,5})(?:/.*)?")  # on this machine


def without_key(gallery: str) -> str:
    """The address of a gallery up to its port; "" for none. What follows may hold the key, which stands in no file.

    Raises UserError for what is no address of a gallery.
    """
    if not gallery:
        return ""
    found = ADDRESS.fullmatch(gallery)
    if found is None:
        raise UserError(f"--browse {gallery[:40]!r}: give the address that `refinery browse` printed, up to its port")
    return found[1]
