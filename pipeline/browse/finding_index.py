"""Every finding of a refinement in memory, with its verdict, and the photos and persons that it is about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.browse.photo_index import Codes, PhotoIndex, Rows, name_codes, read_all
from pipeline.noise.findings import score_columns
from pipeline.noise.scores.fusion import Calibration, fuse
from pipeline.refinement import Refinement
from pipeline.schema import FINDINGS

Mask = NDArray[np.bool_]


class ShownFinding(NamedTuple):
    """A finding with its verdict, as pages show it."""

    finding_id: str
    kind: str
    subject: str
    object: str | None
    score: float | None  # fused
    probability: float | None
    evidence: str
    verdict: str
    who: str


@dataclass(frozen=True)
class FindingIndex:
    """The m findings with a decision; entry i of each array is about row i of the table."""

    table: pa.Table  # columns as FINDINGS
    verdict: NDArray[np.object_]
    who: NDArray[np.object_]
    kind: NDArray[np.object_]
    fused: NDArray[np.float64]  # the fused score, nan: none
    probability: NDArray[np.float64]  # nan: not estimated
    subject_row: Rows  # the photo that is the subject, -1: a person or an identity is
    object_row: Rows
    subject_name: Codes  # the code of the person or identity, -1: a photo, or a name that the data does not have
    object_name: Codes
    by_machine: Mask  # False: people's answer added the finding

    def __len__(self) -> int:
        return len(self.table)

    def rows_of(self, finding_ids: pa.ChunkedArray | pa.Array) -> Rows:
        """The rows of findings by finding_id, -1 for null and for an id that is not there."""
        wanted = finding_ids.combine_chunks() if isinstance(finding_ids, pa.ChunkedArray) else finding_ids
        wanted = wanted.dictionary_encode()
        # all ids are looked up among the wanted ones, not the reverse: index_in hashes its value set, the shorter list
        found = pc.index_in(self.table["finding_id"], value_set=wanted.dictionary).fill_null(-1).to_numpy()
        row_of_id = np.full(len(wanted.dictionary) + 1, -1, np.int64)
        rows = np.flatnonzero(found >= 0)
        row_of_id[found[rows]] = rows
        return np.asarray(row_of_id[wanted.indices.fill_null(-1).to_numpy(zero_copy_only=False)])

    def about_photos(self, rows: Rows) -> Rows:
        """The findings of which one of these photos is the subject or the object."""
        return np.flatnonzero(np.isin(self.subject_row, rows) | np.isin(self.object_row, rows))

    def about_names(self, codes: list[int]) -> Rows:
        """The findings of which a person or an identity of these codes is the subject or the object."""
        return np.flatnonzero(np.isin(self.subject_name, codes) | np.isin(self.object_name, codes))

    def moves_of(self, photos: Sequence[int]) -> Mapping[int, list[int]]:
        """By photo, the findings that would move it to another person: of these photos."""
        moves: dict[int, list[int]] = {photo: [] for photo in photos}
        misplaced = np.flatnonzero(self.kind == "misplaced")
        for finding in misplaced[np.isin(self.subject_row[misplaced], photos)].tolist():
            moves[int(self.subject_row[finding])].append(finding)
        return moves

    def shown(self, rows: Rows) -> list[ShownFinding]:
        """These findings as pages show them."""
        taken = self.table.select(["finding_id", "kind", "subject", "object", "evidence"]).take(pa.array(rows))
        columns = zip(*(taken[c].to_pylist() for c in taken.schema.names), strict=True)
        return [
            ShownFinding(
                finding_id,
                kind,
                subject,
                other,
                _finite(self.fused[row]),
                _finite(self.probability[row]),
                evidence or "",
                str(self.verdict[row]),
                str(self.who[row]),
            )
            for row, (finding_id, kind, subject, other, evidence) in zip(rows.tolist(), columns, strict=True)
        ]


def load_findings(refinement: Refinement, photos: PhotoIndex, calibration: Calibration) -> FindingIndex:
    """The findings of a refinement and the decisions on them."""
    table = read_all(refinement.judged_findings, FINDINGS.names)
    decisions = read_all(refinement.decisions, ("verdict", "who"))
    by_machine: Mask = np.ones(len(table), bool)
    if refinement.findings_with_people is not None:
        ids = read_all(refinement.findings, ("finding_id",))["finding_id"].combine_chunks()
        by_machine = np.asarray(pc.is_in(table["finding_id"], value_set=ids))
    return FindingIndex(
        table,
        verdict=_objects(decisions["verdict"]),
        who=_objects(decisions["who"]),
        kind=_objects(table["kind"]),
        fused=fuse(score_columns(table)[: len(calibration.far_curves)], calibration.weights),
        probability=np.asarray(table["probability"].to_numpy(zero_copy_only=False), np.float64),
        subject_row=photos.rows_of(table["subject"].to_pylist()),
        object_row=photos.rows_of(table["object"].to_pylist()),
        subject_name=name_codes(table["subject"], photos.names),
        object_name=name_codes(table["object"], photos.names),
        by_machine=by_machine,
    )


def _objects(column: pa.ChunkedArray) -> NDArray[np.object_]:
    """A column of few different strings as objects; equal ones are one object in memory."""
    coded = column.combine_chunks().dictionary_encode()
    values = np.array([*coded.dictionary.to_pylist(), None], object)
    return np.asarray(values[coded.indices.fill_null(len(values) - 1).to_numpy(zero_copy_only=False)])


def _finite(value: Any) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None
