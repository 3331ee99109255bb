"""The console script `refinery`.

A worker process loads the module that started the program, so this one imports the command line only when it runs.
"""

import os
import signal


def main() -> None:
    """Run the command that was typed: see flows.cli.app.

    A further Ctrl-C while the process waits for its threads ends it at once: Python would print where they were.
    """
    from flows.cli.standard_streams import discard_what_cannot_be_written, prepare_streams

    prepare_streams()  # before a library takes a stream as it is
    from flows.cli.app import main as run

    try:
        run()
    except KeyboardInterrupt:  # while the first one was dealt with
        os._exit(130)
    finally:
        discard_what_cannot_be_written()
        signal.signal(signal.SIGINT, lambda *_: os._exit(130))
