"""The patch of one copy of a data set on another copy, whose photos have another size, quality, and other names.

Both copies are made of a data set with a known truth, so that it is known which photo is which, and both are refined.
The patch's fates are compared with those of the other copy's own refinement.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import pyarrow as pa
import typer
from numpy.typing import NDArray

from flows.benchmark.patches.drawn_photos import match_drawn_photos
from flows.benchmark.speed.measured_process import run_in_own_process
from flows.cli.options import Detector, Embedder, OutFolder, SecondEmbedder, World
from flows.cli.result import Result, text_table
from flows.refine.flow import refine
from flows.refine.patches.apply import AppliedPatch, apply
from flows.refine.patches.make import make
from pipeline.faces.sketch import sketch_tones, tone_hashes
from pipeline.noise.pictures.same_picture import sketch_rows
from pipeline.refined.patches.candidate_pairs import SURE_BITS
from pipeline.refined.patches.indexed_photos import Words, index_photos
from pipeline.refined.patches.make_patch import patch_rows
from pipeline.refined.patches.match_photos import WAYS, Matches, majority_identities, match_photos
from pipeline.refined.patches.patch_file import Patch, read_patch
from pipeline.refined.patches.picture_hash import picture_hashes
from pipeline.refinement import Refinement, latest
from pipeline.sample.cases.planted_data import planted_data
from pipeline.sample.recompressed_copies import PHOTOS, read_names, recompressed_copy

# JPEG quality and scale of each copy, and whether its files and identities have other names
COPIES = {"a": (75, 0.8, False), "b": (90, 1.15, True)}


class Fates(NamedTuple):
    """What became of the n photos of a copy: claimed identity and identity after, -1: none; names of the latter."""

    claimed: NDArray[np.int32]
    after: NDArray[np.int32]
    names: list[str]
    duplicate: NDArray[np.bool_]  # removed as the duplicate of another photo

    @property
    def changed(self) -> NDArray[np.bool_]:
        """Which photos were removed or got another identity."""
        return np.asarray(self.after != self.claimed)


@dataclass(frozen=True)
class PatchFigures(Result):
    """Matches and fates by what the photos were matched by, and what the patch changed when it was applied."""

    matches: list[dict[str, Any]]
    hashes: list[str]  # how many bits differ between the two copies of a photo
    applied: list[str]
    outcomes: list[dict[str, Any]]  # before it was applied, and after
    drawn: str  # what matching drawn photos took
    bytes_a_photo: float  # of the patch with hashes, and of the one with vectors
    bytes_with_vectors: float

    def rows(self) -> list[dict[str, Any]]:
        """One row for each way of matching, by what the patch has in common with the copy."""
        return self.matches

    def lines(self) -> list[str]:
        """What applying it did, and the size of the files."""
        sizes = f"{self.bytes_a_photo:.0f} bytes a photo, {self.bytes_with_vectors:.0f} with vectors"
        return [*self.hashes, *text_table(self.outcomes), *self.applied, f"size of the patch: {sizes}", self.drawn]


def patch(
    world: World,
    out: OutFolder,
    detector: Detector,
    embedder: Embedder,
    *,
    second_embedder: SecondEmbedder = "",
    drawn_photos: Annotated[int, typer.Option(min=1, help="Drawn photos that are matched with a copy.")] = 1_000_000,
) -> PatchFigures:
    """Refine two copies of a data set, apply the patch of one to the other, and compare with its own refinement."""
    folders: dict[str, Path] = {}
    for name, (quality, scale, renamed) in COPIES.items():
        folders[name] = _copy(world / "photos", out / name, quality=quality, scale=scale, renamed=renamed)
        root = str(out / name / "root")
        refine.fn(
            root, ["image-folder", str(folders[name] / PHOTOS)], detector, embedder, second_embedder=second_embedder
        )
    root_a, root_b = (str(out / name / "root") for name in COPIES)
    plain, with_vectors = out / "a.patch", out / "a_vectors.patch"
    sizes = [
        written.bytes / written.photos
        for written in (make(root_a, plain), make(root_a, with_vectors, with_vectors=True))
    ]
    names = read_names(folders["b"])
    rows = [row for patch in (plain, with_vectors) for row in measure(read_patch(patch), root_b, names)]
    applied = apply(root_b, plain, yes=True)
    assert isinstance(applied, AppliedPatch)  # noqa: S101  what is not withdrawn is applied
    apply(root_b, plain, withdraw=True)
    hashes = hash_differences(latest(root_a), latest(root_b), names)
    drawn = run_in_own_process(match_drawn_photos, drawn_photos).result.line()
    return PatchFigures(rows, hashes, applied.lines(), applied.rows(), drawn, *sizes)


def hash_differences(one: Refinement, two: Refinement, names: Mapping[str, str]) -> list[str]:
    """In how many bits the hashes of a photo's two copies differ: those of whole photos, and of the aligned faces."""
    order = _true_rows(_keys(one), _keys(two), names)
    lines = []
    for what, hashes in (("whole photos", _photo_hashes), ("aligned faces", _face_hashes)):
        (a, has_a), (b, has_b) = hashes(one), hashes(two)
        bits = np.bitwise_count(a ^ b[order])[has_a & has_b[order]]
        shares = (
            f"{(bits == 0).mean():.1%} of {len(bits)} are equal, {(bits <= SURE_BITS).mean():.1%} within {SURE_BITS}"
        )
        lines.append(f"hashes of {what}: {shares} bits, the median differs in {np.median(bits):.0f}")
    return lines


def _keys(refinement: Refinement) -> list[str]:
    return _column([refinement.photos.read(["key"])], "key")


def _photo_hashes(refinement: Refinement) -> tuple[Words, NDArray[np.bool_]]:
    column = picture_hashes(refinement).read(["hash"])["hash"]
    return column.fill_null(0).to_numpy(), np.asarray(column.is_valid())


def _face_hashes(refinement: Refinement) -> tuple[Words, NDArray[np.bool_]]:
    sketches, valid = sketch_rows((refinement.main_faces or refinement.faces).read(["sketch"])["sketch"])
    return tone_hashes(sketch_tones(sketches)), valid


def measure(patch: Patch, root: str, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """Rows of figures of a patch on the copy in `root`; names: a photo's key in the copy, by its key in the patch."""
    refinement, vectors = latest(root), bool(patch.header.dim)
    of_copy = [*patch_rows(refinement, picture_hashes(refinement), vectors=vectors)]
    copy, own = index_photos(of_copy, with_vectors=vectors), _fates(of_copy)
    listed = [*patch.batches()]
    truth = _true_rows(_column(listed, "key"), _column(of_copy, "key"), names)
    rows = []
    for by_key in (False,) if vectors else (True, False):
        known = [*_with_keys(listed, names)] if by_key else listed
        photos = index_photos(known, with_vectors=vectors)
        matches = match_photos(photos, copy, by_key=by_key)
        case = "the same keys" if by_key else "other keys, vectors" if vectors else "other keys"
        rows += figures(case, matches, truth, _fates(listed), own)
    return rows


def figures(case: str, matches: Matches, truth: NDArray[np.int64], given: Fates, own: Fates) -> list[dict[str, Any]]:
    """One row for each way, and one for all; truth: the row of each photo in the copy; given: the patch's fates.

    precision: of the photos that the patch removes or relabels, the share that the copy's own refinement removes, too,
    or gives the same identity. recall: of those that the copy's own refinement removes or relabels. Which one of two
    duplicates is kept depends on the copy, so both are given without the photos that are duplicates in either, too.
    """
    found = matches.row >= 0
    both = found & (given.after >= 0) & (own.after[matches.row] >= 0)
    identity = majority_identities(given.after[both], own.after[matches.row[both]], len(given.names))
    expected = np.where(given.after >= 0, np.append(identity, -1)[given.after], -1)
    same = found & (expected == own.after[matches.row]) & ~((given.after >= 0) & (expected < 0))
    own_changed = own.changed[matches.row]
    aside = ~given.duplicate & ~own.duplicate[matches.row]
    rows = []
    for way, words in [*WAYS.items(), (0, "all")]:
        chosen = found & (matches.way == way) if way else found
        if not chosen.any():
            continue
        changed, theirs = chosen & given.changed, chosen & own_changed
        all_theirs = int(theirs.sum()) if way else int(own.changed.sum())
        rows.append(
            {
                "the copies have": case,
                "matched by": words,
                "photos": int(chosen.sum()),
                "wrong photos": int((chosen & (matches.row != truth)).sum()),
                "the same fate": f"{(chosen & same).sum() / chosen.sum():.4f}",
                "precision": _share(int((changed & same).sum()), int(changed.sum())),
                "recall": _share(int((theirs & same).sum()), all_theirs),
                "precision, duplicates aside": _share(
                    int((changed & same & aside).sum()), int((changed & aside).sum())
                ),
                "recall, duplicates aside": _share(int((theirs & same & aside).sum()), int((theirs & aside).sum())),
            }
        )
    left = {"the copies have": case, "matched by": "none", "photos": int((~found).sum())}
    return [*rows, left]


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.4f} of {whole}" if whole else "-"


def _copy(photos: Path, out: Path, *, quality: int, scale: float, renamed: bool) -> Path:
    return planted_data(
        out,
        {"photos": photos.absolute(), "quality": quality, "scale": scale, "renamed": renamed},
        lambda folder: recompressed_copy(photos, folder, quality=quality, scale=scale, renamed=renamed),
    )


def _fates(batches: Sequence[pa.Table]) -> Fates:
    codes: dict[str, int] = {}
    columns = (
        [-1 if name is None else codes.setdefault(name, len(codes)) for name in _column(batches, column)]
        for column in ("before", "after")
    )
    claimed, after = (np.array(column, np.int32) for column in columns)
    duplicate = np.array([reason == "duplicate" for reason in _column(batches, "reason")], bool)
    return Fates(claimed, after, list(codes), duplicate)


def _column(batches: Sequence[pa.Table], name: str) -> list[Any]:
    return [value for rows in batches for value in rows[name].to_pylist()]


def _true_rows(keys: Sequence[str], others: Sequence[str], names: Mapping[str, str]) -> NDArray[np.int64]:
    place = {key: i for i, key in enumerate(others)}
    return np.array([place[names[key]] for key in keys], np.int64)


def _with_keys(batches: Sequence[pa.Table], names: Mapping[str, str]) -> Iterator[pa.Table]:
    """The rows of a patch as if its photos had the keys of the copy."""
    for rows in batches:
        keys = pa.array([names[key] for key in rows["key"].to_pylist()], pa.string())
        yield rows.set_column(rows.schema.names.index("key"), "key", keys)
