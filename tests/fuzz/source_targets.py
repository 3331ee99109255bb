"""Targets: the readers of published data sets and test sets (see targets.py).

What is read is read once more in smaller parts, and written and read back where there is a writer: the same must come.
"""

import math
import pickle
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np

from pipeline.faces import listed_landmarks
from pipeline.faces.picture import encode_jpeg
from pipeline.sources.formats import megaface, ms_celeb
from pipeline.sources.photo import Photo
from pipeline.sources.record_io import codec, reader
from pipeline.sources.record_io.writer import Sample, write_record_io
from pipeline.sources.test_sets import (
    agedb,
    ijb,
    megaface_devkit,
    pair_lists,
    photo_sets,
    trillion_pairs,
    verification_bin,
    video_lists,
)
from tests.fuzz.rules import Target, holds, is_text, nothing_but_reading

PICTURE = encode_jpeg(np.full((40, 30, 3), 99, np.uint8))
CFP = [f"Data/Images/{p}/{kind}/01.jpg" for p in "12" for kind in ("frontal", "profile")]
AGES = "04_FINAL_protocol_30_years.mat"
PROBE, DISTRACTOR = "facescrub/Ann/Ann_1.png", "1/23@N4/5_0.jpg"
KNOWN = pickle.dumps(([b"\xff\xd8a", b"b"], [True]), 0)  # text: bytes through functions of ours


def _photos(module: ModuleType, path: Path, **part: int) -> list[Photo]:
    return [photo for one in module.parts(path, **part) for photo in module.index(one)]


def _readable(path: Path, found: list[Photo], read: Callable[[Path, Photo], bytes]) -> list[bytes]:
    """The bytes of each photo that has no failure; its names must fit into a table, its place into its file."""
    for photo in found:
        is_text(photo.key, photo.identity, photo.file, photo.failure)
        holds(photo.key != "", "a photo without a key")
        holds(photo.offset + photo.length <= path.stat().st_size, f"{photo.key} ends behind its file")
    return [read(path, photo) for photo in found if photo.failure is None]


def _record_io(folder: Path) -> None:
    rec = folder / "train.rec"
    if rec.is_file():
        framed = codec.frame(rec.read_bytes())
        holds(codec.join(framed) == rec.read_bytes(), "a record comes back as it was written")
    found = _photos(reader, rec)
    holds(found == _photos(reader, rec, part_records=3), "parts of any size hold the same photos")
    holds(len({p.key for p in found}) == len(found), "no two photos of a file have one key")
    content = _readable(rec, found, reader.read)
    samples = [Sample(i // 2, data, f"{i}.jpg") for i, data in enumerate(content)]
    for layout in ("plain", "identity_ranges"):
        write_record_io(folder / layout, samples, layout=layout)
        if samples:
            again = _photos(reader, folder / layout)
            holds([(p.key, p.identity) for p in again] == [(s.key, str(s.label)) for s in samples], "names come back")
            holds([reader.read(folder / layout, p) for p in again] == content, "photos come back")


def _ms_celeb(folder: Path) -> None:
    path = folder / "faces.tsv"
    found = _photos(ms_celeb, path)
    lines = [line for line in path.read_bytes().split(b"\n") if line.rstrip(b"\r\n")]
    holds(len(found) == len(lines), "every line is a photo or a failure")
    small = _photos(ms_celeb, path, part_bytes=100)
    plain = [[p._replace(key="") for p in photos] for photos in (found, small)]
    holds(plain[0] == plain[1], "parts of any size hold the same photos")
    holds(len({p.key for p in found}) == len(found), "no two photos of a part have one key")
    holds(all(_readable(path, found, ms_celeb.read)), "a photo without a failure has bytes")


def _verification_bin(folder: Path) -> None:
    path, known = folder / "test.bin", folder / "known"
    known.write_bytes(KNOWN)
    verification_bin.load(known)  # Python fetches the codec of old pickles once
    try:
        with nothing_but_reading():
            held = verification_bin.load(path)
    finally:
        holds(verification_bin.load(known) == ([b"\xff\xd8a", b"b"], [True]), "a .bin changes nothing for the next one")
    found, pairs = _photos(photo_sets, path), photo_sets.pairs(path)
    holds(len(found) == len(held.photos) == 2 * len(held.same), "two photos a pair")
    holds([p.same for p in pairs] == held.same, "answers in their order")
    holds([k for p in pairs for k in (p.a, p.b)] == [p.key for p in found], "every photo in its pair")
    holds(_readable(path, found, photo_sets.read) == held.photos, "each photo's own bytes")


def _pairs(folder: Path) -> None:
    """Each list that is there, with a few photos to ask about."""
    for photo in ("P/P_0001.jpg", "P/P_0002.jpg", "Q/Q_0001.jpg", "P_1.jpg", "Q_2.jpg", *CFP):
        (folder / photo).parent.mkdir(parents=True, exist_ok=True)
        (folder / photo).write_bytes(b"\xff\xd8")
    split = folder / "Protocol/Split/FP"
    asked = [split] if split.is_dir() else [f for f in sorted(folder.glob("*.txt"))[:1] if f.is_file()]
    for path in asked:
        listed = pair_lists.find_pair_list(path)
        holds(listed is None or len(listed.pairs) > 0, "a list asks something")
        for question in listed.pairs if listed else []:
            is_text(question.a, question.b, question.person)
            holds(0 <= question.fold < 1 << 7, "a fold that the table of pairs can hold")
        there = {photo.key for photo in _photos(photo_sets, path)}
        for pair in photo_sets.pairs(path):
            holds({pair.a, pair.b} <= there, "pairs are of photos that were found below the set's folder")


def _agedb(folder: Path) -> None:
    """The protocol alone, and as a set whose photos are there, as far as their names are names of files."""
    (folder / "03_Protocol_Images").mkdir()
    asked = agedb.read(folder / AGES)
    for question in asked:
        is_text(question.a, question.b)
        for name in (question.a, question.b):
            holds("/" not in name and "\0" not in name, "a photo lies in its folder")
            if len(name.encode()) < 200:
                (folder / "03_Protocol_Images" / f"{name}.jpg").write_bytes(b"\xff\xd8")
    there = {photo.key for photo in _photos(photo_sets, folder)}
    pairs = photo_sets.pairs(folder)
    holds([p.same for p in pairs] == [q.same for q in asked], "answers in their order")
    holds({k for p in pairs for k in (p.a, p.b)} <= there, "pairs are of photos that were found below the set's folder")


def _trillion_pairs(folder: Path) -> None:
    (folder / "1.jpg").write_bytes(PICTURE)
    lines = (folder / trillion_pairs.LIST).read_bytes().split(b"\n")
    parts = trillion_pairs.parts(folder)
    cut = [
        row
        for part in parts
        for row in listed_landmarks.align_trillion_pairs_shard(part, folder=str(folder)).to_pylist()
    ]
    holds(len(cut) == sum(bool(line.decode().split()) for line in lines), "every line is a face or a failure")
    for row in cut:
        holds((row["jpeg"] is None) == (row["failure"] is not None), "a face or a reason")


def _templates(folder: Path) -> None:
    (folder / "loose_crop").mkdir(exist_ok=True)
    (folder / "loose_crop/1.jpg").write_bytes(PICTURE)
    if not ijb.is_ijb(folder):
        return
    lists = ijb.read_lists(folder)
    n = len(lists.photos)
    holds({len(a) for a in (lists.template, lists.medium, lists.landmarks, lists.score)} == {n}, "a row each")
    holds(bool(np.isfinite(lists.landmarks).all() and np.isfinite(lists.score).all()), "points are numbers")
    holds(set(lists.pairs[:, 2].tolist()) <= {0, 1}, "pairs are of one person or two")
    parts = ijb.parts(folder, lists)
    cut = [
        row
        for part in parts
        for row in listed_landmarks.align_shard(part, folder=str(folder / "loose_crop")).to_pylist()
    ]
    holds(len(cut) == len(set(lists.photos)), "every photo has its row")
    holds(all((row["jpeg"] is None) == (row["failure"] is not None) for row in cut), "a face or a reason")
    for subjects in (*lists.galleries.values(), lists.probes):
        np.array([[k, v] for k, v in subjects.items()], np.int64)


def _videos(folder: Path) -> None:
    for video in ("Ann/0", "Bob/1", "1", "2"):
        (folder / "frame_images_DB" / video).mkdir(parents=True, exist_ok=True)
    if not video_lists.is_video_set(folder):
        return
    found = video_lists.read_lists(folder)
    named = [v for pair in found.pairs for v in (pair.a, pair.b)]
    named += [v for people in (found.queries, found.gallery) for videos in people.values() for v in videos]
    holds(len(named) > 0, "a set names videos")
    holds(all((found.frames / name).is_dir() for name in named), "videos are there")
    holds(all(0 <= pair.fold < 1 << 7 for pair in found.pairs), "a fold that the table of pairs can hold")
    if found.gallery:
        words = [line.split() for line in (folder / "val_gt.txt").read_text("utf-8", "replace").splitlines()]
        holds(sum(map(len, found.gallery.values())) == sum(len(w) - 1 for w in words if w), "every video is kept")


def _megaface(folder: Path) -> None:
    for name in (PROBE, DISTRACTOR):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"\xff\xd8")
    for photo in _photos(megaface, folder):
        is_text(photo.key, photo.identity)
        holds((folder / photo.key).is_file(), "a photo is there")
        box = photo.box
        holds(box is None or (all(map(math.isfinite, box)) and box[0] < box[2] and box[1] < box[3]), "a box has a size")
    megaface.ignored(folder)
    for file in folder.glob("*.bin"):
        x = megaface_devkit.read_embedding(file)
        megaface_devkit.write_embedding(file, x)
        holds(np.array_equal(megaface_devkit.read_embedding(file, dim=len(x)), x, equal_nan=True), "it comes back")
    for file in folder.glob("results.json"):
        holds(all(isinstance(v, float) for v in megaface_devkit.read_results(file).values()), "figures are numbers")


TARGETS = {
    "record-io": Target(("train.rec", "train.idx", "train.lst", "property", "names.txt"), _record_io),
    "ms-celeb": Target(("faces.tsv",), _ms_celeb),
    "verification-bin": Target(("test.bin",), _verification_bin),
    "pairs": Target(
        (
            "pairs.txt",
            "pairs_CALFW.txt",
            "pairs_CPLFW.txt",
            "a_pair.txt",
            "Protocol/Pair_list_F.txt",
            "Protocol/Pair_list_P.txt",
            "Protocol/Split/FP/01/same.txt",
            "Protocol/Split/FP/01/diff.txt",
        ),
        _pairs,
    ),
    "agedb": Target((AGES,), _agedb),
    "trillion-pairs": Target((trillion_pairs.LIST,), _trillion_pairs),
    "templates": Target(
        (
            "meta/a_face_tid_mid.txt",
            "meta/a_name_5pts_score.txt",
            "meta/a_template_pair_label.txt",
            "meta/a_1N_gallery_G1.csv",
            "meta/a_1N_probe_mixed.csv",
        ),
        _templates,
    ),
    "videos": Target(("splits.txt", "train_gt.txt", "val_gt.txt"), _videos),
    "megaface": Target(
        ("facescrub_features_list.json", "a_lst", "face_info.txt", f"{DISTRACTOR}.json", "a_r50.bin", "results.json"),
        _megaface,
    ),
}
