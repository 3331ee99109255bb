"""All noise stages with groups, on a drawn population of which one group's faces lie closer together."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow.compute as pc
import pytest

from flows.benchmark.drawn.population import PopulationTables, population_tables, truth_of
from pipeline.noise.groups import group_calibration
from pipeline.noise.groups.group_calibration import GROUPS, groups_shard, pooled_groups
from pipeline.noise.groups.group_summary import effect_rows, group_bases, pooling_lines
from pipeline.noise.stages import Noise, find_noise
from pipeline.refined.labels import label
from pipeline.refined.scoring.known_truth import WRONG_LABEL
from pipeline.refined.scoring.scored_photos import ScoredPhotos
from pipeline.sample.cases.grouped_population import DrawnGroup, GroupedPopulation, draw_population
from pipeline.tables.build import build
from pipeline.tables.table import Table

pytestmark = pytest.mark.slow

ALONE = "far-0000"  # an identity that is taken out of its group
DOUBLE = "close-0002"  # the identity of a person who has two
USE_GROUPS = {"clusters", "persons", "suspects", "strays", "relations"}


class Refined(NamedTuple):
    """A population refined without and with groups, in one root."""

    population: GroupedPopulation
    tables: PopulationTables
    whole: Noise
    grouped: Noise


def grouping(root: str, groups) -> Table:
    return build(root, "groups", groups_shard, [sorted(groups.items())], schema=GROUPS)


def with_second_name(population: GroupedPopulation) -> GroupedPopulation:
    """The population with every second photo of one identity of the close group under a further identity."""
    identity, groups = population.identity.copy(), dict(population.groups)
    identity[np.flatnonzero(identity == DOUBLE)[::2]] = DOUBLE + "-again"
    groups[DOUBLE + "-again"] = groups[DOUBLE]
    order = np.argsort(identity.astype(str), kind="stable")
    columns = [column[order] for column in (identity, *population[1:4])]
    return GroupedPopulation(columns[0], columns[1], columns[2], columns[3], groups)


@pytest.fixture(scope="module")
def refined(tmp_path_factory: pytest.TempPathFactory) -> Refined:
    root = str(tmp_path_factory.mktemp("groups") / "root")
    population = with_second_name(draw_population([DrawnGroup("far", 260), DrawnGroup("close", 30, 0.25)], seed=0))
    tables = population_tables(root, population, shards=2)
    groups = {name: group for name, group in population.groups.items() if name != ALONE}
    whole = find_noise(root, tables.faces, [tables.embeddings])
    grouped = find_noise(root, tables.faces, [tables.embeddings], groups=grouping(root, groups))
    return Refined(population, tables, whole, grouped)


def noise_kept(refined: Refined, noise: Noise) -> dict[str, int]:
    """By group the photos with a wrong label that stay, and the clean ones that are lost as "lost"."""
    root = refined.tables.photos.root
    labels = label(root, refined.tables.photos, noise, undecided="keep", min_faces=2).labels
    photos = ScoredPhotos(labels.read(["identity", "reason"]), truth_of(refined.population))
    group = np.array([refined.population.groups[name] for name in refined.population.identity])
    kept = ~photos.stopped() & photos.of(*WRONG_LABEL)
    lost = (photos.removed_as_noise | photos.relabelled) & photos.of("clean")
    return {name: int((kept & (group == name)).sum()) for name in ("far", "close")} | {"lost": int(lost.sum())}


def manifests(root: str, name: str) -> dict[str, dict[str, object]]:
    """The manifests of all tables of a name, by address."""
    return {path.stem: json.loads(path.read_text()) for path in Path(root, name).glob("*.json")}


def test_noise_of_the_close_group_goes_with_its_own_thresholds_and_clean_photos_stay(refined: Refined) -> None:
    before, after = noise_kept(refined, refined.whole), noise_kept(refined, refined.grouped)
    assert before["close"] >= 10
    assert after["close"] <= before["close"] / 3
    assert after["far"] <= before["far"] + 5
    assert after["lost"] <= before["lost"] + 5


def test_two_identities_of_one_person_of_a_group_are_merged_and_no_others(refined: Refined) -> None:
    labels = label(refined.tables.photos.root, refined.tables.photos, refined.grouped, undecided="keep", min_faces=2)
    rows = labels.labels.read(["claimed", "identity", "reason"]).to_pylist()
    merged = {row["claimed"]: row["identity"] for row in rows if row["reason"] == "merge" and row["identity"]}
    assert merged in ({DOUBLE: DOUBLE + "-again"}, {DOUBLE + "-again": DOUBLE})


def test_what_the_probabilities_foretell_is_near_the_truth(refined: Refined) -> None:
    assert refined.grouped.group_effects is not None
    rows = {row.group: row for row in effect_rows(refined.grouped.group_effects)}
    before, after = noise_kept(refined, refined.whole), noise_kept(refined, refined.grouped)
    assert rows["close"].left_whole == pytest.approx(before["close"], rel=0.5)
    assert rows["close"].left_group == pytest.approx(after["close"], abs=5)
    assert rows["close"].photos <= (np.array(list(refined.population.groups.values())) == "close").sum() * 16
    assert set(rows) == {"far", "close", "(no group)"}


def test_without_groups_no_table_is_made_otherwise_and_with_them_only_those_that_use_them(refined: Refined) -> None:
    root, (whole, grouped) = refined.tables.photos.root, refined[2:]
    assert (whole.groups, whole.group_calibration, whole.group_effects) == (None, None, None)
    for name in ("calibration", "copies", "conflicts", "mixture"):
        assert not any("groups" in m["params"] for m in manifests(root, name).values())
    for shared in ("calibration", "copies"):
        assert getattr(whole, shared).address == getattr(grouped, shared).address
    for name in USE_GROUPS:
        params = [frozenset(m["params"]) for m in manifests(root, name).values()]
        own = [p for p in params if "groups" in p]
        assert len(params) == 2
        assert len(own) == 1
        assert own[0] - {"groups", "group_mixture"} == next(p for p in params if p not in own)
    again = find_noise(root, refined.tables.faces, [refined.tables.embeddings])
    assert again == whole
    assert all(len(manifests(root, name)) == 2 for name in USE_GROUPS)


def test_an_identity_without_a_group_is_scored_as_without_groups(refined: Refined) -> None:
    rows = [noise.clusters.read().filter(pc.equal(noise.clusters.read()["identity"], ALONE)) for noise in refined[2:]]
    assert len(rows[0]) >= 6
    assert rows[0] == rows[1]
    other = [
        noise.clusters.read().filter(pc.equal(noise.clusters.read()["identity"], "close-0001")) for noise in refined[2:]
    ]
    assert other[0] != other[1]


def test_the_summary_says_who_has_own_thresholds_and_who_was_shrunk(refined: Refined) -> None:
    assert refined.grouped.group_calibration is not None
    assert refined.grouped.groups is not None
    (line,) = pooling_lines(refined.grouped.group_calibration, refined.grouped.groups)
    assert line == (
        "thresholds by group: 1 of 2 groups have their own; towards the whole population: close shrunk by 30% "
        "(31 identities)"
    )


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[GroupedPopulation, Path]:
    """A population of three groups, one of them of one identity, and a folder for roots."""
    groups = [DrawnGroup("far", 24), DrawnGroup("close", 12, 0.25), DrawnGroup("alone", 1)]
    return draw_population(groups, seed=1), tmp_path_factory.mktemp("small")


def found(root: str, population: GroupedPopulation, **how) -> tuple[Noise, dict[str, list[str]]]:
    """The noise of a population with groups, and the digests of the shards of its tables by name."""
    tables = population_tables(root, population, shards=3)
    noise = find_noise(root, tables.faces, [tables.embeddings], groups=tables.groups, **how)
    return noise, {t.name: [s.digest for s in t.shards] for t in noise if isinstance(t, Table)}


def test_a_killed_run_goes_on_to_the_same_bytes(small, monkeypatch: pytest.MonkeyPatch) -> None:
    population, folder = small
    _, whole_run = found(str(folder / "whole"), population)
    built: list[str] = []

    def killed(root: str, name: str, *arguments, **options) -> Table:
        if name in kill_at and name not in built:
            built.append(name)
            raise KeyboardInterrupt
        return build(root, name, *arguments, **options)

    kill_at = {"group_calibration", "clusters", "group_mixture", "group_effects"}
    root = str(folder / "killed")
    for _ in kill_at:
        with pytest.raises(KeyboardInterrupt):
            found(root, population, build=killed)
    assert found(root, population, build=killed)[1] == whole_run
    assert sorted(built) == sorted(kill_at)


@pytest.mark.slow
def test_processes_make_the_same_bytes_as_threads(small) -> None:
    population, folder = small
    assert found(str(folder / "threads"), population)[1] == found(str(folder / "workers"), population, workers=2)[1]


def test_a_group_of_one_identity_has_the_population_s_thresholds(small) -> None:
    population, folder = small
    noise, _ = found(str(folder / "whole"), population)
    assert noise.group_calibration is not None
    words = {basis.group: basis.words for basis in group_bases(noise.group_calibration)}
    assert words["alone"] == "those of the whole population"
    assert words["close"].startswith("shrunk by ")


def test_only_the_largest_groups_are_calibrated(small, monkeypatch: pytest.MonkeyPatch) -> None:
    population, folder = small
    monkeypatch.setattr(group_calibration, "MAX_GROUPS", 2)
    noise, _ = found(str(folder / "largest"), population)
    assert noise.group_calibration is not None
    assert noise.groups is not None
    assert list(pooled_groups(noise.group_calibration.read())) == ["close", "far"]
    assert "1 further groups, the smallest ones" in pooling_lines(noise.group_calibration, noise.groups)[1]
