"""Names that are markup, formulas, options or control characters go through every command and out of it unharmed."""

import csv
import json
import os
import re
import shutil
import tempfile
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from pipeline.printable import HIDDEN, JOINERS
from pipeline.refined.export import FORMATS
from pipeline.refinement import latest
from pipeline.sample.models import DETECTOR, EMBEDDER
from pipeline.sources.text_lists import plain_cell, write_table
from tests.builders.hostile_names import NAMES, hostile_names
from tests.builders.processes.command_line import Command, options

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("error:Glyph")]
EVERYTHING = bool(os.environ.get("REFINERY_EVERYTHING"))
MODELS = options({"detector": str(DETECTOR), "embedder": str(EMBEDDER)})


def hidden(text: str) -> list[str]:
    """The characters of a text that would move a cursor, colour a terminal, or hide."""
    return [c for c in text if unicodedata.category(c) in HIDDEN and c not in (*JOINERS, "\n")]


def draw_photos(world: Path, folder: Path, names: Sequence[str]) -> None:
    """A folder for each name, with three photos of a drawn person, whose files have such names, too."""
    people = sorted(p for p in (world / "photos").iterdir() if p.is_dir())
    for number, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        for i, photo in enumerate(sorted(people[number % len(people)].glob("*.jpg"))[:3]):
            file = names[(number + i) % len(names)].replace("/", "_")
            shutil.copy(photo, folder / name / f"{file}{i}.jpg")


def lists(folder: Path, names: Sequence[str]) -> dict[str, Path]:
    """The text files that people write about a data set: groups, a clean list, and the known truth."""
    groups, clean, written = folder / "groups.csv", folder / "clean.tsv", [as_text(name) for name in names]
    with open(groups, "w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("identity", "group"), *((name, f"{name}\\") for name in written)])
    keys = [p.relative_to(folder / "photos") for p in sorted((folder / "photos").rglob("*.jpg"))]
    photos = [(as_text(str(key)), as_text(str(key.parent))) for key in keys]
    one_line = [pair for pair in photos if not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", "".join(pair))]
    clean.write_text("".join(f"{key}\t{name}\n" for key, name in one_line), "utf-8")
    (folder / "truth").mkdir()
    with open(folder / "truth/truth.tsv", "w", newline="", encoding="utf-8") as stream:
        columns = ["path", "claimed", "person", "kind", "of"]
        write_table(stream, columns, [(key, name, name, "clean", "") for key, name in photos])
    return {"groups": groups, "clean": clean, "truth": folder / "truth"}


def as_text(name: str) -> str:
    """A name as the tables hold it: bytes that are not UTF-8 are written out."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


@example(names=list(NAMES))
@given(names=st.lists(hostile_names(), min_size=2, max_size=5, unique=True))
@settings(
    max_examples=200,
    deadline=None,
    # the fixed names alone, else generated ones, too; to shrink a failing example takes minutes, and names are short
    phases=[Phase.explicit, Phase.generate] if EVERYTHING else [Phase.explicit],
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_names_go_through_every_command(names: list[str], drawn_world: Path, refinery: Command) -> None:
    with tempfile.TemporaryDirectory(prefix="[b] =1 ") as work:
        out = Path(work)
        names = [*names, "one", "two", "three"]  # whose photos are kept, whatever becomes of the others
        draw_photos(drawn_world, out / "photos", names)
        run_commands(refinery, out, lists(out, names))
        check_what_was_written(out)


def run_commands(refinery: Command, out: Path, given_lists: dict[str, Path]) -> None:
    """Run the commands that read a source or a root; none may fail, or print a character that hides."""
    root, groups, photos = out / "root", given_lists["groups"], out / "photos"
    one = min(p for p in photos.rglob("*.jpg") if as_text(str(p)) == str(p))
    commands: list[tuple[Any, ...]] = [
        ("refine", root, "image-folder", photos, *MODELS, "--min-faces", 1),
        ("report", root, "--out", out / "report.html", "--groups", groups, "--plots", out / "plots"),
        ("report", root, "--against", root, "--out", out / "both.html"),
        ("find", root, one, "--out", out / "found.png"),
        ("find", photos, one, "--out", out / "alone.png", *MODELS),
        ("apply-list", root, given_lists["clean"], "--says", "right", "--yes"),
        ("score", root, given_lists["truth"]),
        ("labels", root, "--out", out / "labels.tsv"),
        *(("export", root, "--out", out / f"as {f}", "--format", f) for f in FORMATS),
        *(("verify", written) for written in (root, *(out / f"as {f}" for f in FORMATS))),
        ("apply-list", root, given_lists["clean"], "--withdraw"),
        *(("patch", "make", root, "--out", out / f"{name}.patch") for name in ("one", "two")),
        ("patch", "merge", out / "one.patch", out / "two.patch", "--out", out / "both.patch"),
        ("patch", "apply", root, out / "both.patch", "--yes"),
        ("patch", "apply", root, out / "both.patch", "--withdraw"),
        ("clean", root, "--dry-run"),
        ("evaluate", EMBEDDER, "--test-set", photos, "--detector", DETECTOR, "--cache", out / "cache", "--draws", 0),
        ("labels", root, "--out", out / "again.tsv", "--json"),
    ]
    for words in commands:
        status, printed, err = refinery(*words)
        assert status == 0, (words, err)
        assert not hidden(printed + err), words
    assert json.loads(printed)["photos"] == len(latest(str(root)).labels.read(["key"]))


def check_what_was_written(out: Path) -> None:
    """The labels name the photos as they are called, the report holds no markup of theirs, no cell is a formula."""
    keys = set(latest(str(out / "root")).labels.read(["key"])["key"].to_pylist())
    with open(out / "labels.tsv", newline="", encoding="utf-8") as stream:
        read = [{c: plain_cell(v) for c, v in row.items()} for row in csv.DictReader(stream, delimiter="\t")]
    assert {row["key"] for row in read} == keys
    folders = {str(p.parent.relative_to(out / "photos")) for p in (out / "photos").rglob("*.jpg")}
    assert {row["claimed"] for row in read} == {as_text(folder) for folder in folders}
    assert "<script>alert" not in (out / "report.html").read_text("utf-8")
    for tsv in (out / "labels.tsv", *out.rglob("identities.tsv"), *out.rglob("_changes/*.tsv")):
        cells = [cell for line in tsv.read_text("utf-8").split("\n") for cell in line.split("\t")]
        words = [cell.strip('"') for cell in cells if not re.fullmatch(r"-?[0-9.]+", cell)]
        assert not [word for word in words if word.startswith(("=", "+", "-", "@"))], tsv
