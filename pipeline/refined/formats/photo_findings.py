"""The findings about single photos with the decisions on them, found by photo."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.refined.review_summary import ReviewSummary
from pipeline.refinement import Refinement
from pipeline.schema import ID_BYTES

FINDING = ("kind", "subject", "object", "score", "probability", "evidence")
IDS = f"^[0-9a-f]{{{2 * ID_BYTES}}}$"  # of photos; other subjects are identities and persons
FINDINGS = pa.schema(
    [
        ("label", pa.string()),
        ("subject", pa.string()),
        ("object", pa.string()),
        ("score", pa.float32()),
        ("confidence", pa.float32()),  # the probability that the finding is right
        ("evidence", pa.string()),
        ("verdict", pa.string()),
        ("decided_by", pa.string()),
    ]
)


class PhotoFindings:
    """All findings whose subject is a photo, sorted by it; about 100 bytes each."""

    def __init__(self, refinement: Refinement, review: ReviewSummary) -> None:
        """review: says of an answer whether people or a list gave it; their names are not taken over."""
        tables = [FINDINGS.empty_table()]
        decisions = refinement.decisions.batches(["verdict", "who"])
        for findings, verdicts in zip(refinement.judged_findings.batches(FINDING), decisions, strict=True):
            deciders = pa.array([review.decided_by(who) for who in verdicts["who"].to_pylist()], pa.string())
            columns = [*(findings[name] for name in FINDING), verdicts["verdict"], deciders]
            rows = pa.table(columns, names=FINDINGS.names).cast(FINDINGS)
            tables.append(rows.filter(pc.match_substring_regex(rows["subject"], IDS)))
        self._rows = (
            pa.concat_tables(tables).sort_by([("subject", "ascending"), ("label", "ascending")]).combine_chunks()
        )
        self._subjects = np.array(self._rows["subject"].to_pylist(), f"S{2 * ID_BYTES}")

    def of(self, face_id: str) -> list[dict[str, Any]]:
        """The findings about a photo: label (the kind), object, score, confidence, evidence, verdict, decided_by."""
        low, high = (int(np.searchsorted(self._subjects, face_id.encode(), side)) for side in ("left", "right"))
        return self._rows.slice(low, high - low).drop_columns(["subject"]).to_pylist() if high > low else []
