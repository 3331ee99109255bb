"""Names that are markup, formulas, options or control characters go through every command and out of it unharmed."""

import csv
import json
import re
import shutil
import unicodedata
from pathlib import Path

import pytest

from pipeline.printable import HIDDEN, JOINERS
from pipeline.refinement import latest
from pipeline.sample.models import DETECTOR, EMBEDDER
from pipeline.sources.text_lists import plain_cell
from tests.builders.processes.command_line import Command, options

pytestmark = pytest.mark.slow
NAMES = (
    "[/b] [red]",
    "=cmd|' /C calc'!A0",
    "\x1b[31mred\x07",
    "line\rfeed\nname",
    "$a_\\",
    "<script>alert(1)</script>",
)
NAMES += ("-rf --out x", "gpj.\u202etxt", "+1 @x", "tab\there", "Jürgen 'q\" 李", "{0} %s %(x)s", "a|b` #c", "&amp;")


def hidden(text: str) -> list[str]:
    """The characters of a text that would move a cursor, colour a terminal, or hide."""
    return [c for c in text if unicodedata.category(c) in HIDDEN and c not in (*JOINERS, "\n")]


@pytest.fixture(scope="module")
def photos(drawn_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each name, with photos whose files have such names, too."""
    folder = tmp_path_factory.mktemp("hostile") / "photos [/b] =1"
    people = sorted(p for p in (drawn_world / "photos").iterdir() if p.is_dir())
    for number, name in enumerate(NAMES):
        person = people[number % len(people)]
        for i, photo in enumerate(sorted(person.glob("*.jpg"))[: 3 + number // len(people)]):
            (folder / name).mkdir(parents=True, exist_ok=True)
            shutil.copy(photo, folder / name / f"{NAMES[i].replace('/', '_')}{i}.jpg")
    return folder


def test_names_go_through_every_command(photos: Path, refinery: Command, tmp_path: Path) -> None:
    root, models = tmp_path / "root", options({"detector": str(DETECTOR), "embedder": str(EMBEDDER)})
    groups = tmp_path / "groups.csv"
    with open(groups, "w", newline="") as stream:
        csv.writer(stream).writerows([("identity", "group"), *((name, f"{name}\\") for name in NAMES)])
    one = next(photos.rglob("*.jpg"))
    commands = [
        ("refine", root, "image-folder", photos, *models, "--min-faces", 1),
        ("labels", root, "--out", tmp_path / "labels.tsv"),
        ("report", root, "--out", tmp_path / "report.html", "--groups", groups, "--plots", tmp_path / "plots"),
        ("report", root, "--against", root, "--out", tmp_path / "both.html"),
        ("find", root, one, "--out", tmp_path / "found.png"),
        *(("export", root, "--out", tmp_path / f, "--format", f) for f in ("parquet", "recordio", "folder")),
        ("verify", root),
        ("clean", root, "--dry-run"),
    ]
    for words in commands:
        status, printed, err = refinery(*words)
        assert status == 0, (words, err)
        assert not hidden(printed + err), words
    keys = set(latest(str(root)).labels.read(["key"])["key"].to_pylist())
    with open(tmp_path / "labels.tsv", newline="", encoding="utf-8") as stream:
        read = [{c: plain_cell(v) for c, v in row.items()} for row in csv.DictReader(stream, delimiter="\t")]
    assert {row["key"] for row in read} == keys
    assert {row["claimed"] for row in read} == {str(p.parent.relative_to(photos)) for p in photos.rglob("*.jpg")}
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "<script>alert" not in page
    assert "[/b] [red]" in page
    status, printed, _ = refinery("labels", root, "--out", tmp_path / "again.tsv", "--json")
    assert json.loads(printed)["photos"] == len(keys)
    for tsv in (tmp_path / "labels.tsv", *tmp_path.rglob("identities.tsv"), *tmp_path.rglob("_changes/*.tsv")):
        cells = [cell for line in tsv.read_text("utf-8").split("\n") for cell in line.split("\t")]
        words = [cell.strip('"') for cell in cells if not re.fullmatch(r"-?[0-9.]+", cell)]
        assert not [word for word in words if word.startswith(("=", "+", "-", "@"))], tsv
