"""The file of --groups: how it is read, which identities it names, and where its groups are and are not shown."""

import csv
import json
import logging
from dataclasses import asdict
from pathlib import Path

import pytest

from flows.benchmark.drawn.population import population_tables
from flows.refine.calibration.groups import build_groups, parse_groups
from flows.refine.request import RefineRequest
from flows.refine.results import RefineResult
from pipeline.errors import UserError
from pipeline.noise.stages import find_noise
from pipeline.printable import printable
from pipeline.refined.data_card import write_card
from pipeline.refined.labels import label
from pipeline.refined.review_summary import ReviewSummary
from pipeline.refinement import Refinement, RefineOptions, latest, publish
from pipeline.report.group_section import group_section
from pipeline.sample.cases.grouped_population import DrawnGroup, draw_population

FIRST, SECOND = '<b onclick="x">&', '=HYPERLINK("x")\x1b[31m|\u202e'  # names that a page, a terminal or a sheet obeys


def groups_file(folder: Path, rows: list[tuple[str, str]], head: tuple[str, str] = ("identity", "group")) -> str:
    path = folder / "groups.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([head, *rows])
    return str(path)


@pytest.fixture(scope="module")
def refinement(tmp_path_factory: pytest.TempPathFactory) -> Refinement:
    """A refinement with two groups of hostile names, read from a file."""
    folder = tmp_path_factory.mktemp("named")
    population = draw_population([DrawnGroup("one", 24), DrawnGroup("two", 12, 0.25)], seed=2)
    names = {"one": FIRST, "two": SECOND}
    file = groups_file(folder, [(identity, names[group]) for identity, group in population.groups.items()])
    root = str(folder / "root")
    tables = population_tables(root, population)
    groups = build_groups(root, tables.photos, parse_groups(file))
    noise = find_noise(root, tables.faces, [tables.embeddings], groups=groups)
    labelling = label(root, tables.photos, noise, undecided="keep", min_faces=2)
    made = {**noise._asdict(), **labelling._asdict(), "options": RefineOptions(aligned=True)}
    return publish(root, Refinement(tables.photos, tables.faces, (tables.embeddings,), **made))


def test_the_summary_and_the_report_show_each_group_whatever_it_is_called(refinement: Refinement) -> None:
    result = RefineResult.of(refinement, groups="groups.csv")
    lines = [printable(line) for line in result.lines()]
    assert any(line.startswith("thresholds by group: 0 of 2 groups have their own") for line in lines)
    assert any(printable(SECOND) in line and "shrunk by" in line for line in lines)
    assert not any("\x1b" in line or "\n" in line for line in lines)
    assert json.loads(json.dumps(result.as_json()))["groups"]
    html = group_section(refinement)
    assert "&lt;b onclick=&quot;x&quot;&gt;&amp;" in html
    assert "<b onclick" not in html
    assert "Thresholds by group" in html


def test_groups_are_in_nothing_that_is_handed_on(refinement: Refinement, tmp_path: Path) -> None:
    write_card(refinement, tmp_path, review=ReviewSummary(), photos=1, identities=1, command="refinery export ROOT")
    card = (tmp_path / "README.md").read_text()
    assert "within groups of people" in card
    handed_on = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    handed_on.append(
        json.dumps(asdict(refinement.options)).encode() + json.dumps(refinement.labels.read().to_pylist()).encode()
    )
    for name in (FIRST, SECOND, "groups.csv"):
        assert not any(name.encode() in content for content in handed_on)


def test_a_refinement_without_groups_says_nothing_of_them(refinement: Refinement) -> None:
    bare = Refinement(**{**vars(refinement), "groups": None, "group_calibration": None, "group_effects": None})
    assert group_section(bare) == ""
    assert not any("group:" in line for line in RefineResult.of(bare).lines())
    (said,) = (line for line in RefineResult.of(bare, groups="g.csv").lines() if "g.csv" in line)
    assert said == "thresholds by group: none, because g.csv gives no identity of the data a group"


def test_the_tables_of_the_groups_belong_to_the_refinement(refinement: Refinement) -> None:
    assert {"groups", "group_calibration", "group_effects"} <= set(latest(refinement.root).tables)


def test_the_address_of_the_groups_depends_on_identities_of_the_data_alone(refinement, tmp_path) -> None:
    rows = [("one-0000", "a"), ("one-0001", "b"), ("ONE-0002", ""), ("nobody", "c")]
    root, photos = refinement.root, refinement.photos
    first = build_groups(root, photos, parse_groups(groups_file(tmp_path, rows)))
    again = build_groups(root, photos, parse_groups(groups_file(tmp_path, [*reversed(rows[:3]), ("others", "d")])))
    moved = build_groups(root, photos, parse_groups(groups_file(tmp_path, [("one-0000", "b"), *rows[1:]])))
    assert first is not None
    assert again is not None
    assert moved is not None
    assert first.read().to_pylist() == [{"identity": "one-0000", "group": "a"}, {"identity": "one-0001", "group": "b"}]
    assert first.address == again.address != moved.address


def test_an_identity_that_is_spelled_in_two_ways_has_one_group(refinement: Refinement, tmp_path: Path) -> None:
    name = next(iter(refinement.photos.batches(["identity"])))["identity"][0].as_py()
    spelled, root = f"./{name}", str(tmp_path)
    once = build_groups(root, refinement.photos, {name: "a"})
    twice = build_groups(root, refinement.photos, {spelled: "a", name: "a"})
    assert once is not None
    assert twice is not None
    assert twice.address == once.address
    with pytest.raises(UserError, match=f"{name} has two groups under two spellings, a and b: leave one"):
        build_groups(root, refinement.photos, {spelled: "b", name: "a"})


def test_a_file_that_names_nobody_of_the_data_is_said_so(refinement, tmp_path, caplog) -> None:
    with caplog.at_level(logging.WARNING, "refinery"):
        groups = parse_groups(groups_file(tmp_path, [("Nobody", "a")]))
        assert build_groups(refinement.root, refinement.photos, groups) is None
    assert "1 identities with a group are not in the data: 'Nobody'" in caplog.text
    assert "no identity of the data has a group: give names as the data spells them, such as 'one-0000'" in caplog.text


@pytest.mark.parametrize(
    ("rows", "head", "said"),
    [
        ([("a", "x")], ("name", "group"), "identity"),
        ([("a", "x"), ("a", "y")], ("identity", "group"), "a has two groups, x and y"),
        ([("", "x")], ("identity", "group"), "no identity: give one in every row"),
    ],
)
def test_a_mistake_in_the_file_is_one_line_before_any_work(tmp_path, rows, head, said) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    model = Path("pipeline/sample/models")
    with pytest.raises(UserError) as error:
        RefineRequest.parse(
            ["image-folder", str(photos)],
            str(model / "detector.onnx"),
            str(model / "embedder.onnx"),
            groups=groups_file(tmp_path, rows, head),
        )
    (message,) = error.value.messages
    assert said in message
    assert "groups.csv" in message
    assert "\n" not in message
