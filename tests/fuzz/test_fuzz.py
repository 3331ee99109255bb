"""The fuzzer's targets without the fuzzer: all seeds, and 150 simple changes to them that are the same in every run."""

import importlib.util
from pathlib import Path
from random import Random

import pytest

from pipeline.errors import UserError
from tests.fuzz import rules, targets
from tests.fuzz.fuzz import PULSE, SEEDS, fuzz
from tests.fuzz.rules import BrokenRuleError, Target
from tests.fuzz.targets import TARGETS, attempt, head, unpacked

CHANGES = 150  # of the seeds of each target
WORDS = [
    b"",
    b"\0",
    b"\n",
    b"\t",
    b"-1",
    b"9" * 400,
    "²".encode(),
    b"\xff\xfe",
    b"nan",
    b"1e999",
    b"..",
    b"/",
    b"[" * 5000,
    b"\xff" * 8,
]


def changed(random: Random, seeds: list[bytes]) -> bytes:
    """A seed in which one to three places are flipped, cut out, doubled or overwritten with an awkward word."""
    data = random.choice(seeds)
    for _ in range(random.randint(1, 3)):
        at, end = sorted(random.randint(0, len(data)) for _ in range(2))
        end = min(end, at + random.choice((1, 4, 16, len(data))))
        middle = random.choice((bytes([random.randrange(256)]), b"", 2 * data[at:end], random.choice(WORDS), data[:at]))
        data = data[:at] + middle + data[end:]
    return data


@pytest.mark.filterwarnings("ignore:.*:UserWarning:PIL")
@pytest.mark.parametrize("target", TARGETS)
def test_no_reader_breaks_a_rule(target: str) -> None:
    seeds = [file.read_bytes() for file in sorted((SEEDS / target).iterdir())]
    assert seeds
    random = Random(target)
    for data in (*seeds, *(changed(random, seeds) for _ in range(CHANGES))):
        attempt(target, data)


def test_every_target_has_seeds_and_every_seed_holds_a_file() -> None:
    assert {folder.name for folder in SEEDS.iterdir()} == set(TARGETS)
    for target, (files, _) in TARGETS.items():
        seeds = list((SEEDS / target).iterdir())
        assert seeds, target
        for seed in seeds:
            assert unpacked(seed.read_bytes(), files), seed


def test_an_input_is_its_files() -> None:
    assert unpacked(b"any\xff", ("one",)) == {"one": b"any\xff"}
    packed = b"lost" + head("b/c") + b"1\n" + head("a") + b"" + head("none") + b"2"
    assert unpacked(packed, ("a", "b/c")) == {"b/c": b"1\n", "a": head("none") + b"2"}


def test_a_broken_rule_is_raised_and_a_refusal_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def check(folder: Path) -> None:
        text = (folder / "file").read_text()
        if text == "refused":
            raise UserError("line 1: expected another word: mend it")
        if text == "long":
            raise UserError("x" * 2000)
        rules.holds(text == "good", "it is good")

    monkeypatch.setitem(targets.TARGETS, "words", Target(("file",), check))
    attempt("words", b"good")
    attempt("words", b"refused")
    for data, message in ((b"bad", "it is good"), (b"long", "2000 characters")):
        with pytest.raises(BrokenRuleError, match=message):
            attempt("words", data)


def test_a_reader_that_does_more_than_read_is_noticed(tmp_path: Path) -> None:
    with rules.nothing_but_reading():
        assert not list(tmp_path.iterdir())
    with pytest.raises(BrokenRuleError, match="it did more than read: compile"), rules.nothing_but_reading():
        compile("1", "", "eval")


def test_the_fuzzers_own_counts_are_read() -> None:
    line = "#45962\tDONE   cov: 246 ft: 783 corp: 81/23Kb lim: 566 exec/s: 753 rss: 65Mb"
    assert PULSE.match(line).groupdict() == {"executions": "45962", "edges": "246", "features": "783", "kept": "81"}


def test_wrong_options_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="--only nothing: give some of record-io"):
        fuzz(only=["nothing"], out=tmp_path)
    with pytest.raises(UserError, match="give more than nothing"):
        fuzz(minutes=0, out=tmp_path)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(UserError, match="atheris is not installed"):
        fuzz(out=tmp_path)


@pytest.mark.slow
def test_a_short_run(tmp_path: Path) -> None:
    pytest.importorskip("atheris")
    (run,) = fuzz(["videos"], minutes=0.05, out=tmp_path)
    assert run.executions > 10
    assert run.row()["target"] == "videos"
