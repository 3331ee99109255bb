"""The state of a running gallery: the snapshot that its pages show, and the thread that keeps labels up to date.

A decision goes into the ledger and changes the snapshot at once. The labels of the whole data set are made again in the
background, as soon as no other process holds the lock of the root.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.browse.decisions.record import Recorded, record, undo
from pipeline.browse.decisions.statements import Decision
from pipeline.browse.nearest import PersonSearch
from pipeline.browse.pages.identity_table import IdentityTable
from pipeline.browse.snapshot import Snapshot, load_snapshot
from pipeline.errors import UserError
from pipeline.refined.labels import label_again
from pipeline.refinement import FILE, latest, ledger_files
from pipeline.review.answers.votes import settled_verdicts
from pipeline.review.questions.asked_for import ask_for
from pipeline.root_lock import RootBusyError, root_lock
from pipeline.tables import storage

log = logging.getLogger("refinery")
PAUSE_S = 1.5  # after a decision before labels are made again: several decisions in a row are labelled once
POLL_S = 2.0  # between two looks at the root for another refinement


class Loading(UserError):  # noqa: N818  it ends by itself
    """Something is still being read or computed; share: that is done, where it is known."""

    def __init__(self, message: str, share: float | None = None) -> None:
        super().__init__(message)
        self.share = share


class UnknownPhoto(UserError):  # noqa: N818
    """No photo of the root has this id."""


@dataclass(frozen=True)
class Loaded:
    """A snapshot, and what is made of it once: the table of all identities and the search of persons."""

    snapshot: Snapshot
    table: IdentityTable
    search: PersonSearch

    def row(self, face: str) -> int:
        """The number of the photo with this face_id. Raises UnknownPhoto where the root has none."""
        row = int(self.snapshot.photos.rows_of([face])[0])
        if row < 0:
            raise UnknownPhoto("no photo of this root has this id")
        return row


class Gallery:
    """A gallery of one root; its methods may be called from any thread."""

    def __init__(self, root: str, *, who: str) -> None:
        self.root, self.who = root, who
        self.version = 0  # rises whenever the pages would show something else
        self.waiting = ""  # for what the labels wait, in words; "" when they do not
        self.failure = ""  # why the last attempt to load or to label failed
        self._loaded: Loaded | None = None
        self._deciding, self._wake, self._ended = threading.Lock(), threading.Event(), threading.Event()
        self._decided = self._labelled = 0  # decisions since the start, and how many of them the labels have
        self._seen = ""  # refinement.json as it was last read
        self._thread = threading.Thread(target=self._keep_up, name="labels", daemon=True)

    def start(self) -> None:
        """Load the refinement in the background, and follow the root from then on."""
        refinement = latest(self.root)
        self._decided = int(list(refinement.ledger) != ledger_files(self.root))  # one that was killed left some
        self._thread.start()

    def end(self) -> None:
        """Let the thread end; labels that are being made are finished first."""
        self._ended.set()
        self._wake.set()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until the thread has ended, at most so long; returns whether it has."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    @property
    def is_ready(self) -> bool:
        """Whether the photos are loaded."""
        return self._loaded is not None

    def lacks_answers(self) -> bool | None:
        """Whether the ledger has answers that the labels do not have; None where the refinement is gone.

        For a gallery that has ended: by the files, as a decision that was just being recorded may be among them.
        """
        if self._deciding.locked():  # one is being recorded still; further ones are refused
            return True
        try:
            return self.is_pending or list(latest(self.root).ledger) != ledger_files(self.root)
        except UserError:
            return None

    @property
    def is_pending(self) -> bool:
        """Whether there are decisions that the labels on the disk do not have yet."""
        return self._decided != self._labelled

    def loaded(self) -> Loaded:
        """What the pages show now. Raises Loading before it is read the first time."""
        if self._loaded is None:
            raise Loading(self.failure or "the photos of the refinement are being read: wait a moment")
        return self._loaded

    def decide(self, decision: Decision) -> Recorded:
        """Record a decision and show what it changes."""
        return self._change(lambda snapshot: record(snapshot, decision, who=self.who))

    def undo(self, answer_id: str) -> Recorded:
        """Withdraw a decision and show what that changes."""
        return self._change(lambda snapshot: undo(snapshot, answer_id))

    def ask(self, faces: list[str]) -> int:
        """Let annotators judge these photos in the next round; returns how many are new among them."""
        with self._deciding:
            self._check_root()
            return ask_for(self.root, faces)

    def _change(self, change: Callable[[Snapshot], Recorded]) -> Recorded:
        with self._deciding:
            if self._ended.is_set():
                raise UserError("refinery browse is ending: this is not kept")
            self._check_root()
            recorded = change(self.loaded().snapshot)
            self._show(recorded.effect.snapshot)
            self._decided += 1
        self._wake.set()
        return recorded

    def _check_root(self) -> None:
        """Raises UserError where the root was moved or removed: what is written there would be a root of its own."""
        if storage.get(self.root, FILE) is None:
            raise UserError(
                f"{self.root} has no {FILE} any more, so nothing is kept: start refinery browse where it is"
            )

    def _show(self, snapshot: Snapshot) -> None:
        former = self._loaded
        same = former is not None and former.snapshot.photos is snapshot.photos
        search = former.search if former is not None and same else PersonSearch(snapshot)
        self._loaded = Loaded(snapshot, IdentityTable(snapshot), search)
        self.version += 1

    def _keep_up(self) -> None:
        """Load the refinement, then make labels again after decisions, and load again what other processes made."""
        while not self._ended.is_set():
            try:
                if not self.is_pending or self._loaded is None:
                    self._load_if_changed()
                if self.is_pending:
                    self._label()
                self.failure = ""
            except RootBusyError as busy:
                self.waiting = str(busy)
            except Exception as error:  # noqa: BLE001  the pages stay open, and say it; it is tried again
                if self.failure != str(error):
                    log.warning("browse: %s", error)
                self.failure = str(error)
            self._wake.wait(POLL_S)
            self._wake.clear()

    def _published(self) -> str:
        return repr(storage.get(self.root, FILE))

    def _load_if_changed(self) -> None:
        now = self._published()
        if now == self._seen:
            return
        former, decided = self._loaded, self._decided
        snapshot = load_snapshot(latest(self.root), former.snapshot if former else None)  # no decision waits for this
        with self._deciding:
            if decided == self._decided:  # else a decision came meanwhile, and the labels are made with it first
                self._show(snapshot)
                self._seen = now
        snapshot.photos.prepare()
        self.loaded().search.prepare()

    def _label(self) -> None:
        """Make the labels again with all answers; decisions that come meanwhile are labelled the next time."""
        self._ended.wait(PAUSE_S)
        self._check_root()  # else the lock's file would be made there
        with root_lock(self.root, wait_s=0):
            self.waiting, decided = "", self._decided
            refinement = label_again(self.root, settled_verdicts)
            seen = self._published()  # before another process can publish a refinement, which is loaded then
        fresh = load_snapshot(refinement, self.loaded().snapshot)
        with self._deciding:
            if decided == self._decided:  # else a decision came meanwhile: it is shown, and is not in these labels
                self._show(fresh)
                self._seen = seen
            self._labelled = decided
