"""The audit: a sample of all kept photos, and the estimate of the noise left with its interval."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.review.answers import ledger
from pipeline.review.answers.ledger import table_of
from pipeline.review.answers.votes import settle
from pipeline.review.questions.audit import (
    FOLDER,
    AuditSample,
    case_of_photo,
    current_audit,
    draw_audit,
    estimate_noise,
    renew_audit,
)
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


def test_the_draws_lie_in_the_ledger_one_after_another(tmp_path):
    root = str(tmp_path / "root")
    refinement, _ = refined(root)
    first = renew_audit(refinement, 10, set())
    restored = tmp_path / "restored"
    shutil.copytree(tmp_path / "root/ledger", restored / "ledger")
    assert current_audit(str(restored)) == first
    second = renew_audit(refinement, 12, {c.id for c in first.cases})
    assert (second.photos, current_audit(root)) == (12, second)
    (Path(root) / FOLDER).joinpath(sorted(p.name for p in (Path(root) / FOLDER).iterdir())[0]).unlink()
    third = renew_audit(refinement, 14, {c.id for c in second.cases})
    assert current_audit(root) == third, "numbered after the last one, though one is gone"
    assert second.judged_before == {c.id for c in first.cases}
    assert len(list((tmp_path / "root" / FOLDER).iterdir())) == 2, "nothing is overwritten"
    assert len(ledger.read(root)) == 0, "they are no answers"
    for file in (restored / FOLDER).iterdir():
        file.write_text("{}")
    with pytest.raises(UserError, match="is damaged: put it back from a backup"):
        current_audit(str(restored))


def sample_of(photos, judged_before=()):
    """A sample of photos f0, f1, ..., and the ids of their findings."""
    cases = [case_of_photo(f"f{i}", "a", "a", "") for i in range(photos)]
    ids = [c.id for c in cases]
    return AuditSample("labels", photos, cases, frozenset(ids[i] for i in judged_before)), ids


def verdicts_on(ids, wrong):
    """The verdicts of two annotators, of whom both say that the first `wrong` of these show somebody else."""
    rows = [row(f, "yes" if i < wrong else "no", w, purpose="audit") for i, f in enumerate(ids) for w in ("v", "w")]
    return settle(table_of(rows)).verdicts


def test_the_estimate_of_noise_is_wilsons_interval():
    """5 wrong of 100: 2.15% to 11.18% (Wilson 1927, computed by hand)."""
    sample, ids = sample_of(120)
    noise = estimate_noise(sample, verdicts_on(ids[:100], 5))
    assert noise is not None
    assert (noise.judged, noise.wrong) == (100, 5)
    assert (noise.low, noise.high) == (pytest.approx(0.0215, abs=1e-4), pytest.approx(0.1118, abs=1e-4))
    assert estimate_noise(sample_of(1)[0], settle(LEDGER.empty_table()).verdicts) is None


def test_photos_that_were_right_before_the_draw_count_only_with_all_the_others():
    """Those that an earlier audit found right are no random part of a new sample: they would hide the noise left."""
    sample, ids = sample_of(20, judged_before=range(12, 20))
    assert estimate_noise(sample, verdicts_on(ids[12:], 0)) is None, "the audit begins anew"
    part = estimate_noise(sample, verdicts_on([*ids[:6], *ids[12:]], 3))
    assert part is not None
    assert (part.judged, part.wrong) == (6, 3)
    whole = estimate_noise(sample, verdicts_on(ids, 3))
    assert whole is not None
    assert (whole.judged, whole.wrong) == (20, 3)
