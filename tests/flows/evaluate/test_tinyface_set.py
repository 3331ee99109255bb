"""TinyFace's layout, made up: figures of ranks computed again, groups of people, and mistakes as one line."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from flows.evaluate.flow import evaluate
from flows.refine.models import load_embedder
from pipeline.errors import UserError
from pipeline.sources.test_sets.identification import tinyface
from tests.builders.photos.drawn_test_sets import people_folders

PEOPLE = 8


def layout(folder: Path) -> Path:
    """A probe and two mates of each person, and four photos of two others as distractors."""
    drawn = people_folders(folder / "drawn", PEOPLE + 2, 3)
    testing = folder / "tinyface/Testing_Set"
    listed: dict[str, list[tuple[str, int]]] = {"probe": [], "gallery": []}
    for name in (tinyface.PROBES, tinyface.MATES, tinyface.DISTRACTORS):
        (testing / name).mkdir(parents=True)
    for p in range(PEOPLE + 2):
        for k, photo in enumerate(sorted((drawn / f"P{p:02}").iterdir())):
            place = tinyface.DISTRACTORS if p >= PEOPLE else tinyface.MATES if k else tinyface.PROBES
            name = f"{p + 1}_{k}.jpg"
            shutil.copy(photo, testing / place / name)
            if p < PEOPLE:
                listed["gallery" if k else "probe"].append((name, p + 1))
    for prefix, file in tinyface.FILES.values():
        photos = np.array([[name] for name, _ in listed[prefix]], object)
        ids = np.array([[p] for _, p in listed[prefix]], np.uint16)
        savemat(testing / file, {f"{prefix}_set": photos, f"{prefix}_ids": ids})
    return folder / "tinyface"


def test_probes_are_ranked_among_mates_and_distractors(tmp_path: Path, embedder: str) -> None:
    folder = layout(tmp_path)
    groups = tmp_path / "groups.csv"
    groups.write_text("identity,group\n" + "".join(f"{p + 1},{'ab'[p % 2]}\n" for p in range(PEOPLE)))
    options = {"cache": str(tmp_path / "root"), "aligned": True, "draws": 20}
    evaluation = evaluate(embedder, [str(folder)], groups=str(groups), **options)
    testing, embed = folder / "Testing_Set", load_embedder(embedder, "add")

    def vectors(name: str) -> tuple[np.ndarray, list[int]]:
        photos = sorted((testing / name).iterdir())
        x = embed(np.stack([cv2.imread(str(p)) for p in photos])).astype(np.float16).astype(np.float32)
        return x / np.linalg.norm(x, axis=1, keepdims=True), [int(p.name.split("_")[0]) for p in photos]

    (probes, person), (mates, shown), (others, _) = map(vectors, ("Probe", "Gallery_Match", "Gallery_Distractor"))
    is_mate = np.concatenate([np.array(shown)[None] == np.array(person)[:, None], np.zeros((PEOPLE, len(others)))], 1)
    order = np.argsort(-(probes @ np.concatenate([mates, others]).T), axis=1)
    first = np.take_along_axis(is_mate, order, 1).argmax(1)
    values = {f.figure: f for f in evaluation.figures}
    assert values["rank-1"].value == pytest.approx((first < 1).mean(), abs=0.13)  # one tie in half precision
    assert values["rank-20"].value == pytest.approx((first < 20).mean())
    assert values["mAP"].low <= values["mAP"].value <= values["mAP"].high
    of_group = {(f.figure, f.group): f.value for f in evaluation.by_group.figures}
    assert (of_group["mAP", "a"] + of_group["mAP", "b"]) / 2 == pytest.approx(values["mAP"].value)
    assert (evaluation.test_sets[0].pairs, evaluation.test_sets[0].flip) == (PEOPLE, "add")


def test_mistakes_are_one_line(tmp_path: Path, embedder: str) -> None:
    folder = layout(tmp_path)
    with pytest.raises(UserError, match="give --detector, or --aligned"):
        evaluate(embedder, [str(folder)], cache=str(tmp_path / "root"))
    (folder / "Testing_Set/Probe/3_0.jpg").unlink()
    with pytest.raises(UserError, match=r"lists Probe/3_0.jpg, which is not there"):
        evaluate(embedder, [str(folder)], cache=str(tmp_path / "root"), aligned=True)
    for content, reason in (
        ({"probe_set": np.array([["../x"]], object), "probe_ids": [[1]]}, "is not the name of a photo"),
        ({"probe_set": np.array([["x"]], object), "probe_ids": [[1.5]]}, "is not the number of a person"),
        ({"probe_set": np.array([["x"]], object), "probe_ids": [[1], [2]]}, "of the same length"),
    ):
        savemat(folder / "Testing_Set/probe_img_ID_pairs.mat", content)
        with pytest.raises(UserError, match=reason):
            tinyface.read_lists(folder)
    shutil.rmtree(folder / "Testing_Set/Gallery_Distractor")
    with pytest.raises(UserError, match="holds no folder Gallery_Distractor"):
        tinyface.read_lists(folder)
