"""Cohorts: embeddings of other people's faces by one model, kept in the user's cache for data sets of few identities.

`refinery calibrate` makes the cohort of a model. A refinement of few identities finds it by the digest of the model's
file, and copies it into its root, so that its tables do not depend on the cache any more.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import schema
from pipeline.errors import UserError
from pipeline.faces.protocols import FaceEmbedder
from pipeline.noise.calibration import FACES, IDENTITIES
from pipeline.noise.scores.calibrate import FEW_IDENTITIES
from pipeline.tables import storage
from pipeline.tables.build import build
from pipeline.tables.table import Shard, Table, load, read_shard, read_shards
from pipeline.user_cache import cohorts_cache

log = logging.getLogger("refinery")


@dataclass(frozen=True)
class Cohort:
    """The embeddings of a cohort by one model; name: of the photos, their path's last part."""

    name: str
    embeddings: Table


def keep_cohort(embeddings: Table, embedder: FaceEmbedder, name: str) -> Cohort:
    """Keep faces as the cohort of an embedder in the user's cache; an earlier cohort of it is replaced.

    embeddings: of the faces; a face without an identity becomes an identity of its own. Kept are the FACES faces with
    the lowest face_id of each of the IDENTITIES identities with the lowest hashes.
    """
    root = cohorts_cache()
    part = tuple(embeddings.shards)
    table = build(
        root,
        "cohort",
        cohort_shard,
        [part],
        schema=schema.embeddings(embedder.dim),
        params={"identities": IDENTITIES, "faces": FACES},
        unhashed={"root": embeddings.root},
    )
    record = {"name": name, "address": table.address, "digest": table.digest}
    storage.put_json(root, _file_of(embedder), record)
    return Cohort(name, table)


def cohort_shard(part: Sequence[Shard], *, root: str, identities: int, faces: int) -> pa.Table:
    """The faces of a cohort, sorted by face_id. part: all shards of embeddings; identities, faces: most of each."""
    table = pa.concat_tables(read_shards(root, part)).filter(pc.field("x").is_valid())
    names = pc.coalesce(table["identity"], table["face_id"])
    table = table.set_column(table.schema.get_field_index("identity"), "identity", names).sort_by("face_id")
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(table["identity"].to_pylist()):
        rows.setdefault(name, []).append(row)
    drawn = sorted(rows, key=lambda name: blake2b(name.encode("utf-8", "surrogateescape")).digest())[:identities]
    return table.take(pa.array(sorted(row for name in drawn for row in rows[name][:faces]), pa.int64()))


def find_cohorts(embedders: Sequence[FaceEmbedder]) -> list[Cohort]:
    """The cohort of each embedder; none unless every embedder has one. A damaged one is warned of and left out."""
    found = [cohort for embedder in embedders if (cohort := _find(embedder)) is not None]
    if len(found) == len(embedders):
        return found
    if found:
        log.warning("the cohort of one embedder alone is not used: run `refinery calibrate` with the other one, too")
    return []


def _find(embedder: FaceEmbedder) -> Cohort | None:
    root = cohorts_cache()
    try:
        record = storage.get_json(root, _file_of(embedder))
        if record is None:
            return None
        table = load(root, "cohort", str(record["address"]), digest=str(record["digest"]))
        if table is not None:
            for shard in table.shards:
                read_shard(root, shard)  # checks its bytes against their digest
            return Cohort(str(record["name"]), table)
    except (UserError, KeyError):
        pass
    log.warning("the cohort of %s in %s is damaged and not used: run `refinery calibrate` again", embedder.model, root)
    return None


def _file_of(embedder: FaceEmbedder) -> str:
    """The file that names the cohort of an embedder, by what stands for the embedder in the addresses of tables."""
    return f"{blake2b(repr(list(embedder.named_by)).encode(), digest_size=10).hexdigest()}.json"


def copy_cohorts(root: str, cohorts: Sequence[Cohort]) -> list[Table]:
    """The cohorts as tables in a root, with the faces that all of them have, in one order; [] if there are none."""
    ids = [set(cohort.embeddings.read(["face_id"])["face_id"].to_pylist()) for cohort in cohorts]
    if not set.intersection(*ids):
        log.warning("the cohorts of the embedders share no photo: run `refinery calibrate` for both with the same PATH")
        return []
    shards = [cohort.embeddings.shards[0] for cohort in cohorts]
    return [
        build(
            root,
            "cohort",
            common_faces_shard,
            [(shard, *shards)],
            schema=schema.embeddings(_dim(shard)),
            unhashed={"cache": cohorts_cache()},
        )
        for shard in shards
    ]


def common_faces_shard(part: tuple[Shard, ...], *, cache: str) -> pa.Table:
    """The faces of the first cohort that all further ones have. part: the shards in the cache."""
    first, *every = part
    table = read_shard(cache, first)
    common = np.ones(len(table), bool)
    for shard in every:
        ids = read_shard(cache, shard, ["face_id"])["face_id"].combine_chunks()
        common &= np.asarray(pc.is_in(table["face_id"], value_set=ids))
    return table.filter(pa.array(common))


def _dim(shard: Shard) -> int:
    """The length of the vectors in a shard of the cache."""
    return int(read_shard(cohorts_cache(), shard, ["x"])["x"].type.byte_width) // 2


def has_few_identities(photos: Table) -> bool:
    """Whether a photos table has so few identities that a cohort helps; reads no further than that."""
    identities: set[str] = set()
    for rows in photos.batches(["identity"]):
        identities.update(name for name in rows["identity"].unique().to_pylist() if name is not None)
        if len(identities) > FEW_IDENTITIES:
            return False
    return True
