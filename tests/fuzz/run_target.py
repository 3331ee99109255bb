"""One fuzz target under atheris, which takes over the process.

python -m tests.fuzz.run_target TARGET [OPTION...] [CORPUS... | FILE]

The options are libFuzzer's. With a FILE the target gets that input once, which is how a finding is repeated.
"""

import os
import sys
import traceback
from hashlib import sha256
from pathlib import Path

import atheris

FINDING = 77  # the exit status that libFuzzer has for a finding
READERS = ["pipeline", "pickletools", "csv", "json", "http", "email", "PIL"]  # modules whose branches are counted


def main(arguments: list[str]) -> None:
    """Fuzz until the limits in libFuzzer's options are reached or there is a finding."""
    with atheris.instrument_imports(include=READERS):
        from tests.fuzz.targets import check_input
    name, *options = arguments
    prefix = next((o.partition("=")[2] for o in options if o.startswith("-artifact_prefix=")), "")

    def run_input(data: bytes) -> None:
        try:
            check_input(name, data)
        except Exception:  # noqa: BLE001  every exception is a finding; sys.exit may hang
            traceback.print_exc()
            Path(f"{prefix}crash-{sha256(data).hexdigest()[:16]}").write_bytes(data)
            os._exit(FINDING)

    atheris.Setup([sys.argv[0], *options], run_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
