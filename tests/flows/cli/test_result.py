"""What reaches the terminal: names of files in lines, tables, log lines and errors, without control characters."""

import json
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pytest

from flows.cli.app import LineFormatter
from flows.cli.result import Result, print_result, text_table
from flows.train.flow import TrainedModel
from pipeline.printable import printable

NASTY = "a\x1b[31m\x07b\x9b2J\u202egpj\r\nc"
SHOWN = "a\\x1b[31m\\x07b\\x9b2J\\u202egpj\\r\\nc"


@dataclass(frozen=True)
class NamedFiles(Result):
    name: str

    def lines(self) -> list[str]:
        return [self.name, *text_table([{"name": self.name}])]

    def rows(self) -> Sequence[Mapping[str, object]]:
        return [{"name": self.name}]


def test_control_characters_of_names_do_not_reach_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_result(NamedFiles(NASTY), as_json=False)
    out = capsys.readouterr().out
    assert out.count(SHOWN) == 3
    assert out.replace("\n", "").isprintable()
    print_result(NamedFiles(NASTY), as_json=True)
    assert capsys.readouterr().out.replace("\n", "").isprintable()


def test_brackets_in_a_name_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    print_result(NamedFiles("Ann [bold] [/] (2019)"), as_json=False)
    assert capsys.readouterr().out.count("Ann [bold] [/] (2019)") == 3


def test_a_figure_that_is_not_known_is_null_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    print_result(TrainedModel("m", "c", 1, 1, 1, None, {"lfw": {"AUC": math.nan}}), as_json=True)
    assert json.loads(capsys.readouterr().out, parse_constant=pytest.fail)["tests"] == {"lfw": {"AUC": None}}


def test_a_log_line_is_one_line() -> None:
    record = logging.LogRecord("refinery", logging.INFO, "x.py", 1, "%s: measured", (NASTY,), None)
    assert LineFormatter("%(message)s").format(record) == f"{SHOWN}: measured"


def test_an_error_has_no_control_characters(refinery, tmp_path) -> None:
    status, _, err = refinery("labels", tmp_path / "a\x1b[31mb", "--out", tmp_path / "o.tsv")
    assert status == 2
    assert "a\\x1b[31mb" in err
    assert err.replace("\n", "").isprintable()


def test_letters_of_all_scripts_are_shown_as_they_are() -> None:
    assert printable("Zoë 東京 עברית 🙂") == "Zoë 東京 עברית 🙂"
