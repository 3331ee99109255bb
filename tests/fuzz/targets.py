"""All targets, a reader of outside bytes each, for the fuzzer and for tests alike.

An input is an archive of the few small files that a reader reads together, each after a line like `-- train.idx --`,
and a target gets a folder with them. It returns when all is well and lets UserError through, which is how a reader
refuses in one line. Whatever else it raises is a finding.
"""

import re
import tempfile
from pathlib import Path

from pipeline.errors import UserError
from tests.fuzz import review_targets, source_targets
from tests.fuzz.rules import Target, holds

MEMORY = Path("/dev/shm")
MAX_MESSAGE = 1000  # characters: one clear line with the path of a file in it
TARGETS: dict[str, Target] = {**source_targets.TARGETS, **review_targets.TARGETS}


def attempt(name: str, data: bytes) -> None:
    """Give a target one input; raises when the input is a finding."""
    target = TARGETS[name]
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        for file, content in unpacked(data, target.files).items():
            Path(folder, file).parent.mkdir(parents=True, exist_ok=True)
            Path(folder, file).write_bytes(content)
        try:
            target.check(Path(folder))
        except UserError as error:
            line = " ".join(str(error).split())
            holds(0 < len(line) <= MAX_MESSAGE, f"a message of {len(line)} characters")


def unpacked(data: bytes, files: tuple[str, ...]) -> dict[str, bytes]:
    """The files of an input by name; the input of a target with a single file is that file, without a head."""
    if len(files) == 1:
        return {files[0]: data}
    _, *pieces = re.split(b"|".join(b"(%s)" % re.escape(head(file)) for file in files), data)
    step = len(files) + 1  # a group for each head, of which one matched, and the content behind it
    result = {}
    for at in range(0, len(pieces), step):
        *heads, content = pieces[at : at + step]
        result[next(f for f, h in zip(files, heads, strict=True) if h is not None)] = content
    return result


def head(file: str) -> bytes:
    """The line before a file's bytes in an archive."""
    return f"-- {file} --\n".encode()
