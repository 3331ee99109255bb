"""The address of a gallery (`refinery browse`) to which a report links."""

import re

from pipeline.errors import UserError

ADDRESS = re.compile(r"http://(?:127\.0\.0\.1|localhost):([0-9]{1,5})(?:[/?#].*)?")  # on this machine


def without_key(gallery: str) -> str:
    """The address of a gallery up to its port; "" for none. What follows may hold the key, which stands in no file.

    The host is 127.0.0.1, as in the address that was opened: browsers send its cookie to no other name of this machine.
    Raises UserError for what is no address of a gallery.
    """
    if not gallery:
        return ""
    found = ADDRESS.fullmatch(gallery)
    port = int(found[1]) if found else 0
    if not 0 < port < 1 << 16:
        # what was given is not repeated: it may hold the key
        raise UserError("--browse: give the address that `refinery browse` printed, as http://127.0.0.1:PORT")
    return f"http://127.0.0.1:{port}"
