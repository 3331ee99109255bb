"""`refinery patch make`: writes the labels of a refinement as a patch for other copies of its data set."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from flows.cli.options import DaskWorkers, OutFile, Root
from flows.cli.out_file import check_out
from flows.cli.result import Result
from flows.cli.sizes import parse_workers
from pipeline.errors import UserError
from pipeline.refined.patches.make_patch import make_patch
from pipeline.refined.patches.patch_file import is_patch
from pipeline.refined.patches.picture_hash import picture_hashes
from pipeline.refinement import Refinement, latest
from pipeline.tables.table import Table
from pipeline.whole_files import whole_file

WithVectors = Annotated[
    bool,
    typer.Option(
        "--with-vectors",
        help="Write the embedding of each photo's main face, too. By it a face can be recognised elsewhere: it is "
        "biometric data.",
    ),
]
WithoutHashes = Annotated[
    bool,
    typer.Option(
        "--without-hashes",
        help="Do not read the photos again for their perceptual hashes: photos are then matched by key and bytes only.",
    ),
]


@dataclass(frozen=True)
class WrittenPatch(Result):
    """A patch that was written: its file and what is in it."""

    file: str
    photos: int
    bytes: int
    hashes: str  # the definition of its hashes; "": it has none
    model: str  # SHA-256 of the model of its vectors; "": it has none

    def lines(self) -> list[str]:
        """What the patch holds, and what to do with it."""
        held = [f"hashes {self.hashes}"] * bool(self.hashes) + [f"vectors of model {self.model}"] * bool(self.model)
        return [
            f"patch of {self.photos} photos ({', '.join(held) or 'no hashes'}; {self.bytes} bytes): {self.file}",
            f"another copy of the data: refinery patch apply ROOT {quote(self.file)}",
        ]


def make(
    root: Root,
    out: OutFile,
    *,
    with_vectors: WithVectors = False,
    without_hashes: WithoutHashes = False,
    workers: DaskWorkers = "",
) -> WrittenPatch:
    """Write what became of each photo as a patch: identity before and after, reason, digest, perceptual hash."""
    refinement = latest(root)
    check_patch_out(out, [root])
    hashes = hashes_of(refinement, without_hashes=without_hashes, workers=workers)
    with written_patch(out) as temporary:
        header = make_patch(refinement, temporary, hashes=hashes, vectors=with_vectors)
    return WrittenPatch(str(out), header.photos, out.stat().st_size, header.hash, header.model)


def hashes_of(refinement: Refinement, *, without_hashes: bool, workers: str) -> Table | None:
    """The hashes of a refinement's photos; None: they are not wanted. Raises UserError for photos that are gone."""
    if without_hashes:
        return None
    for name, (_, path) in refinement.options.sources.items():
        if "://" not in path and not Path(path).exists():
            raise UserError(
                f"the photos of {name} are not at {path} any more, and their hashes need them: mount them, or give "
                "--without-hashes"
            )
    return picture_hashes(refinement, workers=parse_workers(workers))


def check_patch_out(out: Path, roots: list[str]) -> None:
    """Raise UserError where no patch can be written to a file, or one that is no patch would be replaced."""
    if not out.name:
        raise UserError(f"cannot write {str(out)!r}: give --out a file in a folder that exists")
    check_out(out, is_patch, kind="a patch", roots=roots)


@contextmanager
def written_patch(out: Path) -> Iterator[Path]:
    """A temporary file that becomes `out` when the block succeeds."""
    try:
        if not out.parent.is_dir():
            raise NotADirectoryError(errno.ENOENT, "no such folder")
        with whole_file(out) as temporary:
            yield temporary
    except OSError as error:
        raise UserError(
            f"cannot write {out} ({error.strerror or error}): give --out a file in a folder that exists"
        ) from None
