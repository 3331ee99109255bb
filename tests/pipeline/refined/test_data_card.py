"""The data card of an export: its numbers are those of the account, and its lists contain every change."""

import csv
from collections import Counter
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pyarrow.dataset
import pyarrow.parquet as pq
import pytest

from pipeline.refined.data_card import write_card
from pipeline.refined.labels import label_again
from pipeline.refinement import Refinement, latest, publish
from pipeline.review.answers import ledger
from pipeline.review.answers.ledger import LedgerRow
from pipeline.review.answers.votes import settled_verdicts
from pipeline.review.questions.finding_ref import finding_ref
from pipeline.review.summary import summarize_review
from tests.builders.tables.drawn_refinement import ANNOTATORS, GROUP, answered_root, refined


@pytest.fixture(scope="module")
def refinement(tmp_path_factory: pytest.TempPathFactory) -> Refinement:
    """A refinement with the answers of two annotators of a group about one finding."""
    return latest(str(answered_root(tmp_path_factory)))


def write(refinement: Refinement, folder: Path, licence: str = "") -> None:
    review = summarize_review(refinement.root)
    command, photos = "refinery export ROOT --out OUT", refinement.account.kept
    write_card(refinement, folder, review=review, photos=photos, identities=7, command=command, licence=licence)


@pytest.fixture
def folder(refinement: Refinement, tmp_path: Path) -> Path:
    write(refinement, tmp_path)
    return tmp_path


def test_the_lists_applied_to_the_claims_give_the_labels(refinement: Refinement, folder: Path) -> None:
    labels = refinement.labels.read(["key", "claimed", "identity", "reason"]).to_pylist()
    label = {r["key"]: r["claimed"] for r in labels}
    for row in pq.read_table(folder / "_changes/relabelled.parquet").to_pylist():
        assert label[row["key"]] == row["claimed"] != row["identity"]
        label[row["key"]] = row["identity"]
    reasons: Counter[str] = Counter()
    for row in pq.read_table(folder / "_changes/removed.parquet").to_pylist():
        assert label.pop(row["key"]) == row["claimed"]
        reasons[row["reason"]] += 1
    assert label == {r["key"]: r["identity"] for r in labels if r["identity"]}
    assert dict(reasons) == refinement.account.removed


def test_the_cards_numbers_are_those_of_the_account(refinement: Refinement, folder: Path) -> None:
    text = (folder / "README.md").read_text()
    for reason, n in refinement.account.removed.items():
        assert f"| removed: {reason} | {n} |" in text
    assert f"| kept | {refinement.account.kept} |" in text
    assert "| outlier | people | 0 | 1 | 0 |" in text
    counts = [line.split("|")[3:6] for line in text.splitlines() if "| policy |" in line or "| people |" in line]
    assert sum(int(n) for row in counts for n in row) == len(refinement.judged_findings)
    assert "was not audited by people" in text


def test_undecided_findings_are_told_by_what_people_answered(tmp_path: Path) -> None:
    """Of the findings that stay undecided two people answered "cannot tell" to one, and differ about another."""
    root = str(tmp_path / "root")
    drawn, _ = refined(root)
    careful = {**drawn.thresholds, "misplaced": 99.0, "merge": 99.0, "mixed_0": -99.0, "split_0": -99.0}
    publish(root, replace(drawn, thresholds=careful))
    first = label_again(root, settled_verdicts)
    verdicts = first.decisions.read(["verdict"])["verdict"].to_pylist()
    findings = zip(first.judged_findings.read().to_pylist(), verdicts, strict=True)
    unsure = [f for f, verdict in findings if verdict == "unsure"]
    assert len(unsure) > 2
    refs = [finding_ref(f["kind"], f["subject"], f["object"], {}) for f in unsure[:2]]
    answers = zip(refs, (("unsure", "unsure"), ("yes", "no")), strict=True)
    ledger.append(
        root,
        [
            LedgerRow(ref, verdict, annotator, "case", answer_id=annotator)
            for ref, of_people in answers
            for annotator, verdict in zip(ANNOTATORS, of_people, strict=True)
        ],
    )
    write(label_again(root, settled_verdicts), tmp_path)
    assert (
        f'{len(unsure)} findings are undecided (people answered 1 of them with "cannot tell", or their votes stayed '
        f"divided, 1 have answers that differ or are too few, {len(unsure) - 2} were not answered by people); their "
        "photos are kept."
    ) in (tmp_path / "README.md").read_text()


def test_groups_annotators_and_paths_are_not_in_the_card_and_its_bytes_are_the_same_again(
    refinement: Refinement, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    again = tmp_path_factory.mktemp("again")
    write(refinement, again)
    for file in (p for p in folder.rglob("*") if p.is_file()):
        data = file.read_bytes()
        assert data == (again / file.relative_to(folder)).read_bytes()
        for word in (GROUP, *ANNOTATORS, refinement.labels.root):
            assert word.encode() not in data


def test_the_licence_is_what_the_user_states_or_not_stated(
    refinement: Refinement, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert "## Licence\n\nNot stated." in (folder / "README.md").read_text()
    stated = tmp_path_factory.mktemp("stated")
    write(refinement, stated, "cc-by-nc-4.0")
    assert "## Licence\n\ncc-by-nc-4.0\n" in (stated / "README.md").read_text()


def test_the_lists_as_text_hold_the_same(folder: Path) -> None:
    for name in ("removed", "relabelled"):
        rows = pq.read_table(folder / f"_changes/{name}.parquet").to_pylist()
        with open(folder / f"_changes/{name}.tsv", newline="") as stream:
            read = list(csv.DictReader(stream, delimiter="\t"))
        assert rows
        words = [{k: v or "" for k, v in row.items() if k != "score"} for row in rows]
        assert [{k: v for k, v in row.items() if k != "score"} for row in read] == words
        assert [float(row["score"] or "nan") for row in read] == pytest.approx(
            [float("nan") if row["score"] is None else row["score"] for row in rows], abs=1e-4, nan_ok=True
        )


def test_the_card_names_models_version_day_and_commands(
    refinement: Refinement, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(24 * 3600 * 365))
    models = ("/models/of the/face finder.onnx", "/models/arcface.onnx", "/models/casia.onnx")
    named = replace(refinement.options, models=models[: 1 + len(refinement.embeddings)])
    write(replace(refinement, options=named), tmp_path)
    text = (tmp_path / "README.md").read_text()
    assert f"Exported on 1971-01-01 by refinery {version('face-refinery')}." in text
    assert "| arcface.onnx | `" in text
    assert "--detector 'face finder.onnx' --embedder arcface.onnx" in text
    assert "/models" not in text


def test_readers_of_a_folder_of_parquet_skip_the_lists(folder: Path) -> None:
    pq.write_table(pq.read_table(folder / "_changes/removed.parquet").select(["key"]), folder / "part-00000.parquet")
    files = pyarrow.dataset.dataset(folder, format="parquet", exclude_invalid_files=True).files
    assert [Path(f).name for f in files] == ["part-00000.parquet"]
