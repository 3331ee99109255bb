"""`refinery patch merge`: one patch of several, with the photos about which they differ."""

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.cli.options import OutFile
from flows.cli.result import Result
from flows.refine.patches.make import check_patch_out, written_patch
from pipeline.errors import UserError
from pipeline.refined.patches.merge_patches import Conflict, MergedPatch, merge_patches
from pipeline.refined.patches.patch_file import read_patch

SHOWN = 20  # conflicts that are printed; --json prints all
PatchFiles = Annotated[
    list[Path], typer.Argument(metavar="PATCH...", help="Two or more files that `refinery patch make` wrote.")
]


@dataclass(frozen=True)
class MergedPatches(Result):
    """The patch that was written, and the photos about which its parts differ."""

    file: str
    photos: int
    by_way: dict[str, int]  # photos that a patch has in common with those before it, by how they were matched
    other_picture: int
    claimed_otherwise: int
    vectors_left_out: bool
    conflicts: list[Conflict]

    def rows(self) -> list[dict[str, Any]]:
        """The first conflicts."""
        return [c._asdict() for c in self.conflicts[:SHOWN]]

    def lines(self) -> list[str]:
        """What was merged, and what is disputed."""
        ways = ", ".join(f"{photos} by {way}" for way, photos in self.by_way.items() if photos)
        more = f" ({SHOWN} of them above; --json lists all)" if len(self.conflicts) > SHOWN else ""
        return [
            f"{sum(self.by_way.values())} photos are in several patches: {ways or 'none'}",
            *([f"{self.other_picture} have the key of another picture"] if self.other_picture else []),
            *(
                [f"{self.claimed_otherwise} have two claimed identities: the first counts"]
                * bool(self.claimed_otherwise)
            ),
            *(["vectors are left out: not all patches have them by the same model"] * self.vectors_left_out),
            f"{len(self.conflicts)} photos have different fates: the merged patch decides nothing about them{more}",
            f"patch of {self.photos} photos: {self.file}",
        ]

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self) | {"conflicts": [c._asdict() for c in self.conflicts]}


def merge(patches: PatchFiles, out: OutFile) -> MergedPatches:
    """Merge patches of one data set. Photos with different fates are listed, and nothing is decided about them.

    Identities get the names of the first patch.
    """
    if len(patches) < 2:
        raise UserError(f"found one patch, {patches[0]}: give two or more to merge")
    check_patch_out(out, [])
    if any(out.exists() and out.samefile(patch) for patch in patches if patch.exists()):
        raise UserError(f"{out} is one of the patches: give --out another file")
    with tempfile.TemporaryDirectory() as folder, written_patch(out) as temporary:
        steps = [Path(folder, str(i)) for i in range(len(patches) - 2)] + [temporary]
        merged: list[MergedPatch] = []
        before = patches[0]
        for patch, step in zip(patches[1:], steps, strict=True):
            merged.append(merge_patches(read_patch(before), read_patch(patch), step))
            before = step
    return _result(merged, out)


def _result(merged: list[MergedPatch], out: Path) -> MergedPatches:
    return MergedPatches(
        str(out),
        merged[-1].header.photos,
        {way: sum(m.by_way[way] for m in merged) for way in merged[0].by_way},
        sum(m.other_picture for m in merged),
        sum(m.claimed_otherwise for m in merged),
        any(m.vectors_left_out for m in merged),
        [conflict for m in merged for conflict in m.conflicts],
    )
