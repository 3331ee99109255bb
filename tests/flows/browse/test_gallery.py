"""A running gallery follows its root: what was left, what other commands publish, and what is decided meanwhile."""

from pathlib import Path

import pyarrow as pa
import pytest

from flows.browse import gallery as gallery_module
from flows.browse.gallery import Gallery
from pipeline.browse.decisions.record import record
from pipeline.browse.decisions.statements import Decision
from pipeline.browse.snapshot import Snapshot, load_snapshot
from pipeline.errors import UserError
from pipeline.refined.labels import label_again
from pipeline.refinement import Refinement, latest
from pipeline.review.answers import ledger
from pipeline.review.answers.votes import settled_verdicts
from tests.builders.processes.served_gallery import started, wait_until
from tests.builders.tables.drawn_refinement import refined


def kept_row(snapshot: Snapshot) -> int:
    """A photo that is kept under its claimed identity."""
    rows = range(len(snapshot.photos))
    return next(r for r in rows if snapshot.reason(r) == "" and snapshot.fates.identity[r] >= 0)


def loaded_gallery(folder: Path) -> tuple[Gallery, int]:
    """A gallery without its thread, in a root where one vote is enough, and a photo that is kept."""
    root = refined(str(folder))[0].root
    ledger.set_votes_wanted(root, 1)
    gallery = Gallery(root, who="ann")
    gallery._load_if_changed()
    return gallery, kept_row(gallery.loaded().snapshot)


def test_decisions_of_a_gallery_that_was_killed_are_labelled_at_the_next_start(tmp_path: Path) -> None:
    snapshot = load_snapshot(refined(str(tmp_path))[0])
    root = snapshot.root
    ledger.set_votes_wanted(root, 1)
    row = kept_row(snapshot)
    answer = record(snapshot, Decision("unusable", (snapshot.photos.face_id(row),)), who="ann").answer_id
    assert latest(root).account == snapshot.refinement.account  # killed here
    with started(root, "ann") as gallery:
        wait_until(lambda: not gallery.is_pending)
        assert latest(root).account.removed["poor"] == 1
        assert gallery.loaded().snapshot.reason(row) == "poor"
        # what other commands do shows as well, here `review undo`
        ledger.withdraw(root, [r for r in ledger.rows_of(ledger.read(root)) if r.answer_id == answer])
        assert label_again(root, settled_verdicts).labels.address == snapshot.refinement.labels.address
        wait_until(lambda: gallery.loaded().snapshot.reason(row) == "")


def test_an_answer_that_comes_while_labels_are_made_is_labelled_the_next_time(tmp_path: Path) -> None:
    snapshot = load_snapshot(refined(str(tmp_path))[0])
    root, row = snapshot.root, kept_row(snapshot)
    ledger.set_votes_wanted(root, 1)

    def verdicts(place: str) -> pa.Table:
        """What is settled before a decision that comes next."""
        settled = settled_verdicts(place)
        record(snapshot, Decision("unusable", (snapshot.photos.face_id(row),)), who="ann")
        return settled

    assert label_again(root, verdicts).labels == snapshot.refinement.labels
    with started(root, "ann") as gallery:  # which was killed right then
        wait_until(lambda: not gallery.is_pending)
    assert latest(root).account.removed["poor"] == 1


def test_answers_that_no_decision_of_this_gallery_made_are_missed_at_its_end(tmp_path: Path) -> None:
    root = tmp_path / "root"
    snapshot = load_snapshot(refined(str(root))[0])
    gallery = Gallery(str(root), who="ann")
    gallery._load_if_changed()
    assert gallery.lacks_answers() is False
    with gallery._deciding:
        assert gallery.lacks_answers() is True
    row = kept_row(snapshot)
    decision = Decision("unusable", (snapshot.photos.face_id(row),))
    record(snapshot, decision, who="ann")  # as where it ends before the decision is counted
    assert not gallery.is_pending
    assert gallery.lacks_answers() is True
    gallery.end()
    with pytest.raises(UserError, match="is ending"):
        gallery.decide(decision)
    root.rename(tmp_path / "moved")
    assert gallery.lacks_answers() is None


def test_a_refinement_that_is_published_while_labels_are_loaded_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery, row = loaded_gallery(tmp_path)
    root, snapshot = gallery.root, gallery.loaded().snapshot
    answer = gallery.decide(Decision("unusable", (snapshot.photos.face_id(row),))).answer_id

    def load_late(refinement: Refinement, former: Snapshot | None) -> Snapshot:
        """Load a refinement; meanwhile another command takes the answer back and labels again."""
        ledger.withdraw(root, [r for r in ledger.rows_of(ledger.read(root)) if r.answer_id == answer])
        label_again(root, settled_verdicts)
        return load_snapshot(refinement, former)

    with monkeypatch.context() as patch:
        patch.setattr(gallery_module, "PAUSE_S", 0.0)
        patch.setattr(gallery_module, "load_snapshot", load_late)
        gallery._label()
    assert gallery.loaded().snapshot.reason(row) == "poor"
    gallery._load_if_changed()
    assert gallery.loaded().snapshot.reason(row) == ""


def test_a_decision_does_not_wait_while_another_refinement_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery, row = loaded_gallery(tmp_path)
    snapshot = gallery.loaded().snapshot

    def load_while_somebody_decides(refinement: Refinement, former: Snapshot | None) -> Snapshot:
        gallery.decide(Decision("unusable", (snapshot.photos.face_id(row),)))
        return load_snapshot(refinement, former)

    gallery._seen = ""  # as after another command has published
    monkeypatch.setattr(gallery_module, "load_snapshot", load_while_somebody_decides)
    gallery._load_if_changed()
    assert gallery.loaded().snapshot.reason(row) == "poor", "the decision stays shown"


def test_a_root_that_was_moved_takes_no_decision(tmp_path: Path) -> None:
    root = tmp_path / "root"
    refined(str(root))
    gallery = Gallery(str(root), who="ann")
    gallery._load_if_changed()
    face = gallery.loaded().snapshot.photos.face_id(0)
    root.rename(tmp_path / "moved")
    for change in (
        lambda: gallery.decide(Decision("unusable", (face,))),
        lambda: gallery.undo("gallery/1"),
        lambda: gallery.ask([face]),
        gallery._label,
    ):
        with pytest.raises(UserError, match="has no refinement"):
            change()
    assert not root.exists()
