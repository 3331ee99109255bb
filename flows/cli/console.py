"""The console script. Worker processes load the module of the command that starts them, so it imports when it runs."""


def main() -> None:
    """What `refinery` does: see flows.cli.app."""
    from flows.cli.app import main as run

    run()
