"""The part of a data set that decides about the photos of some identities: its photos, persons and findings.

Whether a photo is kept depends on its own findings, on the identities that may be merged with its own, on the photos
that are moved into these, and on how many photos are left there. So a decision about a few identities is resolved on
this part alone, and gives the same fates as on the whole data set.
"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.browse.finding_index import FindingIndex, Mask
from pipeline.browse.photo_index import Codes, PhotoIndex, Rows
from pipeline.browse.snapshot import Snapshot


class Neighbourhood(NamedTuple):
    """A part of a data set, as resolve() takes it."""

    rows: Rows  # numbers of its photos
    certain: Mask  # [rows] whether the photo's fate follows from this part alone; that of the others does not
    claims: pa.Table  # of these photos
    persons: pa.Table
    findings: pa.Table  # by the machine alone, columns as FINDINGS


def neighbourhood(snapshot: Snapshot, identities: Codes) -> Neighbourhood:
    """The part of the data set that decides about the photos of these identities (codes of claimed identities)."""
    photos, findings = snapshot.photos, snapshot.findings
    graph = _Graph.of(photos, findings)
    near = graph.merged(photos.flags(identities.tolist()))
    inside = graph.photos_of(near)
    # where photos of these go, and all that is merged there: how many photos are left there may change
    further = graph.merged(near | graph.targets(inside))
    certain = graph.photos_of(further)
    certain |= graph.partners(certain)
    beyond = further | graph.targets(certain)
    beyond[photos.claimed[certain]] = True
    beyond[-1] = False
    rows = np.flatnonzero(certain | beyond[photos.claimed])
    return Neighbourhood(
        rows,
        certain[rows],
        _claims(photos, rows),
        photos.persons.filter(pa.array(beyond[photos.person_identity])),
        findings.table.take(pa.array(graph.findings_of(rows, beyond, further))),
    )


class _Graph(NamedTuple):
    """The findings that link identities: merges, and photos that may be moved."""

    photos: PhotoIndex
    findings: FindingIndex
    merges: Rows  # rows of findings
    moves: Rows
    conflicts: Rows

    @classmethod
    def of(cls, photos: PhotoIndex, findings: FindingIndex) -> "_Graph":
        kinds = (np.flatnonzero(findings.kind == kind) for kind in ("merge", "misplaced", "conflict"))
        return cls(photos, findings, *kinds)

    def identity(self, names: Codes) -> Codes:
        """The codes of the identities in which these persons were found."""
        return np.append(self.photos.identity_of_name, np.int32(-1))[names]

    def merged(self, flags: Mask) -> Mask:
        """The identities that are linked with these by merge findings, and these; flags: see PhotoIndex.flags()."""
        one = self.identity(self.findings.subject_name[self.merges])
        two = self.identity(self.findings.object_name[self.merges])
        flags = flags.copy()
        while True:
            before = int(flags.sum())
            flags[one[flags[two]]] = True
            flags[two[flags[one]]] = True
            flags[-1] = False
            if int(flags.sum()) == before:
                return flags

    def photos_of(self, flags: Mask) -> Mask:
        """The photos [n] that are claimed as these identities or may be moved to them."""
        chosen = flags[self.photos.claimed]
        moved = self.findings.subject_row[self.moves]
        into = flags[self.identity(self.findings.object_name[self.moves])]
        chosen[moved[into & (moved >= 0)]] = True
        return chosen

    def targets(self, chosen: Mask) -> Mask:
        """The identities to which photos among these [n] may be moved, as flags."""
        moved = self.findings.subject_row[self.moves]
        known = np.flatnonzero(moved >= 0)
        known = known[chosen[moved[known]]]
        codes = self.identity(self.findings.object_name[self.moves[known]])
        return self.photos.flags(codes[codes >= 0].tolist())

    def partners(self, chosen: Mask) -> Mask:
        """The photos [n] that are the same picture as one of these under another identity."""
        a, b = self.findings.subject_row[self.conflicts], self.findings.object_row[self.conflicts]
        both = (a >= 0) & (b >= 0)
        a, b = a[both], b[both]
        partners = np.zeros(len(chosen), bool)
        partners[a[chosen[b]]] = True
        partners[b[chosen[a]]] = True
        return partners

    def findings_of(self, rows: Rows, identities: Mask, closed: Mask) -> Rows:
        """The machine's findings about these photos and identities; merges only within `closed`, which are whole."""
        f = self.findings
        about = np.zeros(len(self.photos) + 1, bool)
        about[rows] = True
        chosen = about[f.subject_row] | identities[self.identity(f.subject_name)]
        split = f.kind == "split"
        chosen[split] |= identities[np.append(self.photos.claimed, np.int32(-1))[f.object_row[split]]]
        merge = f.kind == "merge"
        chosen[merge] = closed[self.identity(f.subject_name[merge])]
        return np.flatnonzero(chosen & f.by_machine)


def _claims(photos: PhotoIndex, rows: Rows) -> pa.Table:
    names = pa.array(photos.names, pa.string())
    claimed, cluster = photos.claimed[rows], photos.cluster[rows]
    return pa.table(
        {
            "face_id": pa.chunked_array([pa.array([photos.face_id(row) for row in rows.tolist()], pa.string())]),
            "key": pa.chunked_array([pa.nulls(len(rows), pa.string())]),
            "identity": pa.chunked_array([names.take(pa.array(claimed, mask=claimed < 0))]),
            "cluster": pa.chunked_array([pa.array(cluster, pa.int32(), mask=cluster < 0)]),
        }
    )
