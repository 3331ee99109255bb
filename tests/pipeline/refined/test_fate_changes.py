"""What a new labelling changed, photo by photo, against a slow comparison."""

from collections import Counter

from pipeline.refined.fate_changes import fate_changes
from pipeline.refined.labels import label_again
from pipeline.review.answers import ledger
from pipeline.review.answers.votes import settled_verdicts
from pipeline.review.questions.finding_ref import outlier_ref
from tests.builders.tables.drawn_refinement import refined
from tests.builders.tables.ledger_rows import START


def fates(refinement):
    rows = refinement.labels.read().to_pylist()
    kept = {
        r["face_id"]: (r["identity"], "kept" + f": {r['reason']}" * bool(r["reason"])) for r in rows if r["identity"]
    }
    return {r["face_id"]: kept.get(r["face_id"], (None, r["reason"])) for r in rows}


def test_every_photo_whose_outcome_changed_is_counted_once(tmp_path):
    before, _ = refined(str(tmp_path))
    kept = [r for r in before.labels.read().to_pylist() if r["identity"] == r["claimed"] is not None][:3]
    ledger.append(
        str(tmp_path),
        [
            ledger.LedgerRow(outlier_ref(r["face_id"], r["claimed"]), "yes", "list", "list", "list/1", at=START)
            for r in kept
        ],
    )
    after = label_again(str(tmp_path), settled_verdicts)
    old, new = fates(before), fates(after)
    expected = Counter((old[f][1], new[f][1]) for f in old if old[f] != new[f])
    changes = fate_changes(before, after)
    assert {(c.before, c.after): c.photos for c in changes} == expected
    assert expected["kept", "outlier"] >= len(kept)
    assert [c.photos for c in changes] == sorted((c.photos for c in changes), reverse=True)
    assert fate_changes(before, before) == []
