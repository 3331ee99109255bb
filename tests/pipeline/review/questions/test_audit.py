"""The audit: a sample of all kept photos, and the estimate of the noise left with its interval."""

from dataclasses import replace

import pytest

from pipeline.review.answers.ledger import table_of
from pipeline.review.answers.votes import settle
from pipeline.review.questions.audit import draw_audit, estimate_noise, renew_audit
from pipeline.schema import LEDGER
from tests.builders.tables.drawn_refinement import refined
from tests.builders.tables.ledger_rows import row


def test_an_audit_draws_from_what_is_kept_and_stays_until_it_is_answered(tmp_path):
    refinement, _ = refined(str(tmp_path))
    kept = {r["face_id"] for r in refinement.labels.read().to_pylist() if r["identity"]}
    sample = draw_audit(refinement, 40)
    assert len({c.finding.subject for c in sample} & kept) == 40
    assert sample == draw_audit(refinement, 40)
    first = renew_audit(refinement, 40, set())
    assert renew_audit(refinement, 40, set()) == first
    other = replace(refinement, labels=refinement.decisions)
    assert renew_audit(other, 40, set()).labels == first.labels  # not answered yet


def test_the_estimate_of_noise_is_wilsons_interval():
    """5 wrong of 100: 2.15% to 11.18% (Wilson 1927, computed by hand)."""
    rows = [row(f"f{i}", "yes" if i < 5 else "no", w, purpose="audit") for i in range(100) for w in ("v", "w")]
    noise = estimate_noise({f"f{i}": "yes" for i in range(120)}, settle(table_of(rows)).verdicts)
    assert noise is not None
    assert (noise.judged, noise.wrong) == (100, 5)
    assert (noise.low, noise.high) == (pytest.approx(0.0215, abs=1e-4), pytest.approx(0.1118, abs=1e-4))
    assert estimate_noise({"none": "yes"}, settle(LEDGER.empty_table()).verdicts) is None
