"""A finished refinement of drawn embeddings whose planted noise is known."""

from pathlib import Path

import pytest

from pipeline.noise.stages import find_noise
from pipeline.refined.labels import label, label_again
from pipeline.refinement import Refinement, RefineOptions, publish
from pipeline.review.answers import ledger
from pipeline.review.answers.ledger import LedgerRow
from pipeline.review.answers.votes import settled_verdicts
from pipeline.review.questions.finding_ref import finding_ref
from tests.builders.made_once import made_once
from tests.builders.tables.drawn_vectors import tables
from tests.builders.tables.planted_noise import planted_noise

ANNOTATORS, GROUP = ("ann@example.org", "bob@example.org"), "Martian"


def refined(root: str, seed: int = 0) -> tuple[Refinement, dict[str, tuple[str, int | None]]]:
    """A refinement with one test set, and the true labels: the kind of noise and the person of each photo, by key."""
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
    return publish(root, refinement), world.truth


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
        label_again(str(folder), settled_verdicts(str(folder)))

    return made_once(factory, "answered-root", make)
