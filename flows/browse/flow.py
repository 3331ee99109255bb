"""`refinery browse`: a gallery of a refinement at a loopback port, in the foreground until Ctrl-C."""

import getpass
import logging
import socket
import webbrowser
from dataclasses import dataclass
from typing import Annotated

import typer

from flows.cli.options import Port, Root
from flows.cli.result import Result
from pipeline.errors import UserError
from pipeline.refinement import latest
from pipeline.review.answers import ledger

log = logging.getLogger("refinery")
Who = Annotated[
    str, typer.Option(help="Whose decisions these are: the annotator's name in the ledger; default: the login name.")
]
Alone = Annotated[
    bool,
    typer.Option(
        "--alone", help="Nobody else decides: one answer is enough for a finding (in this root, from now on), not two."
    ),
]
NoBrowser = Annotated[bool, typer.Option("--no-browser", help="Print the address and open no browser.")]


@dataclass(frozen=True)
class ClosedGallery(Result):
    """A gallery that was closed."""

    root: str
    pending: bool | None  # None: the refinement is gone, so nobody knows

    def lines(self) -> list[str]:
        """Whether the labels have all decisions."""
        if self.pending is None:
            return [f"the gallery is closed; the refinement is no longer at {self.root}"]
        if self.pending:
            return [f"decisions wait in the ledger: the next `refinery browse {self.root}` labels the photos with them"]
        return ["the gallery is closed; all decisions are in the ledger and in the labels"]


def browse(
    root: Root, *, port: Port = 8080, who: Who = "", alone: Alone = False, no_browser: NoBrowser = False
) -> ClosedGallery:
    """Look at every identity and photo of a refinement in the browser, and decide; Ctrl-C closes it.

    It works while a refinement runs: decisions are kept at once, and the labels are made again when that has ended.
    """
    refinement = latest(root)
    who = _checked_name(who or getpass.getuser())
    if alone:
        ledger.set_votes_wanted(root, 1)
    from flows.browse.server import end_soon, serve  # a second to import: not before mistakes are told

    with listening(port) as listener:
        at = listener.getsockname()[1]
        log.info("%d photos of %d identities", refinement.account.ingested, refinement.account.identities_claimed)

        def opened(address: str) -> None:
            log.info("open %s", address)
            log.info("give the address to nobody: who has it decides as %s. Ctrl-C ends it", who)
            if not no_browser:
                webbrowser.open(address)

        closed = serve(root, listener, port=at, who=who, opened=opened)
        end_soon(unfinished=closed.unfinished)
        return ClosedGallery(root, closed.pending)


def _checked_name(who: str) -> str:
    name = who.strip()
    if not name or not name.isprintable() or len(name) > 200 or name in ("policy", "truth"):
        raise UserError(f"--who {who[:60]!r}: give the name of a person")
    return name


def listening(port: int) -> socket.socket:
    """A socket that listens at this port of the loopback interface, or at a free one where it is taken."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except (OSError, OverflowError) as error:
        if isinstance(error, OverflowError) or port == 0:
            listener.close()
            raise UserError(f"--port {port}: give a number from 0 to 65535, 0 for any free port") from None
        log.info("port %d is taken (%s): another one is used", port, error.strerror)
        listener.bind(("127.0.0.1", 0))
    listener.listen()  # before the address is told: who asks before the server has started waits for it
    return listener
