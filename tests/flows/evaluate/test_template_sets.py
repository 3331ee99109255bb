"""IJB's layout from its lists to its figures: drawn pictures cut by their points, pooled by hand beside it."""

import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from flows.evaluate.flow import evaluate
from flows.refine.models import load_embedder
from pipeline.errors import UserError
from pipeline.faces.align import TEMPLATE
from pipeline.sources.test_sets import ijb
from tests.builders.photos.exported_faces import pictures

PEOPLE, EACH = 6, 6


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each person two templates of three photos, the second with two frames of one video; one file is not a picture."""
    folder = tmp_path_factory.mktemp("ijb") / "IJBC"
    (folder / "meta").mkdir(parents=True)
    (folder / "loose_crop").mkdir()
    faces, points, count = [], [], dict.fromkeys(range(PEOPLE), 0)
    for label, jpeg in pictures(PEOPLE, EACH):
        k, count[label] = count[label], count[label] + 1
        name = f"{label * 10 + k}.jpg"
        template = label * 2 + k // 3 + 100
        medium = 10 * label + (k if k < 4 else 4)
        (folder / "loose_crop" / name).write_bytes(b"<html>" if (label, k) == (0, 0) else jpeg)
        faces.append(f"{name} {template} {medium}")
        points.append(f"{name} {' '.join(f'{v:.3f}' for v in TEMPLATE.ravel())} {0.5 + k / 10:.3f}")
    write(folder, "ijbc_face_tid_mid.txt", faces)
    write(folder, "ijbc_name_5pts_score.txt", points)
    every = range(100, 100 + 2 * PEOPLE)
    pairs = [f"{a} {b} {int((a - 100) // 2 == (b - 100) // 2)}" for a in every for b in every if a < b]
    write(folder, "ijbc_template_pair_label.txt", pairs)
    head = "TEMPLATE_ID,SUBJECT_ID,FILENAME"
    write(folder, "ijbc_1N_gallery_G1.csv", [head, *(f"{100 + 2 * p},{p},x" for p in range(4))])
    write(folder, "ijbc_1N_probe_mixed.csv", [head, *(f"{101 + 2 * p},{p},x" for p in range(PEOPLE))])
    return folder


def write(folder: Path, name: str, lines: list[str]) -> None:
    (folder / "meta" / name).write_text("\n".join(lines) + "\n")


def by_hand(layout: Path, embedder: str) -> dict[int, np.ndarray]:
    embed, media = load_embedder(embedder, "add"), {}
    score = {w[0]: float(w[-1]) for w in map(str.split, (layout / "meta/ijbc_name_5pts_score.txt").open())}
    for name, template, medium in map(str.split, (layout / "meta/ijbc_face_tid_mid.txt").open()):
        picture = cv2.imread(str(layout / "loose_crop" / name))
        if picture is not None:
            media.setdefault((int(template), medium), []).append(embed(picture[None])[0] * score[name])
    sums: dict[int, np.ndarray] = {}
    for (template, _), rows in media.items():
        sums[template] = sums.get(template, 0) + np.mean(rows, 0)
    return {t: v / np.linalg.norm(v) for t, v in sums.items()}


def test_figures_are_those_of_templates_pooled_by_hand(layout: Path, embedder: str, tmp_path: Path) -> None:
    assert ijb.is_ijb(layout)
    groups = tmp_path / "groups.csv"
    groups.write_text("identity,group\n" + "".join(f"{p},{'low' if p < 3 else 'high'}\n" for p in range(PEOPLE)))
    evaluation = evaluate(embedder, [str(layout)], cache=str(tmp_path / "root"), groups=str(groups), draws=20)
    x = by_hand(layout, embedder)
    cosines = {(a, b): float(x[a] @ x[b]) for a in x for b in x if a < b}
    same = np.array([c for (a, b), c in cosines.items() if (a - 100) // 2 == (b - 100) // 2])
    different = np.sort([c for (a, b), c in cosines.items() if (a - 100) // 2 != (b - 100) // 2])[::-1]
    values = {f.figure: f for f in evaluation.figures}
    expected = (same > different[int(0.1 * len(different))]).mean()
    assert values["TAR@FAR=0.1"].value == pytest.approx(expected, abs=0.01)
    ranks = [
        1 + sum(x[101 + 2 * p] @ x[100 + 2 * g] > x[101 + 2 * p] @ x[100 + 2 * p] for g in range(4)) for p in range(4)
    ]
    assert values["G1 rank-1"].value == pytest.approx(np.mean(np.array(ranks) == 1))
    of_group = {(f.figure, f.group): f.value for f in evaluation.by_group.figures}
    assert of_group["G1 rank-1", "low"] == pytest.approx(np.mean(np.array(ranks[:3]) == 1))
    assert of_group["G1 rank-1", "high"] == (ranks[3] == 1)
    low = {pair: cosine for pair, cosine in cosines.items() if max(pair) < 106}
    own = np.array([(a - 100) // 2 == (b - 100) // 2 for a, b in low])
    impostors = np.sort(np.array(list(low.values()))[~own])[::-1]
    expected = (np.array(list(low.values()))[own] > impostors[int(0.1 * len(impostors))]).mean()
    assert of_group["TAR@FAR=0.1", "low"] == pytest.approx(expected)
    assert values["TAR@FAR=1e-06"].warning
    assert values["G1 TPIR@FPIR=0.01"].warning
    (test_set,) = evaluation.test_sets
    assert (test_set.test_set, test_set.pairs, test_set.genuine) == ("ijbc", len(cosines), PEOPLE)
    assert evaluation.rows()


def test_weights_can_be_left_out_and_a_second_run_makes_nothing(layout: Path, embedder: str, tmp_path: Path) -> None:
    options = {"cache": str(tmp_path / "root"), "draws": 0}
    weighed = evaluate(embedder, [str(layout)], **options)
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.parquet")}
    plain = evaluate(embedder, [str(layout)], by_norm=False, by_score=False, **options)
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.parquet")} == before
    assert [f.figure for f in plain.figures] == [f.figure for f in weighed.figures]


@pytest.mark.parametrize(
    ("file", "line", "message"),
    [
        ("ijbc_face_tid_mid.txt", "1.jpg 100", "line 2: expected a photo, its template and medium"),
        ("ijbc_face_tid_mid.txt", "else.jpg 100 1", "has no line for else.jpg"),
        ("ijbc_template_pair_label.txt", "100 999 0", "names template 999, which has no media"),
        ("ijbc_name_5pts_score.txt", "1.jpg 3 4 x", "expected a photo, ten points, a score"),
        ("ijbc_1N_gallery_G1.csv", "no,number", "cannot read"),
        ("ijbc_template_pair_label.txt", "", "is empty"),
    ],
)
def test_a_set_with_missing_files_is_one_line(
    layout: Path, embedder: str, tmp_path: Path, file: str, line: str, message: str
) -> None:
    folder = shutil.copytree(layout, tmp_path / "IJBC")
    first = (folder / "meta" / file).read_text().splitlines()[0]
    (folder / "meta" / file).write_text(f"{first}\n{line}\n" if line else "")
    with pytest.raises(UserError, match=re.escape(message)):
        evaluate(embedder, [str(folder)], cache=str(tmp_path / "root"), draws=0)
