"""The fuzzer's targets without the fuzzer: all seeds, and 150 rng changes of seeds, the same in every run."""

import importlib.util
from pathlib import Path
from random import Random

import pytest

from pipeline.errors import UserError
from tests.fuzz import rules, targets
from tests.fuzz.fuzz import SEEDS, STATUS_LINE, fuzz
from tests.fuzz.rules import BrokenRuleError, Target
from tests.fuzz.targets import TARGETS, check_input, file_marker, unpack_files

CHANGES = 150  # changed_seed seeds for each target
AWKWARD_BYTES = [
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


def changed_seed(rng: Random, seeds: list[bytes]) -> bytes:
    """A seed with one to three pieces cut out, doubled, or replaced by a random byte or awkward bytes."""
    data = rng.choice(seeds)
    for _ in range(rng.randint(1, 3)):
        at, end = sorted(rng.randint(0, len(data)) for _ in range(2))
        end = min(end, at + rng.choice((1, 4, 16, len(data))))
        middle = rng.choice((bytes([rng.randrange(256)]), b"", 2 * data[at:end], rng.choice(AWKWARD_BYTES), data[:at]))
        data = data[:at] + middle + data[end:]
    return data


@pytest.mark.filterwarnings("ignore:.*:UserWarning:PIL")
@pytest.mark.parametrize("target", TARGETS)
def test_no_reader_breaks_a_rule(target: str) -> None:
    seeds = [file.read_bytes() for file in sorted((SEEDS / target).iterdir())]
    assert seeds
    rng = Random(target)
    for data in (*seeds, *(changed_seed(rng, seeds) for _ in range(CHANGES))):
        check_input(target, data)


def test_every_target_has_seeds_and_every_seed_holds_a_file() -> None:
    assert {folder.name for folder in SEEDS.iterdir()} == set(TARGETS)
    for target, (files, _) in TARGETS.items():
        seeds = list((SEEDS / target).iterdir())
        assert seeds, target
        for seed in seeds:
            assert unpack_files(seed.read_bytes(), files), seed


def test_an_input_is_unpacked_into_its_files() -> None:
    assert unpack_files(b"any\xff", ("one",)) == {"one": b"any\xff"}
    packed = b"lost" + file_marker("b/c") + b"1\n" + file_marker("a") + b"" + file_marker("none") + b"2"
    assert unpack_files(packed, ("a", "b/c")) == {"b/c": b"1\n", "a": file_marker("none") + b"2"}


def test_a_broken_rule_is_a_finding_and_a_user_error_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def check(folder: Path) -> None:
        text = (folder / "file").read_text()
        if text == "refused":
            raise UserError("line 1: expected another word: repair it")
        if text == "long":
            raise UserError("x" * 2000)
        rules.check_rule(text == "good", "it is good")

    monkeypatch.setitem(targets.TARGETS, "words", Target(("file",), check))
    check_input("words", b"good")
    check_input("words", b"refused")
    for data, message in ((b"bad", "it is good"), (b"long", "this one 2000")):
        with pytest.raises(BrokenRuleError, match=message):
            check_input("words", data)


def test_a_reader_that_does_more_than_read_breaks_a_rule(tmp_path: Path) -> None:
    with rules.nothing_but_reading():
        assert not list(tmp_path.iterdir())
    with pytest.raises(BrokenRuleError, match="it did more than read: compile"), rules.nothing_but_reading():
        compile("1", "", "eval")


def test_libfuzzers_counts_are_parsed() -> None:
    line = "#45962\tDONE   cov: 246 ft: 783 corp: 81/23Kb lim: 566 exec/s: 753 rss: 65Mb"
    assert STATUS_LINE.match(line).groupdict() == {
        "executions": "45962",
        "edges": "246",
        "features": "783",
        "kept": "81",
    }


def test_wrong_options_are_user_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="--only nothing: give some of record-io"):
        fuzz(only=["nothing"], out=tmp_path)
    with pytest.raises(UserError, match="both must be above 0"):
        fuzz(minutes=0, out=tmp_path)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(UserError, match="atheris is not installed"):
        fuzz(out=tmp_path)


@pytest.mark.slow
def test_a_short_run_of_the_fuzzer(tmp_path: Path) -> None:
    pytest.importorskip("atheris")
    (run,) = fuzz(["videos"], minutes=0.05, out=tmp_path)
    assert run.executions > 10
    assert run.row()["target"] == "videos"
