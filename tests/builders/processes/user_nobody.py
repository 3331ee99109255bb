"""Another user than root, for tests of what may not be read."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def as_user_nobody() -> Iterator[None]:
    """Run the block as another user: root can read every file."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
