"""Sets of videos as YouTube Faces and iQIYI-VID lay them out, made of drawn people."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from flows.evaluate.flow import evaluate
from flows.refine.models import load_embedder
from pipeline.errors import UserError
from tests.builders.photos.drawn_test_sets import people_folders
from trainer.evaluation.verification import verify

PEOPLE, VIDEOS, FRAMES = 12, 3, 2


def frames(folder: Path) -> list[tuple[str, list[Path]]]:
    """Videos of two frames, three of each person."""
    videos = []
    people_folders(folder / "drawn", PEOPLE, VIDEOS * FRAMES)
    for p in range(PEOPLE):
        photos = sorted((folder / f"drawn/P{p:02}").iterdir())
        for v in range(VIDEOS):
            videos.append((f"P{p:02}/{v}", photos[v * FRAMES : (v + 1) * FRAMES]))
    return videos


def youtube(folder: Path) -> Path:
    out = folder / "YTF"
    for video, photos in frames(folder):
        for i, photo in enumerate(photos):
            (out / "aligned_images_DB" / video).mkdir(parents=True, exist_ok=True)
            shutil.copy(photo, out / f"aligned_images_DB/{video}/aligned_detect_{video[-1]}.{i}.jpg")
    lines = ["split number, pair number, first name, second name, is same"]
    for p in range(PEOPLE):
        fold = p // 6 + 1
        lines += [f"{fold}, {p}, P{p:02}/0, P{p:02}/1, 1", f"{fold}, {p}, P{p:02}/0, P{(p + 1) % PEOPLE:02}/2, 0"]
    (out / "splits.txt").write_text("\n".join(lines) + "\n")
    return out


def iqiyi(folder: Path) -> Path:
    out = folder / "iqiyi"
    lists: dict[str, list[str]] = {"train_gt.txt": [], "val_gt.txt": []}
    for p in range(PEOPLE):
        for v, name in enumerate(("train", "val", "val")):
            lists[f"{name}_gt.txt"] += [f"{p} IQIYI_{p:02}{v}.mp4"]
    for video, photos in frames(folder):
        for photo in photos:
            target = out / f"frames/IQIYI_{video[1:3]}{video[-1]}"
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy(photo, target)
    for name, lines in lists.items():
        of: dict[str, list[str]] = {}
        for line in lines:
            person, video = line.split()
            of.setdefault(person, []).append(video)
        (out / name).write_text("".join(f"{p} {' '.join(v)} \n" for p, v in of.items()))
    return out


def halves(file: Path, names: list[str]) -> str:
    """A file of groups: the first half of the people, and the second half."""
    rows = [f"{name},{'first' if i < len(names) // 2 else 'second'}\n" for i, name in enumerate(names)]
    file.write_text("identity,group\n" + "".join(rows))
    return str(file)


def mean(embedder: str, photos: list[Path]) -> np.ndarray:
    x = load_embedder(embedder)(np.stack([cv2.imread(str(p)) for p in photos]))
    x = (x / np.linalg.norm(x, axis=1, keepdims=True)).sum(0)
    return x / np.linalg.norm(x)


def test_pairs_of_videos_are_pairs_of_means(tmp_path: Path, embedder: str) -> None:
    groups = halves(tmp_path / "groups.csv", [f"P{p:02}" for p in range(PEOPLE)])
    options = {"cache": str(tmp_path / "root"), "aligned": True, "draws": 20}
    evaluation = evaluate(embedder, [str(youtube(tmp_path))], groups=groups, **options)
    x = {video: mean(embedder, photos) for video, photos in frames(tmp_path / "again")}
    ask = [(f"P{p:02}/0", f"P{p:02}/1") for p in range(PEOPLE)]
    other = [(f"P{p:02}/0", f"P{(p + 1) % PEOPLE:02}/2") for p in range(PEOPLE)]
    pairs = [pair for both in zip(ask, other, strict=True) for pair in both]
    cosines = np.array([x[a] @ x[b] for a, b in pairs])
    expected = verify(cosines, np.arange(24) % 2 == 0, np.arange(24) // 12, samples=0)
    figures = {f.figure: f.value for f in evaluation.figures}
    assert figures["accuracy"] == pytest.approx(expected.accuracy)
    assert figures["AUC"] == pytest.approx(expected.auc, abs=0.02)  # vectors are kept in half precision
    assert (evaluation.test_sets[0].pairs, evaluation.test_sets[0].genuine) == (24, 12)
    within = np.delete(np.arange(24), [11, 23])  # P05 with P06 and P11 with P00 are of two groups
    of_groups = [verify(cosines[k], k % 2 == 0, k // 12, samples=0).auc for k in (within[:11], within[11:])]
    by_group = [f.value for f in evaluation.by_group.figures if f.figure == "AUC"]
    assert by_group == pytest.approx(of_groups, abs=0.02)
    assert "2 pairs of two groups and 0 with a person without a group" in evaluation.by_group.notes[0]
    assert "YTF" in evaluation.cosines


def test_videos_of_known_people_are_ranked(tmp_path: Path, embedder: str) -> None:
    folder = iqiyi(tmp_path)
    groups = halves(tmp_path / "groups.csv", [str(p) for p in range(PEOPLE)])
    evaluation = evaluate(embedder, [str(folder)], cache=str(tmp_path / "root"), aligned=True, draws=20, groups=groups)
    x = {video: mean(embedder, photos) for video, photos in frames(tmp_path / "again")}
    sought = [v for v in x if v[-1] != "0"]
    precision = []
    for p in range(PEOPLE):
        order = sorted(sought, key=lambda v: -float(x[v] @ x[f"P{p:02}/0"]))
        right = [v.startswith(f"P{p:02}/") for v in order]
        precision.append(sum(sum(right[: i + 1]) / (i + 1) for i in range(len(right)) if right[i]) / 2)
    (figure,) = evaluation.figures
    assert figure.figure == "mAP@100"
    assert figure.value == pytest.approx(np.mean(precision), abs=0.02)
    of_group = {f.group: f.value for f in evaluation.by_group.figures}
    expected = {"first": np.mean(precision[: PEOPLE // 2]), "second": np.mean(precision[PEOPLE // 2 :])}
    assert of_group == pytest.approx(expected, abs=0.02)
    assert evaluation.test_sets[0].pairs == 24


def test_videos_without_a_face_are_counted(tmp_path: Path, embedder: str) -> None:
    folder = youtube(tmp_path)
    for frame in (folder / "aligned_images_DB/P00/0").iterdir():
        frame.write_bytes(b"<html>")
    evaluation = evaluate(embedder, [str(folder)], cache=str(tmp_path / "root"), aligned=True, draws=0)
    assert evaluation.test_sets[0].missing == 2


def test_known_videos_without_a_face_are_one_line(tmp_path: Path, embedder: str) -> None:
    folder = iqiyi(tmp_path)
    for frame in (folder / "frames").glob("IQIYI_*0/*"):
        frame.write_bytes(b"<html>")
    with pytest.raises(UserError, match="shows a face of a person to find"):
        evaluate(embedder, [str(folder)], cache=str(tmp_path / "root"), aligned=True)


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("splits.txt", "1, 1, P00/0, P99/1, 1\n", "names the video P99/1"),
        ("splits.txt", "1, 1, P00/0, 1\n", "line 1: expected split, number, person/video twice"),
        ("splits.txt", "head\n", "lists no pairs of videos"),
        ("val_gt.txt", "1\n", "line 1: expected a person and videos"),
    ],
)
def test_a_list_of_another_format(tmp_path: Path, embedder: str, file: str, text: str, message: str) -> None:
    folder = youtube(tmp_path) if file == "splits.txt" else iqiyi(tmp_path)
    (folder / file).write_text(text)
    with pytest.raises(UserError, match=message):
        evaluate(embedder, [str(folder)], cache=str(tmp_path / "root"), aligned=True)


def test_frames_need_a_detector(tmp_path: Path, embedder: str) -> None:
    with pytest.raises(UserError, match="give --detector, or --aligned"):
        evaluate(embedder, [str(youtube(tmp_path))], cache=str(tmp_path / "root"))
