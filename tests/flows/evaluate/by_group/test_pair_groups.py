"""Sets of pairs by group of people: made-up groups, and figures that are computed again pair by pair."""

import itertools
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from flows.evaluate.by_group.person_groups import PersonGroups
from flows.evaluate.pair_sets import prepare_pairs
from flows.refine.models import load_embedder
from tests.builders.channel_mean_model import channel_mean_model
from tests.builders.photos.drawn_test_sets import bin_file, lfw_folder
from tests.builders.processes.command_line import Command, error_line
from trainer.evaluation.pair_set import load_pairs
from trainer.evaluation.verification import model_cosines


def groups_file(file: Path, people: int = 12) -> Path:
    """P00, P02... are "even", P01, P03... are "odd"; the last person has no group."""
    rows = [f"P{i:02},{('even', 'odd')[i % 2]}" for i in range(people - 1)]
    file.write_text("\n".join(["identity,group", *rows]) + "\n")
    return file


def test_figures_gaps_and_impostors_by_group(refinery: Command, tmp_path: Path) -> None:
    from sklearn.metrics import roc_auc_score  # a second to load, and every test process reads this file

    model = channel_mean_model(tmp_path / "colour.onnx", shape=["n", 3, 112, 112])
    # in lfw_folder() impostor pairs are of P00 with P03 and so on: the list has genuine pairs within groups alone
    folder, cache = lfw_folder(tmp_path / "lfw"), str(tmp_path / "cache")
    lines = (folder / "pairs.txt").read_text().splitlines()
    within = [f"P{i:02}\t3\tP{i + 2:02}\t4" for i in (0, 1, 2, 6, 7, 8)]
    genuine = [line for line in lines[1:] if line.count("\t") == 2]
    (folder / "pairs.txt").write_text(
        "\n".join([*lines[:1], *genuine[:3], *within[:3], *genuine[3:], *within[3:]]) + "\n"
    )
    words = ["evaluate", model, "--test-set", folder, "--cache", cache, "--aligned", "--draws", 20]
    words += ["--groups", groups_file(tmp_path / "groups.csv"), "--far", 0.1]
    status, out, err = refinery(*words)
    assert status == 0, err
    assert "lfw, colour, by group" in out
    assert "impostors who pass, one threshold" in out
    assert "1 of 12 people have no group" in err, err
    by_group = json.loads(refinery(*words, "--json")[1])["by_group"]

    pairs = load_pairs(prepare_pairs(cache, str(folder), aligned=True).folder)
    embed = load_embedder(model)
    cosine = model_cosines(pairs, embed)
    persons = [int(line.split("\t")[0][1:]) for line in (folder / "pairs.txt").read_text().splitlines()[1:]]
    auc = {}
    for parity, group in enumerate(("even", "odd")):
        chosen = [k for k, p in enumerate(persons) if p % 2 == parity and p < 11]
        auc[group] = roc_auc_score(pairs.same[chosen], cosine[chosen])
    got = {f["group"]: f["value"] for f in by_group["figures"] if f["figure"] == "AUC"}
    assert got == pytest.approx(auc, abs=1e-3)
    (gap,) = [g for g in by_group["gaps"] if g["figure"] == "AUC"]
    assert gap["value"] == pytest.approx(max(auc.values()) - min(auc.values()), abs=1e-3)
    assert auc[gap["best"]] >= auc[gap["worst"]]
    assert gap["low"] <= gap["value"] <= gap["high"]

    # the rate of each pair of groups, counted photo by photo at the threshold that the result names
    photos = sorted(folder.glob("*/*.jpg"))
    x = embed(np.stack([cv2.imread(str(photo)) for photo in photos]))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    person = [int(photo.parent.name[1:]) for photo in photos]
    rates = [r for r in by_group["rates"] if r["threshold"] == "own threshold"]
    assert len(rates) == 4
    for r in rates:
        parities = {("even", "odd").index(r[side]) for side in ("enrolled", "impostor")}
        scores = [
            float(x[i] @ x[j])
            for i, j in itertools.combinations(range(len(x)), 2)
            if person[i] != person[j] and {person[i] % 2, person[j] % 2} == parities and max(person[i], person[j]) < 11
        ]
        assert r["pairs"] == len(scores)
        assert r["value"] == pytest.approx(np.mean([s > r["cosine"] for s in scores]), abs=0.01)
    assert {r["enrolled"]: r["value"] for r in rates if r["enrolled"] == r["impostor"]} == pytest.approx(
        {"even": 0.1, "odd": 0.1}, abs=0.005
    )


def test_a_bin_names_nobody_and_mistakes_are_one_line(refinery: Command, tmp_path: Path, embedder: str) -> None:
    groups, data = groups_file(tmp_path / "groups.csv"), bin_file(tmp_path / "drawn.bin")
    words = ["evaluate", embedder, "--test-set", data, "--cache", tmp_path / "root", "--draws", 0, "--groups", groups]
    status, out, _ = refinery(*words)
    assert status == 0
    assert "drawn: nobody has a group, so nothing is measured by group" in out
    assert "--far 0.5: give a share between 0 and 0.5" in error_line(refinery(*words, "--far", 0.5))
    assert "--tar-at far: give one of not-above, nearest" in error_line(refinery(*words, "--tar-at", "far"))
    groups.write_text("identity,group\nP00,even\n")
    assert "has 1 groups: give 2 to 32 to compare them" in error_line(refinery(*words))


def test_a_folder_above_people_gives_them_its_group() -> None:
    groups = PersonGroups({"African": "African", "Asian/m.1": "other", "Asian": "Asian"})
    persons = ["African/m.7", "Asian/m.1", "Asian/m.2", "Indian/m.3", None, "African"]
    names = (*groups.names, None)
    got = [names[n] for n in groups.numbers(persons, "rfw").tolist()]
    assert got == ["African", "other", "Asian", None, None, "African"]
