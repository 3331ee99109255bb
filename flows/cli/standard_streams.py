"""Standard output and standard error that are closed, as those of a daemon are, or that cannot be written to.

A stream that fails keeps what it could not write, and Python tries again when the process ends: its exit status would
then be another than the command's.
"""

import errno
import io
import os
import sys
from contextlib import suppress

from pipeline.errors import UserError


class UnwritableOutput(UserError):  # noqa: N818  named for what it says of standard output
    """Standard output cannot be written to. Without a message where its reader has ended, as `head` does."""

    def __init__(self, error: OSError) -> None:
        reason = error.strerror or error
        line = f"cannot write to standard output ({reason}): what the command made stays, its result is not shown"
        super().__init__(*([] if error.errno == errno.EPIPE else [line]))


class StandardOutput(io.TextIOWrapper):
    """Standard output that raises UnwritableOutput, wherever in a library it is written to."""

    def write(self, text: str) -> int:
        """Write text; returns its number of characters."""
        try:
            return super().write(text)
        except OSError as error:
            raise UnwritableOutput(error) from None

    def flush(self) -> None:
        """Write what is buffered."""
        try:
            super().flush()
        except OSError as error:
            raise UnwritableOutput(error) from None


def prepare_streams() -> None:
    """Let a failing standard output raise UnwritableOutput, and open /dev/null in place of streams that are closed.

    Otherwise the next file that is opened would get the number of the closed stream, and what a library prints would be
    written into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(null, True)  # for processes that the command starts
            if null != number:
                os.dup2(null, number)
                os.close(null)
    sys.stdin = sys.stdin or open(os.devnull, encoding="utf-8")  # noqa: SIM115  open until the process ends
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        out = sys.stdout
        sys.stdout = StandardOutput(
            out.buffer,
            encoding=out.encoding,
            errors=out.errors,
            line_buffering=out.line_buffering,
            write_through=out.write_through,
        )
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115


def discard_what_cannot_be_written() -> None:
    """Leave nothing in the streams that Python would fail to write when the process ends."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, UnwritableOutput):
            with suppress(OSError, ValueError):
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, stream.fileno())
                os.close(null)
