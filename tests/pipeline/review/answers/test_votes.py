"""Votes: the weight of an answer, and when answers give a verdict."""

from math import log

import numpy as np
import pytest

from pipeline.review.answers.ledger import table_of
from pipeline.review.answers.votes import accuracies, settle, weight
from pipeline.review.questions.question import NOBODY
from tests.builders.tables.ledger_rows import row


def settled(*rows, votes=2):
    settlement = settle(table_of(rows), votes=votes)
    verdicts = (settlement.verdicts[c].to_pylist() for c in ("finding_id", "verdict"))
    return dict(zip(*verdicts, strict=True)), settlement


def test_two_equal_votes_give_a_verdict_and_one_vote_does_not():
    verdicts, settlement = settled(row("a", "yes", "v"), row("a", "yes", "w"), row("b", "no", "v"))
    assert verdicts == {"a": "yes"}
    assert settlement.waiting == ["b"]
    assert settlement.verdicts["who"].to_pylist() == ["v, w"]
    assert settlement.verdicts["seconds"].to_pylist() == [4.0]


def test_two_different_votes_need_a_third_which_decides():
    differ = [row("a", "yes", "v"), row("a", "no", "w", at=1)]
    verdicts, settlement = settled(*differ)
    assert (verdicts, settlement.disputed) == ({}, ["a"])
    verdicts, settlement = settled(*differ, row("a", "no", "u", at=2))
    assert (verdicts, settlement.disputed) == ({"a": "no"}, [])


def test_an_annotator_with_right_gold_answers_outweighs_one_with_wrong_ones():
    gold = [row(f"g{i}", "yes", "good", kind="gold", purpose="gold", expected="yes") for i in range(40)]
    gold += [row(f"g{i}", "no", "bad", kind="gold", purpose="gold", expected="yes") for i in range(40)]
    assert accuracies(gold) == {"bad": 0.55, "good": pytest.approx(49 / 50)}
    verdicts, _ = settled(*gold, row("a", "yes", "good"), row("a", "no", "bad"))
    assert verdicts == {"a": "yes"}


def test_knowing_the_person_halves_the_chance_of_error():
    known, unknown = row("a", "yes", "v", knows=True), row("a", "no", "v", knows=None)
    assert weight(known, {"v": 0.9}) == pytest.approx(log(0.95 / 0.05))
    assert weight(unknown, {"v": 0.9}) == pytest.approx(-log(0.9 / 0.1))
    assert weight(row("a", "unsure", "v"), {}) == 0


def test_a_finding_stays_undecided_when_people_cannot_tell_or_are_divided():
    assert settled(row("a", "unsure", "v"), row("a", "unsure", "w"))[0] == {"a": "unsure"}
    verdicts, _ = settled(row("a", "unsure", "v"), row("a", "yes", "w"), votes=2)
    assert verdicts == {"a": "yes"}  # the one who could tell is believed: 0.9
    votes_of_four = [row("a", v, w) for v, w in (("yes", "u"), ("no", "v"), ("yes", "w"), ("no", "x"))]
    assert settled(*votes_of_four)[0] == {"a": "unsure"}


def test_only_the_last_answer_of_an_annotator_counts():
    verdicts, settlement = settled(row("a", "yes", "v", answer_id="1"), row("a", "yes", "v", at=1, answer_id="2"))
    assert (verdicts, settlement.waiting) == ({}, ["a"])
    verdicts, _ = settled(
        row("a", "no", "v", answer_id="1"), row("a", "yes", "w"), row("a", "yes", "v", at=3, answer_id="2")
    )
    assert verdicts == {"a": "yes"}


def test_the_machines_view_is_no_vote_and_the_truth_needs_no_second_vote():
    verdicts, _ = settled(row("a", "yes", "policy", purpose="policy"), row("b", "no", "truth", purpose="truth"))
    assert verdicts == {"b": "no"}


def test_people_overrule_a_list():
    listed = row("a", "yes", "clean list", purpose="list")
    assert settled(listed)[0] == {"a": "yes"}
    assert settled(listed, row("a", "no", "v", at=1), row("a", "no", "w", at=2))[0] == {"a": "no"}


def test_with_many_annotators_random_answers_are_recognised_without_gold():
    """Two annotators who answer at random do not outvote the others: their rates of agreement show it."""
    rng = np.random.default_rng(0)
    accuracy = {"a": 0.97, "b": 0.97, "c": 0.97, "d": 0.5, "e": 0.5}
    truth = {f"f{i}": bool(rng.integers(2)) for i in range(400)}
    rows = []
    for finding, yes in truth.items():
        for annotator in rng.permutation(list(accuracy))[:3]:
            right = rng.random() < accuracy[annotator]
            rows.append(row(finding, "yes" if yes == right else "no", str(annotator)))
    verdicts, _ = settled(*rows, votes=3)
    majority = {f: sum(r.verdict == "yes" for r in rows if r.finding.finding_id == f) > 1 for f in truth}
    wrong = np.mean([verdicts[f] != ("yes" if yes else "no") for f, yes in truth.items() if f in verdicts])
    assert len(verdicts) > 300
    assert wrong < 0.6 * np.mean([majority[f] != yes for f, yes in truth.items()])


def test_a_unanimous_vote_decides_when_an_annotator_was_asked_again():
    machine = row("a", "unsure", "policy", purpose="policy", belief=0.5)
    gold = [row(f"g{i}", "no", w, kind="gold", purpose="gold", expected="yes") for w in "vw" for i in range(9)]
    two = [*gold, machine, row("a", "yes", "v", at=1), row("a", "yes", "w", at=2)]
    assert settled(*two)[1].disputed == ["a"]
    verdicts, settlement = settled(*two, row("a", "yes", "v", at=3))
    assert (verdicts["a"], settlement.disputed) == ("yes", [])
    assert settled(*two, row("a", "no", "v", at=3))[1].disputed == ["a"], "who changed their mind does not agree"


def test_each_answer_of_a_deleted_account_is_a_vote_of_its_own():
    one, other = row("a", "yes", NOBODY, answer_id="p/1"), row("a", "yes", NOBODY, at=1, answer_id="p/2")
    verdicts, settlement = settled(one, other)
    assert (verdicts, settlement.waiting) == ({"a": "yes"}, [])
    verdicts, settlement = settled(one, row("a", "no", NOBODY, at=1, answer_id="p/2"))
    assert (verdicts, settlement.disputed) == ({}, ["a"])
