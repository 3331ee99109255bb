"""The console script `refinery`.

A worker process loads the module that started the program, so this one imports the command line only when it runs.
"""


def main() -> None:
    """Run the command that was typed: see flows.cli.app."""
    from flows.cli.app import main as run

    run()
