"""One target under atheris, which owns the process: python -m flows.fuzz TARGET [OPTION...] [CORPUS... | FILE].

The options are libFuzzer's. With a FILE the target gets that input once, which is how a finding is repeated.
"""

import sys

import atheris

READERS = ["pipeline", "pickletools", "csv", "json", "http", "email", "PIL"]  # whose branches are counted


def main(arguments: list[str]) -> None:
    """Fuzz until libFuzzer's own options end it, or a finding does."""
    with atheris.instrument_imports(include=READERS):
        from flows.fuzz_targets import attempt
    name, *options = arguments
    atheris.Setup([sys.argv[0], *options], lambda data: attempt(name, data))
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
