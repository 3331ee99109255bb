"""The map table, and what the page reads of it."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.browse.map.layout import SETTINGS
from pipeline.browse.map.map_table import MAP, build_map
from pipeline.browse.pages.identity_table import IdentityTable
from pipeline.browse.pages.map_page import MARKS, MAX_LISTED, found_persons, map_bytes, map_persons, map_view
from pipeline.browse.snapshot import Snapshot, load_snapshot
from pipeline.errors import UserError
from pipeline.refinement import latest
from tests.builders.tables.drawn_refinement import drawn_root


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    root = shutil.copytree(drawn_root(tmp_path_factory), tmp_path_factory.mktemp("map") / "root")
    return load_snapshot(latest(str(root)))


def test_a_run_that_was_killed_gives_the_same_table_afterwards(
    drawn: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[float] = []
    table = build_map(drawn.refinement, done.append)
    assert len(table) == len(drawn.photos.persons) == 68
    assert done[-1] == 1
    shard, manifest = (Path(drawn.root) / p for p in (table.shards[0].path, f"map/{table.address}.json"))
    data, said = shard.read_bytes(), manifest.read_bytes()
    manifest.unlink()  # killed before it was written

    def killed(_: float) -> None:
        raise KeyboardInterrupt

    assert build_map(drawn.refinement, killed) == table  # the shard is found, nothing is computed
    manifest.unlink()
    shard.unlink()
    with pytest.raises(KeyboardInterrupt):
        build_map(drawn.refinement, killed)
    assert build_map(drawn.refinement) == table
    assert (shard.read_bytes(), manifest.read_bytes()) == (data, said)
    monkeypatch.setattr("pipeline.browse.map.map_table.SETTINGS", (*SETTINGS[:-1], 4.0))
    assert build_map(drawn.refinement).address != table.address


def test_names_of_one_person_are_beside_each_other_on_the_map(drawn: Snapshot) -> None:
    x = np.stack([build_map(drawn.refinement).read()[name].to_numpy() for name in MAP.names], axis=1).astype(float)
    names = drawn.photos.persons["person"].to_pylist()
    ranks = []
    for i in range(4):  # q00 is the person of p00, and so on
        distances = np.linalg.norm(x - x[names.index(f"q{i:02d}")], axis=1)
        ranks.append(int(distances.argsort().argsort()[names.index(f"p{i:02d}")]))
    assert np.median(ranks) <= 3


def test_the_page_has_the_places_and_marks_of_all_persons(drawn: Snapshot) -> None:
    table, n = IdentityTable(drawn), len(drawn.photos.persons)
    places = np.linspace(-1, 1, 2 * n, dtype=np.float32).reshape(n, 2)
    data = map_bytes(drawn, table, places)
    x, y = np.frombuffer(data, "<u2", 2 * n).reshape(2, n)
    np.testing.assert_allclose(x / 65535 * 2 - 1, places[:, 0], atol=1e-4)
    np.testing.assert_allclose(y / 65535 * 2 - 1, places[:, 1], atol=1e-4)
    flags = np.frombuffer(data, np.uint8, offset=4 * n)
    assert len(flags) == n
    address = drawn.refinement.persons.address
    people = map_persons(drawn, table, range(n), persons_table=address)
    assert [p.row.name for p in people] == drawn.photos.persons["person"].to_pylist()
    assert [p.medoid for p in people] == drawn.photos.persons["medoid"].to_pylist()
    for person, flag in zip(people, flags.tolist(), strict=True):
        assert person.marks == [name for i, name in enumerate(MARKS) if flag >> i & 1]
        assert ("removed" in person.marks) == (2 * person.row.removed > person.row.claimed)
        if person.row.second_person is not None:
            assert "two_persons" in person.marks
    counted = {mark.name: mark.persons for mark in map_view(drawn, table).marks}
    assert counted == {name: sum(name in p.marks for p in people) for name in MARKS}
    assert counted["two_persons"] > counted["twin"] == 0
    with pytest.raises(UserError, match="reload"):
        map_bytes(drawn, table, places[1:])
    with pytest.raises(UserError, match="other persons"):
        map_persons(drawn, table, [0], persons_table="0" * 20)
    for numbers in ([n], [-1], [0] * (MAX_LISTED + 1)):
        with pytest.raises(UserError, match="reload"):
            map_persons(drawn, table, numbers, persons_table=address)


def test_a_twin_is_one_until_people_decide(drawn: Snapshot) -> None:
    merges = np.flatnonzero(drawn.findings.kind == "merge")
    assert len(merges)

    def marked(verdict: str, who: str) -> set[str]:
        verdicts, people = drawn.findings.verdict.copy(), drawn.findings.who.copy()
        verdicts[merges[0]], people[merges[0]] = verdict, who
        snapshot = replace(drawn, findings=replace(drawn.findings, verdict=verdicts, who=people))
        numbers, address = range(len(drawn.photos.persons)), drawn.refinement.persons.address
        rows = map_persons(snapshot, IdentityTable(snapshot), numbers, persons_table=address)
        return {p.row.name for p in rows if "twin" in p.marks}

    merge: dict[str, Any] = drawn.findings.table.take([merges[0]]).to_pylist()[0]
    assert marked("unsure", "policy") == {merge["subject"], merge["object"]}
    assert marked("no", "ann") == marked("yes", "policy") == set()


def test_a_search_finds_parts_of_names(drawn: Snapshot) -> None:
    names = drawn.photos.persons["person"].to_pylist()
    found = found_persons(drawn, "P0")
    assert found.total == len(found.numbers) == sum("p0" in name for name in names) > 0
    assert all("p0" in names[i] for i in found.numbers)
    assert found_persons(drawn, "") == found_persons(drawn, "<script>") == (found_persons(drawn, "nobody"))
    assert found_persons(drawn, "").total == 0
