"""`refinery review serve`: a Label Studio on this machine, in the foreground until Ctrl-C."""

import logging
import signal
from dataclasses import dataclass
from pathlib import Path

from flows.cli.options import Port, Root
from flows.cli.result import Result
from pipeline.errors import UserError
from pipeline.review import server_folder
from pipeline.review.label_studio import installation, local_server

log = logging.getLogger("refinery")


@dataclass(frozen=True)
class StoppedServer(Result):
    """A Label Studio that was stopped: its address and the folder of its data."""

    url: str
    folder: str

    def lines(self) -> list[str]:
        """Where its data stays."""
        return [f"the server at {self.url} was stopped; its data stays in {self.folder}"]


def serve(root: Root, port: Port = 8080) -> StoppedServer:
    """Run a local Label Studio for a review, with an account and a token; the first time it is installed (1 GB)."""
    if "://" in root:
        raise UserError(f"{root} is not a folder of this machine: a local server keeps its data in one")
    folder = Path(root).absolute() / "review" / "server"
    for sign in (signal.SIGTERM, signal.SIGHUP):  # by a service manager, or as the terminal closes
        if signal.getsignal(sign) is not signal.SIG_IGN:  # under nohup the terminal may close
            signal.signal(sign, signal.default_int_handler)
    local = local_server.start(folder, port=port, venv=installation.environment_folder())
    try:
        for line in _welcome(local):
            log.info("%s", line)
        status = local.process.wait()
    except KeyboardInterrupt:
        return StoppedServer(local.url, str(folder))
    finally:
        local.stop()
    raise UserError(f"Label Studio ended by itself (status {status}): see {folder / 'server.log'}")


def _welcome(local: local_server.LocalServer) -> list[str]:
    return [
        f"Label Studio is at {local.url}; it can be reached from this machine only",
        f"account: {server_folder.ACCOUNT}, its password is in {local.password}",
        f"annotators make their accounts at {local.invitation}",
        "give that link to annotators only: an account may read and change all questions and answers",
        f"for programs: export LABEL_STUDIO_API_KEY=$(cat {local.token})",
        "Ctrl-C ends it; questions and answers stay",
    ]
