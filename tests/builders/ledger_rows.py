"""Answers as rows of a ledger, for tests."""

from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 1, tzinfo=UTC)


def row(finding, verdict, who, *, at=0, kind="outlier", purpose="case", **more):
    """One annotator's answer; at: seconds after the start."""
    given = {"finding_id": finding, "verdict": verdict, "who": who, "at": START + timedelta(seconds=at), "kind": kind}
    given |= {"subject": "face", "object": "name", "purpose": purpose, "answer_id": f"{who}/{finding}", "seconds": 2.0}
    return given | more
