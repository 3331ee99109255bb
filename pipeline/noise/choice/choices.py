"""The choices table: the photos whose main face is replaced by a further one, and by which.

A face is chosen because it fits the person of the photo's identity better than the main face does. Where no face of the
photo fits that person, a face may match the person of another identity: the photo is then relabelled by this face.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.noise.choice.consensus import FitRates, better_faces, fit_of_faces
from pipeline.noise.choice.other_identities import MatchRates, matches_elsewhere
from pipeline.noise.choice.shard_faces import Choice, Rows, ShardFaces
from pipeline.noise.groups.calibrations import Calibrations, read_calibrations
from pipeline.noise.person_gallery import read_persons
from pipeline.noise.scores.fusion import Calibration, all_impostor_stats
from pipeline.tables.columns import non_null, read_vectors, texts
from pipeline.tables.table import Shard, Table, read_shard

# of a face's norm to the median of the main faces, or the other way round. The norms of 371 faces that were rightly
# chosen are within 0.7 and 1.3 of it, those of blurred faces in the background of LFW's photos below 0.5 or above 1.8
MAX_NORM_RATIO = 1.5
CHOICES = pa.schema(
    [
        ("photo", pa.string()),  # face_id of the photo
        ("face_id", pa.string()),  # of the further face that is chosen
        ("person", pa.string()),  # of another identity, whom the face shows; null: the person of the photo's identity
        ("score", pa.float32()),  # fused, of the chosen face with that person
        ("main", pa.float32()),  # the same of the main face; null: of another person, and the main face has none
    ]
)


class ChoicePart(NamedTuple):
    """The shards that the choices of one shard of photos are made from."""

    embeddings: tuple[Shard, ...]  # of the main faces, by each embedder
    copies: Shard
    clusters: Shard
    doubts: Shard
    further: tuple[Shard, ...]  # the embeddings of the faces in `doubts`, by each embedder


def choice_shard(
    part: ChoicePart,
    *,
    root: str,
    calibration: Shard,
    persons: Sequence[Shard],
    norms: Sequence[float],
    rates: Sequence[float],
    misplaced: float,
    support: float,
    groups: Sequence[Shard] | None = None,
    memory_bytes: int | None = None,
) -> pa.Table:
    """The choices of one shard of photos. persons: all shards of the persons table.

    norms: for each embedder the median norm of all main faces; a further face whose norm is not within the factor
    MAX_NORM_RATIO of it is left out: blurred faces are like each other.
    rates: the FitRates. misplaced, support: see MatchRates. groups: the GroupShards, if identities have groups: a face
    is compared with its identity's person by the group's calibration. memory_bytes: of the blocks of the search.
    """
    doubts = read_shard(root, part.doubts, ["face_id", "identity", "photo"])
    if not len(doubts):
        return CHOICES.empty_table()
    calibrations = read_calibrations(root, calibration, groups)
    score_calibration = calibrations.whole
    faces = _read_faces(root, part, doubts, norms, score_calibration)
    chosen, without = _by_identity(faces, calibrations, FitRates(*rates))
    gallery, limits = read_persons(root, persons, calibration), MatchRates(misplaced, support)
    elsewhere = matches_elsewhere(faces, without, gallery, score_calibration, limits, memory_bytes=memory_bytes)
    rows = [c for c in (*chosen, *elsewhere) if faces.further[c.row]]
    return pa.Table.from_pylist(
        [
            {
                "photo": faces.photo_ids[faces.photo[c.row]],
                "face_id": faces.ids[c.row],
                "person": c.person,
                "score": c.score,
                "main": c.main,
            }
            for c in sorted(rows, key=lambda c: int(faces.photo[c.row]))
        ],
        schema=CHOICES,
    )


def _by_identity(faces: ShardFaces, calibrations: Calibrations, rates: FitRates) -> tuple[list[Choice], Rows]:
    """The choices by the photos' own identities, and the faces of the photos none of whose faces fits there."""
    chosen: list[Choice] = []
    without: list[Rows] = [np.empty(0, np.int64)]
    group = calibrations.numbers(pa.array(faces.identities, pa.string()))
    for rows in faces.of_identities():
        of_identity, number = faces.of_identity(rows), group[faces.photo[rows]]
        of_identity = of_identity._replace(vectors=calibrations.vectors(of_identity.vectors, number))
        fit = fit_of_faces(of_identity, calibrations.of(int(number[0])), rates)
        if fit is None:  # without a person of the identity no photo can be said to be of another one
            continue
        photo, further = faces.photo[rows], faces.further[rows]
        main = {int(p): float(z) for p, z in zip(photo[~further], fit.scores[~further], strict=True)}
        for i in better_faces(photo, further, fit.scores, fit.fits).tolist():
            chosen.append(Choice(int(rows[i]), None, float(fit.scores[i]), main[int(photo[i])]))
        without.append(rows[~np.isin(photo, photo[fit.fits])])
    return chosen, np.concatenate(without)


def _read_faces(
    root: str, part: ChoicePart, doubts: pa.Table, norms: Sequence[float], calibration: Calibration
) -> ShardFaces:
    """The main faces of all identities that have further faces in doubt, and these."""
    rows = read_shard(root, part.copies, ["face_id", "identity", "copy_of"])
    main_x, main_valid = read_vectors(root, part.embeddings)
    further_x, further_valid = read_vectors(root, part.further)
    for shard, typical in zip(part.further, norms, strict=True):
        ratio = read_shard(root, shard, ["norm"])["norm"].to_numpy() / typical
        further_valid &= (ratio >= 1 / MAX_NORM_RATIO) & (ratio <= MAX_NORM_RATIO)
    cluster = read_shard(root, part.clusters, ["cluster"])["cluster"].fill_null(-1).to_numpy()
    ids = rows["face_id"].combine_chunks()
    original = pc.index_in(rows["copy_of"], value_set=ids, skip_nulls=True).fill_null(-1).to_numpy()
    picture = np.where(original < 0, np.arange(len(rows)), original)
    in_question = np.asarray(pc.is_in(rows["identity"], value_set=doubts["identity"].unique()))
    main, further = np.flatnonzero(in_question & main_valid), np.flatnonzero(further_valid)
    photo = np.concatenate([main, pc.index_in(doubts["photo"], value_set=ids).to_numpy()[further]])
    x = [np.concatenate([a[main], b[further]]) for a, b in zip(main_x, further_x, strict=True)]
    return ShardFaces(
        np.concatenate([texts(rows["face_id"])[main], texts(doubts["face_id"])[further]]),
        photo,
        np.arange(len(photo)) >= len(main),
        all_impostor_stats(x, calibration),
        photo_ids=texts(rows["face_id"]),
        identities=texts(rows["identity"]),
        picture=picture,
        first=cluster == 0,
    )


def median_norm(embeddings: Table) -> float:
    """The median norm of a table of embeddings; 1 where no photo has a face."""
    norms = np.concatenate([np.empty(0), *(non_null(t["norm"]).to_numpy() for t in embeddings.batches(["norm"]))])
    return round(float(np.median(norms)), 4) if len(norms) else 1.0
