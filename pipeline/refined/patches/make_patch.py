"""Makes the patch of a refinement: a row for each photo, shard by shard."""

from collections.abc import Iterator
from hashlib import blake2b
from itertools import repeat
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import UserError
from pipeline.refined.patches.patch_file import PATCH, VECTOR, PatchedSource, PatchHeader, write_patch
from pipeline.refined.patches.picture_hash import NAME as HASH_NAME
from pipeline.refinement import Refinement
from pipeline.tables.table import Table

SHA_BYTES, INDEX_BYTES = 32, 16


class IndexDigest:
    """The number of photos of each source, and a digest of their keys and claimed identities in any order.

    The digest is the sum of the BLAKE2b digests of all photos (128 bits): copies that list the same photos under
    the same identities have the same one.
    """

    def __init__(self, kinds: dict[str, str]) -> None:
        """kinds: the kind of each source, by its name."""
        self._kinds = kinds
        self._sums: dict[str, int] = {}
        self._photos: dict[str, int] = {}

    def add(self, rows: pa.Table) -> None:
        """Add photos; columns source, key and before."""
        for source, key, claimed in zip(*(rows[c].to_pylist() for c in ("source", "key", "before")), strict=True):
            text = repr((key, claimed)).encode("utf-8", "surrogateescape")
            number = int.from_bytes(blake2b(text, digest_size=INDEX_BYTES).digest(), "big")
            self._sums[source] = (self._sums.get(source, 0) + number) % (1 << 8 * INDEX_BYTES)
            self._photos[source] = self._photos.get(source, 0) + 1

    def sources(self) -> tuple[PatchedSource, ...]:
        """The sources in the order of their names."""
        return tuple(
            PatchedSource(name, self._kinds.get(name, ""), self._photos[name], f"{self._sums[name]:032x}")
            for name in sorted(self._sums)
        )


def make_patch(refinement: Refinement, file: Path, *, hashes: Table | None, vectors: bool = False) -> PatchHeader:
    """Write the patch of a refinement to a file, and return its header.

    hashes: of its photos, see picture_hashes(); None: the patch has none. vectors: whether it has the embedding of each
    photo's main face, by which a face can be recognised elsewhere. Photos that were erased on request are not in it.
    The same refinement gives the same bytes.
    """
    kinds = {name: kind for name, (kind, _) in refinement.options.sources.items()}
    index = IndexDigest(kinds)
    header = PatchHeader(hash="" if hashes is None else HASH_NAME, **(_model(refinement) if vectors else {}))

    def batches() -> Iterator[pa.Table]:
        for rows in patch_rows(refinement, hashes, vectors=vectors):
            index.add(rows)
            yield rows.filter(pc.not_equal(rows["reason"], "erased").fill_null(True)).cast(header.schema)

    def finished(photos: int) -> PatchHeader:
        return PatchHeader(**{**vars(header), "photos": photos, "sources": index.sources()})

    return write_patch(file, header.schema, batches(), finished)


def patch_rows(refinement: Refinement, hashes: Table | None, *, vectors: bool) -> Iterator[pa.Table]:
    """The rows of the patch of a refinement, shard by shard; columns as PATCH, with VECTOR if vectors are wanted."""
    labels = refinement.labels.batches(["key", "claimed", "identity", "reason"])
    sources = refinement.photos.batches(["source"])
    faces = (refinement.main_faces or refinement.faces).batches(["sha"])
    pictures = repeat(None) if hashes is None else hashes.batches(["hash"])
    x = main_embeddings(refinement).batches(["x"]) if vectors else repeat(None)
    for label, source, face, picture, vector in zip(labels, sources, faces, pictures, x, strict=False):
        columns = [source["source"], label["key"], label["claimed"], label["identity"], label["reason"]]
        columns.append(pa.array(map(_sha_bytes, face["sha"].to_pylist()), pa.binary(SHA_BYTES)))
        columns.append(pa.nulls(len(label), pa.uint64()) if picture is None else picture["hash"])
        names = [*PATCH.names, VECTOR] if vector is not None else PATCH.names
        yield pa.table(columns if vector is None else [*columns, vector["x"]], names=names)


def main_embeddings(refinement: Refinement) -> Table:
    """The first embedder's vectors of the faces that the detector's rule takes, which copies have in common."""
    return (refinement.main_embeddings or refinement.embeddings)[0]


def model_of(table: Table) -> tuple[str, str]:
    """SHA-256 of the file of an embeddings table's model, and how the mirrored face is part of a vector; ("", "")."""
    name = table.manifest["params"].get("embedder")
    return (str(name[1]), str(name[2])) if isinstance(name, list) and len(name) > 2 else ("", "")


def _model(refinement: Refinement) -> dict[str, Any]:
    """What the header says of the vectors."""
    table = main_embeddings(refinement)
    model, flip = model_of(table)
    if not model:
        raise UserError(f"{refinement.root} does not say which model made its embeddings: refine again for vectors")
    return {"model": model, "flip": flip, "dim": _dim(table)}


def _dim(table: Table) -> int:
    """The length of the vectors of an embeddings table."""
    for rows in table.batches(["x"]):
        return int(rows["x"].type.byte_width // 2)
    return 0


def _sha_bytes(text: str | None) -> bytes | None:
    return bytes.fromhex(text) if text is not None and len(text) == 2 * SHA_BYTES else None
