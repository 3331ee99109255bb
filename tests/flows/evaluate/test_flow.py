"""Evaluations of small models on drawn test sets, from the photos to the figures; mistakes before any work."""

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from flows.evaluate.flow import evaluate
from flows.evaluate.pair_sets import prepare_pairs
from flows.evaluate.verify_pairs import verify_model
from flows.refine.models import load_embedder
from pipeline import schema
from pipeline.errors import UserError
from pipeline.tables.build import build
from tests.builders.channel_mean_model import channel_mean_model
from tests.builders.photos.drawn_test_sets import bin_file, lfw_folder, people_folders
from tests.builders.processes.command_line import Command
from tests.builders.tables.partial_refinement import publish_partial
from trainer.evaluation.pair_set import load_pairs
from trainer.evaluation.verification import model_cosines


def test_figures_of_models_and_their_difference(refinery: Command, tmp_path: Path, embedder: str) -> None:
    other = channel_mean_model(tmp_path / "raw.onnx", shape=["n", 3, 112, 112], raw=True, first=True)
    words = [
        "evaluate",
        embedder,
        "--test-set",
        lfw_folder(tmp_path / "lfw"),
        "--test-set",
        bin_file(tmp_path / "drawn.bin"),
        "--against",
        other,
        "--cache",
        tmp_path / "root",
        "--aligned",
        "--draws",
        50,
    ]
    status, out, err = refinery(*words)
    assert status == 0, err
    assert "less raw" in out
    assert "drawn: 24 pairs, 12 genuine; 0 lack a face and count as different; flip: add\n" in out
    assert "lfw: 12 pairs, 6 genuine; 0 lack a face and count as different\n" in out
    assert "at a cosine of" in out
    assert " [" in out.split("drawn: 24 pairs")[0]
    assert " made" in err
    evaluation = json.loads(refinery(*words, "--json")[1])
    value = {(f["test_set"], f["model"], f["figure"], f["against"]): f for f in evaluation["figures"]}
    tar = value["drawn", "colour", "TAR@FAR=0.1", ""]
    assert tar["low"] <= tar["value"] <= tar["high"]
    for (test, _, figure, against), f in value.items():
        if against:
            assert f["value"] == pytest.approx(
                value[test, "colour", figure, ""]["value"] - value[test, "raw", figure, ""]["value"]
            )
    assert " made" not in refinery(*words)[2], "a second evaluation finds everything"


def test_no_draws_no_intervals(refinery: Command, tmp_path: Path, embedder: str) -> None:
    words = [
        "evaluate",
        embedder,
        "--test-set",
        bin_file(tmp_path / "drawn.bin"),
        "--cache",
        tmp_path / "root",
        "--draws",
        0,
    ]
    assert " [" not in refinery(*words)[1].split("drawn: 24 pairs")[0]
    text = refinery(*words, "--json")[1]
    assert "NaN" not in text
    assert json.loads(text)["figures"][0]["low"] is None


def test_a_checkpoint_evaluates_as_its_network(tmp_path: Path) -> None:
    import torch

    from trainer import checkpoint
    from trainer.checkpoint import Checkpoint
    from trainer.run import Run as Training

    torch.manual_seed(0)
    run = Training(backbone="sample", embedding=16)
    net = checkpoint.build_backbone(run).eval()
    checkpoint.save(tmp_path / "last.pt", Checkpoint(run, "", 1, 0, -1.0, net.state_dict(), {}, {}, {}))
    test_set = prepare_pairs(str(tmp_path / "root"), str(bin_file(tmp_path / "drawn.bin")))
    verification = verify_model(str(tmp_path / "root"), load_embedder(str(tmp_path / "last.pt")), test_set, draws=0)
    pairs = load_pairs(test_set.folder)

    def embed(faces: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            x = torch.from_numpy(faces[..., ::-1].transpose(0, 3, 1, 2).copy()).float()
            return net((x - 127.5) / 127.5).numpy()

    assert verification.roc.cosine[1:] == pytest.approx(np.sort(model_cosines(pairs, embed))[::-1], abs=1e-3)


def found_in_both(_part: int) -> pa.Table:
    rows = [("overlap", "m.1", "P00"), ("overlap", "m.2", "P01"), ("merge", "m.1", "P02")]
    return pa.Table.from_pylist(
        [{"finding_id": s, "kind": k, "subject": s, "object": o} for k, s, o in rows], schema=schema.FINDINGS
    )


def decided(_part: int) -> pa.Table:
    return pa.Table.from_pylist([{"verdict": v} for v in ("yes", "no", "yes")], schema=schema.DECISIONS)


def test_figures_without_people_of_the_training_data(tmp_path: Path, embedder: str) -> None:
    from sklearn.metrics import roc_auc_score  # a second to load, and every test process reads this file

    root = str(tmp_path / "refined")
    tables = {
        "findings": build(root, "findings", found_in_both, [0], schema=schema.FINDINGS),
        "decisions": build(root, "decisions", decided, [0], schema=schema.DECISIONS),
    }
    publish_partial(root, **tables)
    options = {"cache": str(tmp_path / "root"), "aligned": True, "draws": 20, "without_overlap": root}
    folder = str(lfw_folder(tmp_path / "lfw"))
    with pytest.raises(UserError, match="was refined without a test set"):
        evaluate(embedder, [folder], **options)
    publish_partial(root, **tables, test_faces=(tables["findings"],))
    evaluation = evaluate(embedder, [folder], **options)
    assert [(t.test_set, t.pairs) for t in evaluation.test_sets] == [("lfw", 12), ("lfw without overlap", 10)]
    values = {f.test_set: f.value for f in evaluation.figures if f.figure == "AUC"}
    test_set = prepare_pairs(str(tmp_path / "root"), folder, aligned=True)
    pairs = load_pairs(test_set.folder)
    kept = [i for i in range(12) if i not in (0, 3)]  # P00 with itself and with P03
    cosine = model_cosines(pairs, load_embedder(embedder))[kept]
    assert values["lfw without overlap"] == pytest.approx(roc_auc_score(pairs.same[kept], cosine), abs=1e-3)


def test_a_tar_at_a_far_of_few_impostor_pairs_has_a_warning(tmp_path: Path, embedder: str) -> None:
    folder = people_folders(tmp_path / "people", 6, 4)  # 240 pairs of two people
    evaluation = evaluate(embedder, [str(folder)], cache=str(tmp_path / "root"), aligned=True, draws=0)
    warned = {f.figure: bool(f.warning) for f in evaluation.figures}
    assert warned == {"accuracy": False, "TAR@FAR=0.1": False, "TAR@FAR=0.01": True, "AUC": False, "EER": False}
    assert "! people, TAR@FAR=0.01: 2.4 impostor pairs may pass: too few to say" in evaluation.lines()
    assert [r[evaluation.figures[0].model][-1] for r in evaluation.rows() if r["figure"] == "TAR@FAR=0.01"] == ["!"]


def test_the_threshold_of_a_far_is_not_above_it_or_nearest_to_it(tmp_path: Path, embedder: str) -> None:
    folder = people_folders(tmp_path / "people", 5, 4)  # 160 impostor pairs: one may pass, and two are nearer to .01
    rules = {}
    for rule in ("not-above", "nearest"):
        evaluation = evaluate(embedder, [str(folder)], cache=str(tmp_path), aligned=True, draws=0, tar_at=rule)
        rules[rule] = evaluation.cosines["people"]["colour"]["FAR=0.01"]
    test_set = prepare_pairs(str(tmp_path), str(folder), aligned=True)
    pairs = load_pairs(test_set.folder)
    impostors = np.sort(model_cosines(pairs, load_embedder(embedder))[~pairs.same])[::-1]
    passing = {rule: int((impostors >= cosine - 1e-4).sum()) for rule, cosine in rules.items()}
    assert rules["nearest"] < rules["not-above"]
    assert passing["nearest"] > passing["not-above"] >= 1


@pytest.mark.slow
@pytest.mark.material
def test_a_real_model_on_real_pairs(material: Path, tmp_path: Path) -> None:
    """On three of the ten folds; people of two made-up groups, by the first letter of their name."""
    models = [str(material / f"models/arcface_mobilefacenet_{name}.onnx") for name in ("ms1m", "casia")]
    _, *lines = (material / "lfw_pairs/pairs.txt").read_text().splitlines()
    pairs = [line.split("\t") for line in lines[:360]]
    people = sorted({word for pair in pairs for word in pair if not word.isdigit()})
    group = {name: "A to J" if name < "K" else "K to Z" for name in people}
    (tmp_path / "groups.csv").write_text("identity,group\n" + "".join(f"{p},{group[p]}\n" for p in people))
    for person in people:
        shutil.copytree(material / "lfw_pairs/images" / person, tmp_path / "lfw/images" / person)
    (tmp_path / "lfw/pairs.txt").write_text("\n".join(["3\t60", *lines[:360]]) + "\n")
    evaluation = evaluate(
        models[0],
        [str(tmp_path / "lfw")],
        against=[models[1]],
        cache=str(tmp_path / "cache"),
        detector=str(material / "models/yunet_n_320_320.onnx"),
        groups=str(tmp_path / "groups.csv"),
        far=1e-3,
    )
    value = {(f.model.rsplit("_", 1)[1], f.figure): f for f in evaluation.figures if not f.against}
    assert value["ms1m", "accuracy"].value >= 0.985
    assert value["ms1m", "TAR@FAR=0.01"].value >= 0.99
    assert 0.97 <= value["casia", "accuracy"].value <= value["ms1m", "accuracy"].value
    (test_set,) = evaluation.test_sets
    assert (test_set.pairs, test_set.genuine, test_set.missing) == (360, 180, 0)
    of_two = sum(len(pair) == 4 and group[pair[0]] != group[pair[2]] for pair in pairs)
    assert f"{of_two} pairs of two groups and 0 with a person without" in evaluation.by_group.notes[0]
    by_group = {(f.figure, f.group): f for f in evaluation.by_group.figures if f.model.endswith("ms1m")}
    for name in ("A to J", "K to Z"):
        assert by_group["accuracy", name].value > 0.96
        assert by_group["TAR, one threshold", name].value > 0.93
        assert 0.0001 < by_group["FAR, one threshold", name].value < 0.005
    between = [r for r in evaluation.by_group.rates if r.enrolled != r.impostor and r.threshold == "one threshold"]
    assert {r.value for r in between[:2]} == {between[0].value}, "at one threshold a rate has no direction"
    photos = [sum(group[f.parent.name] == g for f in (tmp_path / "lfw/images").glob("*/*.jpg")) for g in group.values()]
    assert between[0].pairs == min(photos) * max(photos)


@pytest.mark.material
def test_a_real_bin_of_genuine_pairs_alone_is_an_error(material: Path, tmp_path: Path) -> None:
    model = str(material / "models/arcface_mobilefacenet_ms1m.onnx")
    with pytest.raises(UserError, match=r"all 10 pairs of .*small_lfw.bin are genuine pairs"):
        evaluate(model, [str(material / "test_bin/small_lfw.bin")], cache=str(tmp_path / "root"))
    photos = pickle.loads((material / "test_bin/small_lfw.bin").read_bytes(), encoding="bytes")[0]
    mixed = photos + [photos[(i + 3 * (i % 2)) % 20] for i in range(20)]
    (tmp_path / "mixed.bin").write_bytes(pickle.dumps((mixed, [True] * 10 + [False] * 10)))
    evaluation = evaluate(model, [str(tmp_path / "mixed.bin")], cache=str(tmp_path / "root"), flip="none", draws=100)
    assert {f.figure: f.value for f in evaluation.figures}["AUC"] == 1
