"""The labels table: one label for each photo, in the order and the shards of the photos table.

Three tables are built one after another: decisions (the verdict on each finding: people's if they answered, else the
policy's), resolved (resolve() over the whole data set), and labels (the same rows in the shards of the photos).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline import schema
from pipeline.lost_answers import check_answers
from pipeline.noise.calibration import read_calibration
from pipeline.noise.policy import judge
from pipeline.noise.scores.fusion import Calibration
from pipeline.noise.stages import Noise
from pipeline.open_erasure import check_no_open_erasure
from pipeline.refined.account import account_labels
from pipeline.refined.resolve import resolve
from pipeline.refined.resolve_steps.merge_persons import without_contradictions
from pipeline.refined.verdicts import match_answers, noise_tables, with_implied_answers
from pipeline.refinement import Account, Refinement, latest, ledger_files, publish
from pipeline.tables.build import Workers
from pipeline.tables.build import build as build_table
from pipeline.tables.table import Shard, Table, read_shard, read_shards, read_slice

ACCOUNT_COLUMNS = ("face_id", "claimed", "identity", "reason")
PERSON_COLUMNS = ("person", "identity", "cluster", "size", "medoid")


class Labelling(NamedTuple):
    """The labels of all photos with their account, and the tables from which they were made."""

    labels: Table
    decisions: Table
    account: Account
    answers: Table | None = None  # people's answers; None when there are none
    findings_with_people: Table | None = None  # the findings with those that answers add; None without answers

    def updated(self, refinement: Refinement) -> Refinement:
        """The refinement with these labels in place of its own."""
        return replace(refinement, **self._asdict())


def label(
    root: str,
    photos: Table,
    noise: Noise,
    *,
    undecided: str,
    min_faces: int,
    verdicts: pa.Table | None = None,
    workers: Workers = None,
    build: Callable[..., Table] = build_table,
) -> Labelling:
    """The labels of all photos, and the tables from which they were made.

    undecided, min_faces: see resolve(). verdicts: people's (columns as ANSWERS), which replace the policy's. build: the
    function that builds a table, for callers that wrap it.
    """
    answers = with_people = None
    if verdicts is not None and len(verdicts):
        answers, with_people = match_answers(root, verdicts, noise, workers=workers)
    findings = with_people or noise.findings
    run: dict[str, Any] = {"workers": workers, "unhashed": {"root": root}}
    decisions = build(
        root,
        "decisions",
        decide_shard,
        list(findings.shards),
        schema=schema.DECISIONS,
        version=3,
        params={
            "calibration": noise.calibration.shards[0],
            "limits": dict(sorted(noise.thresholds.items())),
            **({"answers": answers.shards} if answers else {}),
        },
        **run,
    )
    tables = (photos, noise.clusters, noise.persons, findings)
    resolved = build(
        root,
        "resolved",
        resolve_shard,
        [tuple(tuple(table.shards) for table in tables)],
        schema=schema.LABELS,
        version=2,
        params={
            "decisions": decisions.shards,
            "undecided": undecided,
            "min_faces": min_faces,
            **({"people_move": True} if answers and _moves_any(answers) else {}),
        },
        **run,
    )
    slices = _slices(resolved.shards[0], photos)
    labels = build(root, "labels", slice_shard, slices, schema=schema.LABELS, **run)
    account = account_labels(labels.batches(ACCOUNT_COLUMNS), ingested=len(photos))
    return Labelling(labels, decisions, account, answers, with_people)


def _moves_any(answers: Table) -> bool:
    """Whether people said of any face that it is another person; answers: columns as ANSWERS."""
    rows = answers.read(["kind", "verdict"])
    return bool(pc.any(pc.and_(pc.equal(rows["kind"], "misplaced"), pc.equal(rows["verdict"], "yes"))).as_py())


def _slices(resolved: Shard, photos: Table) -> list[tuple[Shard, int, int]]:
    """For each shard of the photos: the shard of all labels, its first row in there and its number of rows."""
    starts = np.cumsum([0, *(shard.rows for shard in photos.shards)]).tolist()
    return [(resolved, start, shard.rows) for start, shard in zip(starts, photos.shards, strict=False)]


def label_again(root: str, verdicts: Callable[[str], pa.Table], *, workers: Workers = None) -> Refinement:
    """The root's refinement with labels made again from people's verdicts; published if a table or the ledger changed.

    verdicts: reads them (columns as ANSWERS) from a root. The ledger is listed before, so that an answer that comes
    meanwhile is not in the list without being in the labels. Raises UserError where answers are gone with which the
    refinement was made.
    """
    files = tuple(ledger_files(root))
    refinement = latest(root)
    check_answers(root)
    check_no_open_erasure(root)
    labelling = label(
        root,
        refinement.photos,
        noise_tables(refinement),
        undecided=refinement.options.undecided,
        min_faces=refinement.options.min_faces,
        verdicts=verdicts(root),
        workers=workers,
    )
    updated = replace(labelling.updated(refinement), ledger=files)
    is_same = updated.tables == refinement.tables and refinement.ledger == files
    return refinement if is_same else publish(root, updated)


def decide_shard(
    part: Shard, *, root: str, calibration: Shard, limits: Mapping[str, float], answers: Sequence[Shard] = ()
) -> pa.Table:
    """The decisions on one shard of findings, row by row: people's verdict where there is one, else the policy's.

    part: shard of findings; limits: the policy's thresholds by name; answers: shards of people's answers.
    The policy's decisions have no time, so that the same findings give the same bytes.
    """
    tables = [read_shard(root, shard) for shard in answers]
    people = pa.concat_tables(tables) if tables else schema.ANSWERS.empty_table()
    return decide(read_shard(root, part), people, limits=limits, calibration=read_calibration(root, calibration))


def decide(findings: pa.Table, people: pa.Table, *, limits: Mapping[str, float], calibration: Calibration) -> pa.Table:
    """The decisions on these findings, row by row (columns as DECISIONS); people: their answers (columns as ANSWERS).

    Merges contradict each other only where persons are linked by merge findings: without the other findings of the
    data, the decisions on all merges of some linked persons are the same.
    """
    verdicts = judge(findings, dict(limits), calibration)
    policy = _decided_by_policy(findings, without_contradictions(findings, verdicts))
    people = with_implied_answers(people, findings)
    row = pc.index_in(findings["finding_id"], value_set=people["finding_id"].combine_chunks())
    answered = row.is_valid()
    by_people = people.take(row.drop_null()).select(schema.DECISIONS.names)
    decisions = pa.concat_tables([policy.filter(pc.invert(answered)), by_people])
    order = np.argsort(np.asarray(answered), kind="stable")  # row of the finding that each row of `decisions` is about
    return decisions.take(pa.array(np.argsort(order)))


def _decided_by_policy(findings: pa.Table, verdicts: np.ndarray[Any, Any]) -> pa.Table:
    n = len(findings)
    columns = [findings["finding_id"], pa.array(verdicts, pa.string()), pa.array(["policy"] * n, pa.string())]
    nulls = [pa.nulls(n, field.type) for field in list(schema.DECISIONS)[3:]]
    return pa.table([*columns, *nulls], schema=schema.DECISIONS)


def resolve_shard(
    part: tuple[Sequence[Shard], Sequence[Shard], Sequence[Shard], Sequence[Shard]],
    *,
    decisions: Sequence[Shard],
    undecided: str,
    min_faces: int,
    people_move: bool = False,
    root: str,
) -> pa.Table:
    """The labels of a whole data set; part: the shards of its photos, clusters, persons and findings.

    people_move: whether people say of any face that it is another person. Else who decided makes no difference.
    """
    photos, clusters, persons, findings = part
    claims = _read(root, photos, ("face_id", "key", "identity"))
    claims = claims.append_column("cluster", _read(root, clusters, ("cluster",))["cluster"])
    decided = _read(root, decisions, ("verdict", "who") if people_move else ("verdict",))
    return resolve(
        claims,
        _read(root, persons, PERSON_COLUMNS),
        _read(root, findings, schema.FINDINGS.names),
        decided["verdict"].to_pylist(),
        undecided=undecided,
        min_faces=min_faces,
        by_people=by_people(decided) if people_move else None,
    )


def by_people(decisions: pa.Table) -> NDArray[np.bool_]:
    """Whether people gave each verdict; decisions: columns as DECISIONS."""
    return np.asarray(pc.not_equal(decisions["who"], "policy").to_numpy(zero_copy_only=False), bool)


def _read(root: str, shards: Sequence[Shard], columns: Sequence[str]) -> pa.Table:
    return pa.concat_tables(read_shards(root, shards, columns))


def slice_shard(part: tuple[Shard, int, int], *, root: str) -> pa.Table:
    """The rows of a slice of a shard; part: the shard, the first row and the number of rows."""
    return read_slice(root, *part)
