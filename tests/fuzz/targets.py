"""All targets, one for each reader of untrusted files, for the fuzzer and for tests.

An input is an archive of the few small files that a reader reads together, each after a marker such as
`-- train.idx --`; a target gets a folder with these files. A target may raise UserError, with which a reader refuses a
file in one line. Any other exception is a finding.
"""

import re
import tempfile
from pathlib import Path

from pipeline.errors import UserError
from tests.fuzz import review_targets, source_targets
from tests.fuzz.rules import Target, check_rule

MEMORY = Path("/dev/shm")
MAX_MESSAGE = 1000  # characters of an error message: one line with a file's path in it
TARGETS: dict[str, Target] = {**source_targets.TARGETS, **review_targets.TARGETS}


def check_input(name: str, data: bytes) -> None:
    """Run a target on one input; raises an exception when the input is a finding."""
    target = TARGETS[name]
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        for file, content in unpack_files(data, target.files).items():
            Path(folder, file).parent.mkdir(parents=True, exist_ok=True)
            Path(folder, file).write_bytes(content)
        try:
            target.check(Path(folder))
        except UserError as error:
            line = " ".join(str(error).split())
            check_rule(
                0 < len(line) <= MAX_MESSAGE,
                f"an error message has at most {MAX_MESSAGE} characters, this one {len(line)}",
            )


def unpack_files(data: bytes, files: tuple[str, ...]) -> dict[str, bytes]:
    """The files of an input by name; the input of a target with a single file is that file, without a marker."""
    if len(files) == 1:
        return {files[0]: data}
    _, *pieces = re.split(b"|".join(b"(%s)" % re.escape(file_marker(file)) for file in files), data)
    step = len(files) + 1  # one group for each marker, of which one matched, and the content after the marker
    result = {}
    for start in range(0, len(pieces), step):
        *markers, content = pieces[start : start + step]
        result[next(f for f, marker in zip(files, markers, strict=True) if marker is not None)] = content
    return result


def file_marker(file: str) -> bytes:
    """The line before a file's bytes in an archive."""
    return f"-- {file} --\n".encode()
