"""Test sets of drawn people: folders, LFW's layout with a pairs.txt, and a .bin."""

import pickle
from pathlib import Path

from tests.builders.photos.exported_faces import pictures


def people_folders(folder: Path, n: int = 12, each: int = 4) -> Path:
    """Folders of aligned pictures, named as in LFW; each person is a random pattern, each picture adds noise."""
    counts = dict.fromkeys(range(n), 0)
    for label, jpeg in pictures(n, each):
        counts[label] += 1
        (folder / f"P{label:02}").mkdir(parents=True, exist_ok=True)
        (folder / f"P{label:02}/P{label:02}_{counts[label]:04}.jpg").write_bytes(jpeg)
    return folder


def lfw_folder(folder: Path) -> Path:
    """The folders of people_folders() with a pairs.txt: two folds of three pairs of each kind."""
    people_folders(folder)
    rows = ["2\t3"]
    for fold in (0, 6):
        rows += [f"P{fold + i:02}\t1\t2" for i in range(3)] + [
            f"P{fold + i:02}\t3\tP{fold + i + 3:02}\t4" for i in range(3)
        ]
    (folder / "pairs.txt").write_text("\n".join(rows) + "\n")
    return folder


def bin_file(file: Path) -> Path:
    """A .bin of pairs: for each person a genuine pair, then an impostor pair."""
    jpegs = [jpeg for _, jpeg in sorted(pictures(12, 4), key=lambda p: p[0])]
    same = [(4 * i, 4 * i + 1) for i in range(12)]
    different = [(4 * i, 4 * i - 2) for i in range(12)]
    order = [p for pair in zip(same, different, strict=True) for p in pair]
    file.write_bytes(pickle.dumps(([jpegs[i] for pair in order for i in pair], [True, False] * 12)))
    return file
