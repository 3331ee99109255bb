"""Groups of annotators and rosters are read from the user's files; a wrong file gives an error in one line."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.errors import UserError
from pipeline.review.groups import GroupedIdentity, groups_in_data, propose_groups, read_groups, read_roster


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_groups_and_titles_are_read_from_csv_and_parquet(tmp_path, kind):
    rows = [
        {"identity": "m.1", "group": "Asian", "name": "Ann", "born": "1970"},
        {"identity": "m.2", "group": "", "name": "", "born": ""},
    ]
    path = tmp_path / f"groups.{kind}"
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        path.write_text("identity,group,name,born\n" + "".join(",".join(r.values()) + "\n" for r in rows))
    known = read_groups(path)
    assert known["m.1"] == ("Asian", "Ann · 1970 · m.1")
    assert known["m.2"] == ("general", "m.2")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,group\nx,y\n", "no columns identity and group"),
        ("", "no columns identity and group"),
        ("identity,group\n,African\n", "row 2: no identity"),
        ("identity,group\na,x\na,y\n", "row 3: a has two groups, x and y"),
    ],
)
def test_a_contradictory_groups_file_raises_an_error(tmp_path, text, message):
    path = tmp_path / "groups.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        read_groups(path)


@pytest.mark.parametrize(("delimiter", "encoding"), [(";", "utf-8-sig"), ("\t", "utf-16")])
def test_groups_as_a_spreadsheet_saves_them(tmp_path, delimiter, encoding):
    lines = [f"identity{delimiter}group", f"Zoë{delimiter}one", f"'=Ann{delimiter}two"]
    (tmp_path / "groups.csv").write_bytes("\r\n".join(lines).encode(encoding))
    assert {name: entry.group for name, entry in read_groups(tmp_path / "groups.csv").items()} == {
        "Zoë": "one",
        "=Ann": "two",
    }


def test_files_that_cannot_be_read_raise_an_error(tmp_path):
    (tmp_path / "groups.parquet").write_text("no parquet")
    (tmp_path / "binary.csv").write_bytes(b"\x00\x80\xff\x00")
    for name in ("groups.parquet", "binary.csv", "nowhere.csv"):
        with pytest.raises(UserError, match=f"cannot read the groups in .*{name}"):
            read_groups(tmp_path / name)
    with pytest.raises(UserError, match="cannot read the roster"):
        read_roster(tmp_path / "nowhere.csv")


def test_a_roster_gives_annotators_by_group(tmp_path):
    path = tmp_path / "roster.csv"
    path.write_text("group,annotator\nAsian,a@x\nAsian,b@x\n,c@x\n")
    assert read_roster(path) == {"Asian": ["a@x", "b@x"], "general": ["c@x"]}
    path.write_text("who\na\n")
    with pytest.raises(UserError, match="no columns group and annotator"):
        read_roster(path)


def test_groups_are_proposed_only_for_identities_without_one(drawn):
    """All identities with a group have the same one here, so every vote is unanimous."""
    refinement = drawn.refinement
    known = {f"p{p:02d}": GroupedIdentity("north", "") for p in range(30)}
    proposals = propose_groups(refinement, known)
    assert proposals
    assert not set(proposals) & set(known)
    assert {p.group for p in proposals.values()} == {"north"}
    assert all(p.share == 1 for p in proposals.values())
    assert propose_groups(refinement, {}) == {}


def test_identities_of_the_file_are_found_in_the_data_or_counted(drawn, caplog):
    identity = next(i for i in drawn.refinement.labels.read(["claimed"])["claimed"].to_pylist() if i)
    north = GroupedIdentity("north", "")
    grouped = {f"./{identity}": north, "Nobody A": north, "Nobody B": north, "C": north, "D": north}
    assert groups_in_data(drawn.refinement, grouped) == {identity: north}
    assert caplog.messages == ["4 identities with a group are not in the data: 'Nobody A', 'Nobody B', 'C'"]
