"""A whole review of the drawn world on a real Label Studio: sent, answered, collected, exported, nothing twice."""

import shutil
import sys
import tarfile
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import pyarrow.parquet as pq
import pytest

from flows.refine.export import export
from flows.refine.flow import refine
from flows.review.flow import collect, send, status
from flows.review.root_review import root_review
from flows.review.sending import REPEATED
from pipeline.refined.export import FORMATS
from pipeline.refined.scoring.known_truth import read_truth
from pipeline.refined.scoring.score import Score, score
from pipeline.refinement import latest
from pipeline.review.answers import ledger
from pipeline.review.label_studio.client import StudioClient
from pipeline.review.label_studio.local_server import LocalServer
from pipeline.review.label_studio.records import Project, Review, Task
from pipeline.review.questions.question import GRID, MIXED, PAIR
from pipeline.sample.models import DETECTOR, EMBEDDER
from tests.builders.label_studio.browser import logged_in
from tests.builders.label_studio.browser_annotator import answer_on_the_page
from tests.builders.label_studio.label_server import connection
from tests.builders.label_studio.simulated_annotators import Oracle, answer
from tests.builders.photos.drawn_world import larger_world_of_run

pytestmark = [pytest.mark.server, pytest.mark.slow]
MODELS = {"detector": str(DETECTOR), "embedder": str(EMBEDDER)}
ANNOTATORS = ("ann@example.org", "bob@example.org")
THIRD = "cat@example.org"
FOURTH = "dan@example.org"
EVERYONE = (THIRD, FOURTH, *ANNOTATORS)


class Drawn(NamedTuple):
    """A drawn world and a finished refinement of it."""

    world: Path
    root: str

    def score(self) -> Score:
        """The score of the current labels."""
        return score(latest(self.root).labels.batches(), read_truth(self.world))


@pytest.fixture(scope="module")
def drawn_once(tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    world, root = larger_world_of_run(tmp_path_factory), str(tmp_path_factory.mktemp("review") / "root")
    refine.fn(root, ["image-folder", str(world / "photos")], test_set=[str(world / "test")], **MODELS)
    return Drawn(world, root)


@pytest.fixture
def drawn(drawn_once: Drawn, tmp_path: Path) -> Drawn:
    """A copy for each test."""
    shutil.copytree(drawn_once.root, tmp_path / "root")
    return Drawn(drawn_once.world, str(tmp_path / "root"))


@pytest.fixture(autouse=True)
def _token(label_server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", label_server.token.read_text().strip())


def asked_items(project: Project, task: Task) -> tuple[str, ...]:
    return task.items[:1] if project.mark.page == MIXED else task.items


def items(local: LocalServer, review: Review) -> Counter[str]:
    """How often each item stands on a page, over all projects of a review but those for one more opinion.

    The photos of a mixed page do not count: it asks about the identity.
    """
    studio = StudioClient(connection(local))
    usual = [p for p in studio.projects(review) if not p.mark.group.endswith(REPEATED)]
    return Counter(i for p in usual for t in studio.tasks(p.id) for i in asked_items(p, t))


def export_knows_no_group(drawn: Drawn, groups: Path) -> None:
    """Export the refinement in every format, and find no group of the file in anything that was written."""
    out = Path(drawn.root).parent / "refined"
    words = {row.split(",")[1] for row in groups.read_text().splitlines()[1:]}
    assert words
    for name in FORMATS:
        export(drawn.root, out / name, format=name)
    assert len(list(out.rglob("*.parquet"))) > 2 * len(FORMATS)
    for file in (p for p in out.rglob("*") if p.suffix not in (".jpg", ".rec")):
        if file.suffix == ".parquet":
            table = pq.read_table(file)
            assert "group" not in table.schema.names
            assert not [w for w in words if w in str(table.schema.metadata)]
            assert not words & {
                v for c in table.schema.names if c not in ("jpeg", "label", "image") for v in table[c].to_pylist()
            }
        elif file.suffix == ".tar":
            with tarfile.open(file) as archive:
                texts = [archive.extractfile(m).read() for m in archive if m.name.endswith((".json", ".cls"))]
            assert not [w for w in words for text in texts if w.encode() in text]
        elif file.is_file():
            assert not [w for w in words if w in file.read_text(errors="replace")], file


def test_answers_of_people_improve_the_labels(
    drawn: Drawn, label_server: LocalServer, browser: Any, shots: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One page of each kind is answered in a browser, the rest through the server's interface."""
    groups, name = str(drawn.world / "groups.csv"), "better"
    before = drawn.score()
    project_options = {"url": label_server.url, "name": name}
    pages: list[int] = []
    for turn in range(6):  # the first round, what it changed, and further opinions
        send.fn(drawn.root, groups=groups, budget=400, audit=40, **project_options)
        oracle = Oracle(drawn.root, latest(drawn.root), drawn.world)
        if not pages:
            ann = logged_in(browser, label_server.url, ANNOTATORS[0])
            for kind in (GRID, PAIR):
                screenshot = shots / f"review-{kind}.png"
                review = root_review(drawn.root, name)
                answer_on_the_page(ann, label_server, review, oracle, ANNOTATORS[0], kind=kind, screenshot=screenshot)
            ann.context.close()
        first = (0, 0, 2, 3, 1, 0)[turn]  # who has not answered yet comes before who would answer once more
        order = (*EVERYONE[first:], *EVERYONE[:first]) if pages else ANNOTATORS
        review = root_review(drawn.root, name)
        pages += [len(answer(connection(label_server), review, oracle, annotator, wrong=0.05)) for annotator in order]
        collected = collect.fn(drawn.root, **project_options)
        # a question that came up in this round has its further opinion in the next
        if turn >= 3 and not collected.disputed:
            break
    after = drawn.score()
    review_status = status.fn(drawn.root, **project_options)
    with capsys.disabled():
        sys.stdout.write(
            f"\nwrong labels {before.noise_after:.1%} -> {after.noise_after:.1%}, clean photos lost "
            f"{before.clean_lost} -> {after.clean_lost} of {before.clean}; {collected.settled} settled; pages {pages}\n"
            + "\n".join(review_status.lines())
            + "\n"
        )
    clicked = {r["answer_id"] for r in ledger.read(drawn.root).to_pylist() if r["knows"]}
    assert len(clicked) == 2, "only in the browser it was said that the person is known"
    assert before.clean_lost > 0, "the machine alone loses a clean photo of this world"
    assert after.clean_lost <= before.clean_lost / 2
    assert after.noise_after <= before.noise_after, "of the photos that come back hardly one is wrong"
    assert collected.disputed == 0
    assert review_status.audit_upper is not None
    # far from chance; of twenty questions asked twice three wrong answers halve it, and of a few one makes it 0
    alphas = [g.alpha for g in review_status.groups if g.alpha is not None]
    assert median(alphas) > 0.3
    assert {a.name for a in review_status.annotators} >= set(ANNOTATORS)
    gold = [r for r in ledger.read(drawn.root).to_pylist() if r["purpose"] == "gold"]
    assert gold
    export_knows_no_group(drawn, Path(groups))


def test_each_group_gets_questions_about_its_own_identities_only(drawn: Drawn, label_server: LocalServer) -> None:
    rows = (drawn.world / "groups.csv").read_text().splitlines()
    known = Path(drawn.root).parent / "groups.csv"
    known.write_text("\n".join(rows[: len(rows) // 2]) + "\n")  # of the other half nothing is known
    group = dict(r.split(",")[:2] for r in rows[1 : len(rows) // 2])
    send.fn(drawn.root, url=label_server.url, name="drawn groups", groups=str(known), budget=120, audit=12)
    studio = StudioClient(connection(label_server))
    identities_of_group: dict[str, set[str]] = {}
    identity = {r["face_id"]: r["claimed"] for r in latest(drawn.root).labels.read().to_pylist()}
    for project in studio.projects(root_review(drawn.root, "drawn groups")):
        for task in studio.sdk.tasks.list(project=project.id, fields="all", page_size=1000).items:
            name = next(n for n in set(identity.values()) if n in task.data["title"])
            identities_of_group.setdefault(project.mark.group, set()).add(name)
    assert len(identities_of_group) > 2
    assert all(group.get(name, "general") == g for g, names in identities_of_group.items() for name in names)


def test_no_question_is_sent_and_no_answer_counted_twice(drawn: Drawn, label_server: LocalServer) -> None:
    """Sent twice, collected twice, refined again with another threshold and another model in between."""
    project_options = {"url": label_server.url, "name": "twice"}
    asking = {"budget": 80, "audit": 10, **project_options}
    send.fn(drawn.root, **asking)
    first = items(label_server, root_review(drawn.root, "twice"))
    assert first
    assert set(first.values()) == {1}
    send.fn(drawn.root, **asking)
    assert items(label_server, root_review(drawn.root, "twice")) == first
    oracle = Oracle(drawn.root, latest(drawn.root), drawn.world)
    for annotator in ANNOTATORS:
        answer(connection(label_server), root_review(drawn.root, "twice"), oracle, annotator, wrong=0.0, at_most=12)
    new_answers = collect.fn(drawn.root, **project_options).new
    assert new_answers
    assert collect.fn(drawn.root, **project_options).new == 0
    answers = len(ledger.read(drawn.root, superseded=True))
    (Path(drawn.root) / "asked" / "cursor.json").unlink()  # as if killed before the cursor was written
    assert collect.fn(drawn.root, **project_options).new == 0
    assert len(ledger.read(drawn.root, superseded=True)) == answers

    verdicts = {r["finding_id"]: r["verdict"] for r in latest(drawn.root).answers.read().to_pylist()}
    photos = str(drawn.world / "photos")
    refine.fn(drawn.root, ["image-folder", photos], min_faces=3, flip="add", **MODELS)  # other vectors
    again = {r["finding_id"]: r["verdict"] for r in latest(drawn.root).answers.read().to_pylist()}
    faces = {r["finding_id"] for r in ledger.read(drawn.root).to_pylist() if r["kind"] == "outlier"}
    assert faces & verdicts.keys()
    assert {f: v for f, v in again.items() if f in faces} == {f: v for f, v in verdicts.items() if f in faces}
    send.fn(drawn.root, **asking)
    later = items(label_server, root_review(drawn.root, "twice"))
    answered = set(verdicts)
    assert set(later.values()) == {1}
    assert not [i for i in answered if later[i] > first[i]]
