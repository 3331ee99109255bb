"""The figures of a drawn world's labels, counted by hand, and where those of `refinery score` differ."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from flows.benchmark.drawn.label_quality import score_photos
from pipeline.refined.scoring.known_truth import Truth
from pipeline.refined.scoring.score import score_columns

CLAIMED = [*"aaaaaaaa", *"bbb"]
PERSON = [1, 1, 1, 9, 9, -5, 1, 2, 2, 2, 2]
KIND = ["clean"] * 3 + ["companion"] * 2 + ["stranger", "copy", "flip"] + ["clean"] * 3
LABEL = ["a", "a", "a", "a~9", "a~9", None, None, "b", "b", "b", None]
REASON = ["", "", "", "split", "split", "outlier", "duplicate", "misplaced", "", "", "conflict"]


class Rows:
    """A table in memory."""

    def __init__(self, columns: dict[str, Sequence[object]]) -> None:
        halves = (slice(0, 5), slice(5, None))
        self.rows = pa.table({name: pa.chunked_array([values[h] for h in halves]) for name, values in columns.items()})

    def read(self, columns: list[str]) -> pa.Table:
        return self.rows.select(columns)


def test_a_companion_split_off_is_stopped_and_a_clean_photo_of_a_conflict_is_lost() -> None:
    labels: Any = Rows({"identity": LABEL, "reason": REASON})
    truth: Any = Rows({"identity": CLAIMED, "person": PERSON, "kind": KIND})
    wrong, companion, flip, outlier, photos = score_photos(labels, truth)
    assert wrong == {"wrong labels: precision": "0.8000", "recall": "1.0000", "F1": "0.8889"}
    assert [companion, flip, outlier] == [{f"{k}: recall": "1.0000"} for k in ("companion", "flip", "stranger")]
    assert photos == {
        "duplicates: recall": "1.0000",
        "clean photos lost": f"{1 / 6:.4f}",
        "wrong among kept": "0.0000",
    }


def test_refinery_score_counts_both_otherwise() -> None:
    kinds = {"companion": "outlier", "stranger": "outlier", "copy": "duplicate"}
    truth = Truth(
        CLAIMED,
        [str(person) for person in PERSON],
        [kinds.get(kind, kind) for kind in KIND],
        np.where(np.arange(len(KIND)) == KIND.index("copy"), 0, -1),
    )
    scored = score_columns(pa.table({"identity": pa.array(LABEL), "reason": pa.array(REASON)}), truth)
    assert (scored.noise.precision, scored.noise.recall) == (1, 0.5)  # the companion's identity belongs to nobody
    assert (scored.noise_after, scored.clean_lost) == (2 / 8, 0)  # a conflict does not mean "another person"
