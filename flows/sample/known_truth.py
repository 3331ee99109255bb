"""What a drawn world knows of itself: answers to what a refinement left undecided, and a score of what it found."""

import csv
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.refinement import Refinement
from pipeline.review.questions.cases import nobody
from pipeline.review.questions.subject import about, medoids
from pipeline.tables.table import Table

NO_NOISE = frozenset({"duplicate", "conflict", "overlap", "too_few"})  # reasons that do not say "not this person"
MIXED = "mixed: "  # before a name: nobody is in its photos more often than everybody else
WRONG = frozenset({"outlier", "flip"})  # kinds of photos whose label is wrong


@dataclass(frozen=True)
class Score:
    """What was planted, what was found of it, and what was thrown away wrongly."""

    planted: dict[str, int]  # photos by kind
    stopped: dict[str, int]  # of them removed, or kept under the person they show
    clean: int
    clean_lost: int  # removed as if they were noise
    kept: int
    wrong_before: float  # share of wrong labels among the photos that show a known person
    wrong_after: float  # share of the photos kept that show another person than most of their identity


def read_truth(world: Path) -> dict[str, dict[str, str]]:
    """A world's truth by the photo's key: claimed, person, kind, of."""
    with open(world / "truth.tsv", newline="", encoding="utf-8") as stream:
        return {row["path"]: row for row in csv.DictReader(stream, delimiter="\t")}


def score(labels: Table, truth: Mapping[str, Mapping[str, str]]) -> Score:
    """The score of labels against the truth; every photo must be in both."""
    return score_rows(labels.read(["key", "identity", "reason"]).to_pylist(), truth)


def score_rows(labels: Iterable[Mapping[str, Any]], truth: Mapping[str, Mapping[str, str]]) -> Score:
    """The same of labels as rows."""
    rows = {r["key"]: r for r in labels}
    kept = {k: r["identity"] for k, r in rows.items() if r["identity"]}
    votes: dict[str, Counter[str]] = {}
    for key, identity in kept.items():
        if truth[key]["kind"] in ("clean", "duplicate"):
            votes.setdefault(identity, Counter())[truth[key]["person"]] += 1
    owner = {identity: count.most_common(1)[0][0] for identity, count in votes.items()}
    right = {key: owner.get(identity) == truth[key]["person"] for key, identity in kept.items()}
    planted = Counter(t["kind"] for t in truth.values() if t["kind"] != "clean")
    stopped = Counter(t["kind"] for k, t in truth.items() if t["kind"] != "clean" and _stopped(k, t, rows, right))
    clean = [k for k, t in truth.items() if t["kind"] == "clean"]
    lost = sum(rows[k]["identity"] is None and rows[k]["reason"] not in NO_NOISE for k in clean)
    wrong = sum(planted[k] for k in WRONG)
    return Score(
        dict(sorted(planted.items())),
        {k: stopped[k] for k in sorted(planted)},
        len(clean),
        lost,
        len(kept),
        wrong / (wrong + len(clean)),
        sum(not r for r in right.values()) / max(1, len(kept)),
    )


def _stopped(
    key: str, true: Mapping[str, str], rows: Mapping[str, Mapping[str, str | None]], right: Mapping[str, bool]
) -> bool:
    if true["kind"] == "duplicate":  # of a picture and its copy one must go
        return rows[key]["identity"] is None or rows[true["of"]]["identity"] is None
    return rows[key]["identity"] is None or (true["kind"] in WRONG and right[key])


def answers_from(done: Refinement, truth: Mapping[str, Mapping[str, str]]) -> list[dict[str, Any]]:
    """What somebody who knows everyone would answer to each finding that is undecided: rows for the ledger."""
    verdicts = done.decisions.read(["verdict"])["verdict"].to_pylist()
    findings = done.judged_findings.read(["finding_id", "kind", "subject", "object"]).to_pylist()
    person, medoid = who_is(done, truth), medoids(done)
    return [
        about(finding, medoid) | {"verdict": said, "who": "truth", "purpose": "truth", "answer_id": "truth"}
        for finding, verdict in zip(findings, verdicts, strict=True)
        if verdict == "unsure" and (said := right_answer(finding, person))
    ]


def who_is(done: Refinement, truth: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Who is meant by a face's id and by a name: the person of the face, and of the name's middle face (of most of
    its photos, where the machine sees nobody); and which names are nobody's."""
    rows = done.labels.read(["face_id", "key", "claimed"]).to_pylist()
    meant = {r["face_id"]: truth[r["key"]]["person"] for r in rows}
    persons = {p["person"]: p for p in done.persons.read(["person", "cluster", "size", "medoid"]).to_pylist()}
    meant |= {name: meant[p["medoid"]] for name, p in persons.items()}
    shown: dict[str, Counter[str]] = {}
    for row in rows:
        shown.setdefault(row["claimed"], Counter())[meant[row["face_id"]]] += 1
    meant |= {name: shown[name].most_common(1)[0][0] for name in nobody(persons)}
    return meant | {MIXED + name: "" for name, of in shown.items() if not _somebody(of)}


def _somebody(of: Counter[str]) -> bool:
    """Whether a name has a person: one seen twice at least, and more often than anybody else."""
    first, second = (*of.most_common(2), ("", 0))[:2]
    return first[1] > max(1, second[1])


def right_answer(finding: Mapping[str, str], person: Mapping[str, str]) -> str | None:
    """yes or no; None where the truth has nothing to say, as about which of two names a picture belongs to."""
    subject = person.get(finding["subject"])
    other = person.get(finding["object"], finding["object"])  # a person of a test set is called by its name
    if finding["kind"] in ("misplaced", "merge", "overlap"):
        return "yes" if subject == other else "no"
    if finding["kind"] in ("outlier", "split"):
        return "no" if subject == other else "yes"
    if finding["kind"] == "mixed":
        return "yes" if MIXED + finding["subject"] in person else "no"
    return None


def told(found: Score) -> Iterable[dict[str, object]]:
    """The score as lines of a table."""
    for kind, n in found.planted.items():
        yield {"planted": kind, "photos": n, "found": found.stopped[kind], "share": f"{found.stopped[kind] / n:.1%}"}
    yield {"planted": "clean", "photos": found.clean, "found": found.clean_lost, "share": "lost"}
