"""One identity: all faces that are claimed as it or kept under it, by fate and cluster, the surest first."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pipeline.browse.pages.identity_table import IdentityRow, IdentityTable
from pipeline.browse.photo_index import Rows
from pipeline.browse.snapshot import Snapshot
from pipeline.errors import UserError

MAX_FACES = 3000  # of a page


@dataclass(frozen=True)
class ShownFace:
    """A face on the wall."""

    face_id: str
    score: float | None  # with the person of its claimed identity
    claimed: str | None
    identity: str | None  # None: removed
    reason: str
    verdict: str  # on the finding that it is one; "" where there is none
    who: str  # who gave that verdict


@dataclass(frozen=True)
class FaceGroup:
    """The faces of one fate and cluster."""

    title: str
    fate: str  # kept, relabelled, removed
    reason: str
    faces: list[ShownFace]


@dataclass(frozen=True)
class LinkedName:
    """Another name that this one was found to be like, or is merged with."""

    name: str
    score: float | None
    verdict: str  # on the finding that both are one person
    who: str
    finding_id: str
    photos: int


@dataclass(frozen=True)
class IdentityView:
    """All that the page of an identity shows, but for pictures and the nearest persons."""

    row: IdentityRow
    identity: str  # the claimed identity in which the person was found
    persons: list[str]  # the persons that were found in that identity
    groups: list[FaceGroup]
    faces: int  # of the page
    left_out: int  # further faces of a very large identity
    links: list[LinkedName]


class _Key(NamedTuple):
    """By this the faces of a wall are grouped, and the groups sorted."""

    order: int
    reason: str
    cluster: int


def identity_view(snapshot: Snapshot, table: IdentityTable, name: str, *, offset: int = 0) -> IdentityView:
    """The page of one identity or person. Raises UserError where the data has none of this name."""
    photos = snapshot.photos
    code = photos.code_of_name.get(name, -1)
    if code < 0:
        raise UserError(f"no identity is called {name[:80]!r}: search the list")
    identity = int(photos.identity_of_name[code])
    rows = np.flatnonzero((photos.claimed == code) | (snapshot.fates.identity == code))
    score = np.nan_to_num(photos.score[rows], nan=-np.inf)
    rows = rows[np.argsort(-score, kind="stable")]
    shown = rows[offset : offset + MAX_FACES]
    persons = photos.persons.filter(photos.person_identity == identity)["person"].to_pylist()
    return IdentityView(
        table.row(code),
        photos.names[identity],
        persons,
        _groups(snapshot, code, identity, shown),
        len(rows),
        len(rows) - len(shown) - min(offset, len(rows)),
        _links(snapshot, table, [photos.code_of_name[p] for p in persons if p in photos.code_of_name] or [code]),
    )


def _groups(snapshot: Snapshot, code: int, identity: int, rows: Rows) -> list[FaceGroup]:
    photos, fates = snapshot.photos, snapshot.fates
    of_cluster = dict(
        zip(
            photos.persons.filter(photos.person_identity == identity)["cluster"].to_pylist(),
            photos.persons.filter(photos.person_identity == identity)["person"].to_pylist(),
            strict=True,
        )
    )
    finding = _outlier_findings(snapshot, rows)
    cluster = _clusters(snapshot, identity, rows)
    groups: dict[_Key, list[ShownFace]] = {}
    for i, row in enumerate(rows.tolist()):
        kept_as, reason = int(fates.identity[row]), snapshot.reason(row)
        order = int(bool(reason)) if kept_as == code else 2 if kept_as >= 0 else 3
        key = _Key(order, reason, int(cluster[i]))
        groups.setdefault(key, []).append(_face(snapshot, row, int(finding[i])))
    return [_group(key, faces, of_cluster, photos.names[code]) for key, faces in sorted(groups.items())]


def _clusters(snapshot: Snapshot, identity: int, rows: Rows) -> Rows:
    """The cluster of each photo; -1 for photos of other identities, and for a cluster of one photo."""
    photos = snapshot.photos
    own = (photos.claimed[rows] == identity) & (photos.cluster[rows] >= 0)
    cluster = np.where(own, photos.cluster[rows], -1).astype(np.int64)
    size = np.bincount(cluster[own], minlength=1)
    return np.where(own & (size[cluster] > 1), cluster, -1)


def _group(key: _Key, faces: list[ShownFace], of_cluster: dict[int, str], name: str) -> FaceGroup:
    fate = ("kept", "moved here", "moved away", "removed")[key.order]
    cluster = "" if key.cluster < 0 else f", cluster {key.cluster}"
    person = of_cluster.get(key.cluster) if key.cluster >= 0 else None
    if person is not None and person != name:
        cluster += f" ({person})"
    reason = f": {key.reason}" if key.reason else ""
    return FaceGroup(f"{fate}{reason}{cluster}", fate, key.reason, faces)


def _face(snapshot: Snapshot, row: int, finding: int) -> ShownFace:
    photos, index = snapshot.photos, snapshot.findings
    score = float(photos.score[row])
    return ShownFace(
        photos.face_id(row),
        round(score, 2) if np.isfinite(score) else None,
        snapshot.name(int(photos.claimed[row])),
        snapshot.name(int(snapshot.fates.identity[row])),
        snapshot.reason(row),
        str(index.verdict[finding]) if finding >= 0 else "",
        str(index.who[finding]) if finding >= 0 else "",
    )


def _outlier_findings(snapshot: Snapshot, rows: Rows) -> Rows:
    """For each photo the row of the finding that it is an outlier, -1: none."""
    index = snapshot.findings
    about = np.flatnonzero(np.isin(index.subject_row, rows) & (index.kind == "outlier"))
    place = {row: i for i, row in enumerate(rows.tolist())}
    finding = np.full(len(rows), -1, np.int64)
    for at in about.tolist():
        finding[place[int(index.subject_row[at])]] = at
    return finding


def _links(snapshot: Snapshot, table: IdentityTable, codes: list[int]) -> list[LinkedName]:
    """The names with which merge findings link these persons, the most alike first."""
    index = snapshot.findings
    rows = index.about_names(codes)
    links = []
    for finding in index.shown(rows[index.kind[rows] == "merge"]):
        for name in (finding.subject, finding.object or ""):
            code = snapshot.photos.code_of_name.get(name, -1)
            if code >= 0 and code not in codes:
                kept = int(table.kept[code] or table.claimed[code])
                links.append(LinkedName(name, finding.score, finding.verdict, finding.who, finding.finding_id, kept))
    return sorted(links, key=lambda link: (-(link.score or 0.0), link.name))
