"""Hubs: persons whom stray faces of very many identities match.

People are mislabelled under a few names each. A person who would get photos from more identities than it has photos
itself is more likely something that everybody resembles: a blur, a drawing, a wax face. It is reported by name, and its
strays are asked about, not relabelled.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.noise.findings import combine_findings, findings_table
from pipeline.tables.columns import texts
from pipeline.tables.table import Shard, Table, read_shards

MIN_IDENTITIES = 10  # from which a person can draw strays before it is a hub; in noisy real data nobody passes 9


def findings_shard(
    part: Sequence[Shard], *, root: str, clusters: Sequence[Shard], persons: Sequence[Shard]
) -> pa.Table:
    """All findings in one shard; part: the shards of all stages that make findings; for the others see with_hubs()."""
    return with_hubs(combine_findings(read_shards(root, part)), root=root, clusters=clusters, persons=persons)


def with_hubs(findings: pa.Table, *, root: str, clusters: Sequence[Shard], persons: Sequence[Shard]) -> pa.Table:
    """The findings with one of the kind hub for each hub; the misplaced findings about hubs lose their scores.

    Without a score the policy is unsure, and people are asked. findings: of the whole data set; clusters, persons: all
    shards of these tables.
    """
    misplaced = findings.filter(pc.equal(findings["kind"], "misplaced"))
    if len(misplaced) <= MIN_IDENTITIES:
        return findings
    sources = _identities_by_person(root, misplaced, clusters)
    sizes = _sizes(root, persons, [p for p, identities in sources.items() if len(identities) > MIN_IDENTITIES])
    hubs = {p: (len(sources[p]), size) for p, size in sorted(sizes.items()) if len(sources[p]) > size}
    if not hubs:
        return findings
    fed = pc.and_(pc.equal(findings["kind"], "misplaced"), pc.is_in(findings["object"], value_set=pa.array(list(hubs))))
    evidence = pc.if_else(fed, pc.binary_join_element_wise(findings["evidence"], "to a hub", " "), findings["evidence"])
    asked = findings.set_column(findings.schema.get_field_index("evidence"), "evidence", evidence)
    for name in ("score", "second"):
        column = pc.if_else(fed, pa.scalar(None, pa.float32()), findings[name])
        asked = asked.set_column(asked.schema.get_field_index(name), name, column)
    words = [f"photos of {n} identities match this person of {size} faces" for n, size in hubs.values()]
    counts = np.array([n for n, _ in hubs.values()], np.float32)
    return combine_findings([asked, findings_table("hub", list(hubs), [None] * len(hubs), [counts], words)])


def _identities_by_person(root: str, misplaced: pa.Table, clusters: Sequence[Shard]) -> dict[str, set[str]]:
    """By person the claimed identities of the faces that would be relabelled as that person."""
    subjects = misplaced["subject"].combine_chunks()
    identity_of_face: dict[str, str] = {}
    for rows in read_shards(root, clusters, ["face_id", "identity"]):
        rows = rows.filter(pc.and_(pc.is_in(rows["face_id"], value_set=subjects), rows["identity"].is_valid()))
        identity_of_face.update(zip(rows["face_id"].to_pylist(), rows["identity"].to_pylist(), strict=True))
    sources: dict[str, set[str]] = defaultdict(set)
    for face, person in zip(texts(misplaced["subject"]), texts(misplaced["object"]), strict=True):
        if face in identity_of_face:  # others are unnamed photos, which are not relabelled
            sources[person].add(identity_of_face[face])
    return sources


def _sizes(root: str, persons: Sequence[Shard], names: Sequence[str]) -> dict[str, int]:
    """The number of faces of each of these persons."""
    wanted = pa.array(sorted(names), pa.string())
    sizes: dict[str, int] = {}
    for rows in read_shards(root, persons, ["person", "size"]) if names else ():
        rows = rows.filter(pc.is_in(rows["person"], value_set=wanted))
        sizes.update(zip(rows["person"].to_pylist(), rows["size"].to_pylist(), strict=True))
    return sizes


def hub_lines(findings: Table) -> tuple[str, ...]:
    """A line for each hub among the findings, for a summary."""
    hubs = (rows.filter(pc.equal(rows["kind"], "hub")) for rows in findings.batches(["kind", "subject", "evidence"]))
    return tuple(
        f"{person} may be no person: {evidence}; people are asked, and none of them is relabelled"
        for rows in hubs
        for person, evidence in zip(rows["subject"].to_pylist(), rows["evidence"].to_pylist(), strict=True)
    )
