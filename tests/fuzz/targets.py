"""What must hold of every reader of outside bytes, whatever the bytes: a target each, for a fuzzer and for tests alike.

One idea: an input is an archive of the few small files that a reader meets together, each behind a line such as
`-- train.idx --`, and a target gets a folder with them. It returns when all is well and lets UserError through, which
is how a reader refuses in one line. Whatever else it raises is a finding.
"""

import re
import tempfile
from pathlib import Path

from pipeline.errors import UserError
from tests.fuzz import review_targets, source_targets
from tests.fuzz.rules import Target, holds

MEMORY = Path("/dev/shm")
LONGEST = 1000  # characters of a message that is still one clear line, the path of a file in it
TARGETS: dict[str, Target] = {**source_targets.TARGETS, **review_targets.TARGETS}


def attempt(name: str, data: bytes) -> None:
    """Give a target one input; returns unless the input is a finding."""
    target = TARGETS[name]
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        for file, content in unpacked(data, target.files).items():
            Path(folder, file).parent.mkdir(parents=True, exist_ok=True)
            Path(folder, file).write_bytes(content)
        try:
            target.check(Path(folder))
        except UserError as error:
            said = " ".join(str(error).split())
            holds(0 < len(said) <= LONGEST, f"a message of {len(said)} characters")


def unpacked(data: bytes, files: tuple[str, ...]) -> dict[str, bytes]:
    """The files of an input; where a target has a single one, the input is it, without any head."""
    if len(files) == 1:
        return {files[0]: data}
    _, *pieces = re.split(b"|".join(b"(%s)" % re.escape(head(file)) for file in files), data)
    step = len(files) + 1  # of the groups before a content one is not None: the head that stood there
    found = {}
    for at in range(0, len(pieces), step):
        *heads, content = pieces[at : at + step]
        found[next(f for f, h in zip(files, heads, strict=True) if h is not None)] = content
    return found


def head(file: str) -> bytes:
    """What stands before a file's bytes in an archive."""
    return f"-- {file} --\n".encode()
