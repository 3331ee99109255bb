"""What a decision changes at once is what it changes when the whole data set is labelled again."""

import random
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from pipeline import schema
from pipeline.browse.decisions.effect import identities_of, resolve_part
from pipeline.browse.decisions.neighbourhood import Neighbourhood, neighbourhood
from pipeline.browse.snapshot import Snapshot, load_snapshot
from pipeline.refined.labels import label
from pipeline.refined.verdicts import noise_tables
from pipeline.refinement import latest
from pipeline.review.answers.ledger import LedgerRow, table_of
from pipeline.review.questions.finding_ref import FindingRef, finding_ref
from tests.builders.tables.drawn_refinement import drawn_root


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    return load_snapshot(latest(str(drawn_root(tmp_path_factory))))


def answers(*said: tuple[FindingRef, str]) -> pa.Table:
    rows = [LedgerRow(ref, verdict, "ann", "case", answer_id=str(i)) for i, (ref, verdict) in enumerate(said)]
    return table_of(rows).select(schema.ANSWERS.names)


def whole(snapshot: Snapshot) -> Neighbourhood:
    """The whole data set as a neighbourhood."""
    part = neighbourhood(snapshot, np.arange(snapshot.photos.claimed_names, dtype=np.int32))
    unnamed = np.setdiff1d(np.arange(len(snapshot.photos)), part.rows)
    assert snapshot.photos.claimed[unnamed].tolist() == [-1]
    assert len(part.findings) == len(snapshot.findings)
    return part


def said(snapshot: Snapshot, rng: random.Random) -> list[tuple[FindingRef, str]]:
    """One to three answers, to findings of the machine or to others."""
    photos, table, answered = snapshot.photos, snapshot.findings.table, {}
    for _ in range(rng.randint(1, 3)):
        if rng.random() < 0.6:
            kind = rng.choice(["outlier", "merge", "split", "overlap", "misplaced", "duplicate", "mixed"])
            row = rng.choice(np.flatnonzero(snapshot.findings.kind == kind).tolist())
            sides = table["subject"][row].as_py(), table["object"][row].as_py()
        else:
            kind, face = rng.choice(["outlier", "misplaced", "merge"]), photos.face_id(rng.randrange(len(photos)))
            two = sorted(rng.sample(photos.names, 2))
            sides = (two[0], two[1]) if kind == "merge" else (face, two[0])
        ref = finding_ref(kind, *sides, photos.medoids)
        answered[ref.finding_id] = (ref, rng.choice(["yes", "no"]))
    if rng.random() < 0.5:  # a face that was split off with its cluster, and is moved alone
        face = photos.face_id(rng.choice([i for i in range(len(photos)) if snapshot.reason(i) == "split"]))
        ref = finding_ref("misplaced", face, rng.choice(photos.names[: photos.claimed_names]), photos.medoids)
        answered[ref.finding_id] = (ref, "yes")
    return list(answered.values())


@pytest.mark.parametrize("undecided", ["keep", "drop"])
def test_a_neighbourhood_gives_the_fates_of_the_whole_data_set(snapshot: Snapshot, undecided: str) -> None:
    options = replace(snapshot.refinement.options, undecided=undecided)
    snapshot = replace(snapshot, refinement=replace(snapshot.refinement, options=options))
    everything, rng, changed = whole(snapshot), random.Random(3), 0
    before = resolve_part(snapshot, everything, answers())
    for _ in range(12):
        given = said(snapshot, rng)
        after = resolve_part(snapshot, everything, answers(*given))
        part = neighbourhood(snapshot, np.array(identities_of(snapshot, [ref for ref, _ in given]), np.int32))
        here = resolve_part(snapshot, part, answers(*given)).labels
        place = np.searchsorted(everything.rows, part.rows)
        true = after.labels.take(pa.array(place))
        certain = pa.array(part.certain)
        assert here.filter(certain).drop_columns("key").equals(true.filter(certain).drop_columns("key"))
        # nothing changes outside
        differs = [a != b for a, b in zip(before.labels.to_pylist(), after.labels.to_pylist(), strict=True)]
        outside = np.ones(len(everything.rows), bool)
        outside[place[part.certain]] = False
        assert not (np.array(differs) & outside).any()
        changed += any(differs)
        assert len(part.rows) < len(everything.rows)
    assert changed > 3


def test_the_parts_of_the_data_set_give_its_labels(snapshot: Snapshot) -> None:
    refinement = snapshot.refinement
    made = label(
        refinement.root,
        refinement.photos,
        noise_tables(refinement),
        undecided=refinement.options.undecided,
        min_faces=refinement.options.min_faces,
    )
    everything = whole(snapshot)
    labels = made.labels.read().take(pa.array(everything.rows)).drop_columns("key")
    assert resolve_part(snapshot, everything, answers()).labels.drop_columns("key").equals(labels)
