"""A finished refinement of drawn embeddings whose planted noise is known."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

import pytest

from pipeline.noise.stages import find_noise
from pipeline.refined.labels import label, label_again
from pipeline.refinement import Refinement, RefineOptions, latest, publish
from pipeline.review.answers import ledger
from pipeline.review.answers.ledger import LedgerRow
from pipeline.review.answers.votes import settled_verdicts
from pipeline.review.questions.finding_ref import finding_ref
from tests.builders.session.made_once import made_once
from tests.builders.tables.drawn_vectors import tables
from tests.builders.tables.planted_noise import planted_noise

ANNOTATORS, GROUP = ("ann@example.org", "bob@example.org"), "Martian"
Truth = dict[str, tuple[str, int | None]]


def refined(root: str, seed: int = 0) -> tuple[Refinement, Truth]:
    """A refinement with one test set, and the true labels: the kind of noise and the person of each photo, by key.

    It is made once for a process and copied to the root, which takes a hundredth of the time.
    """
    made, truth = _made(seed)
    shutil.copytree(made, root, dirs_exist_ok=True)
    return latest(root), dict(truth)


@cache
def _made(seed: int) -> tuple[Path, Truth]:
    """The folder of a refinement, which is removed at the end of the process, and the true labels."""
    folder = Path(tempfile.mkdtemp(prefix="drawn-refinement-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder, _refine(str(folder), seed)


def _refine(root: str, seed: int) -> Truth:
    """Refine drawn embeddings in the root."""
    world = planted_noise(seed)
    photos, faces, embeddings = tables(root, world.rows)
    test_faces, test_embeddings = tables(root, world.test_rows, source="t")[1:]
    noise = find_noise(root, faces, [embeddings], tests=[(test_faces, [test_embeddings])])
    labelling = label(root, photos, noise, undecided="keep", min_faces=2)
    refinement = Refinement(
        photos,
        faces,
        (embeddings,),
        **noise._asdict(),
        **labelling._asdict(),
        test_faces=(test_faces,),
        options=RefineOptions(aligned=True),
    )
    publish(root, refinement)
    return world.truth


def drawn_root(factory: pytest.TempPathFactory) -> Path:
    """The root of such a refinement, made once for all tests, which no test may change."""
    return made_once(factory, "drawn-root", lambda folder: refined(str(folder)))


def answered_root(factory: pytest.TempPathFactory) -> Path:
    """The root of such a refinement after ANNOTATORS of a GROUP answered "no" about one outlier; made once as well."""

    def make(folder: Path) -> None:
        first, _ = refined(str(folder))
        finding = next(f for f in first.judged_findings.read().to_pylist() if f["kind"] == "outlier")
        ref = finding_ref("outlier", finding["subject"], finding["object"], {})
        rows = [LedgerRow(ref, "no", annotator, "case", answer_id=annotator, group=GROUP) for annotator in ANNOTATORS]
        ledger.append(str(folder), rows)
        label_again(str(folder), settled_verdicts)

    return made_once(factory, "answered-root", make)
