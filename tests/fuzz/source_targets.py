"""Targets: the readers of published data sets and test sets (see targets.py).

Each file is read again in smaller parts, and, where there is a writer, written and read back: the photos must be equal.
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
from tests.fuzz.rules import Target, check_rule, check_text, nothing_but_reading

PICTURE = encode_jpeg(np.full((40, 30, 3), 99, np.uint8))
CFP = [f"Data/Images/{p}/{kind}/01.jpg" for p in "12" for kind in ("frontal", "profile")]
AGEDB_PROTOCOL = "04_FINAL_protocol_30_years.mat"
PROBE, DISTRACTOR = "facescrub/Ann/Ann_1.png", "1/23@N4/5_0.jpg"
GOOD_BIN = pickle.dumps(([b"\xff\xd8a", b"b"], [True]), 0)  # a text pickle, whose bytes are escaped


def _photos(module: ModuleType, path: Path, **sizes: int) -> list[Photo]:
    return [photo for part in module.parts(path, **sizes) for photo in module.index(part)]


def _read_photos(path: Path, photos: list[Photo], read: Callable[[Path, Photo], bytes]) -> list[bytes]:
    """The bytes of each photo without a failure; its strings must be valid for a table, its range within its file."""
    for photo in photos:
        check_text(photo.key, photo.identity, photo.file, photo.failure)
        check_rule(photo.key != "", "every photo has a key")
        check_rule(photo.offset + photo.length <= path.stat().st_size, f"photo {photo.key} ends within its file")
    return [read(path, photo) for photo in photos if photo.failure is None]


def _record_io(folder: Path) -> None:
    rec = folder / "train.rec"
    if rec.is_file():
        framed = codec.frame(rec.read_bytes())
        check_rule(codec.join(framed) == rec.read_bytes(), "a record is equal after frame and join")
    photos = _photos(reader, rec)
    check_rule(photos == _photos(reader, rec, part_records=3), "parts of any size hold the same photos")
    check_rule(len({p.key for p in photos}) == len(photos), "no two photos of a file have one key")
    content = _read_photos(rec, photos, reader.read)
    samples = [Sample(i // 2, data, f"{i}.jpg") for i, data in enumerate(content)]
    for layout in ("plain", "identity_ranges"):
        write_record_io(folder / layout, samples, layout=layout)
        if samples:
            reread = _photos(reader, folder / layout)
            names = [(s.key, str(s.label)) for s in samples]
            check_rule([(p.key, p.identity) for p in reread] == names, "keys and identities are read as written")
            check_rule([reader.read(folder / layout, p) for p in reread] == content, "photos are read as written")


def _ms_celeb(folder: Path) -> None:
    path = folder / "faces.tsv"
    photos = _photos(ms_celeb, path)
    lines = [line for line in path.read_bytes().split(b"\n") if line.rstrip(b"\r\n")]
    check_rule(len(photos) == len(lines), "every line is a photo or a failure")
    photos_of_small_parts = _photos(ms_celeb, path, part_bytes=100)
    without_keys = [[p._replace(key="") for p in each] for each in (photos, photos_of_small_parts)]
    check_rule(without_keys[0] == without_keys[1], "parts of any size hold the same photos")
    check_rule(len({p.key for p in photos}) == len(photos), "no two photos of a part have one key")
    check_rule(all(_read_photos(path, photos, ms_celeb.read)), "a photo without a failure has bytes")


def _verification_bin(folder: Path) -> None:
    path, good = folder / "test.bin", folder / "good"
    good.write_bytes(GOOD_BIN)
    verification_bin.load(good)  # Python imports the codec of old pickles on first use
    try:
        with nothing_but_reading():
            loaded = verification_bin.load(path)
    finally:
        check_rule(verification_bin.load(good) == ([b"\xff\xd8a", b"b"], [True]), "the next .bin is read as before")
    photos, pairs = _photos(photo_sets, path), photo_sets.pairs(path)
    check_rule(len(photos) == len(loaded.photos) == 2 * len(loaded.same), "a .bin has two photos for each pair")
    check_rule([p.same for p in pairs] == loaded.same, "labels of pairs are in the order of the .bin")
    check_rule([k for p in pairs for k in (p.a, p.b)] == [p.key for p in photos], "pairs name all photos, in order")
    check_rule(_read_photos(path, photos, photo_sets.read) == loaded.photos, "read() gives the bytes of each photo")


def _pairs(folder: Path) -> None:
    """Each list in the folder, with a few photos that it may name."""
    for photo in ("P/P_0001.jpg", "P/P_0002.jpg", "Q/Q_0001.jpg", "P_1.jpg", "Q_2.jpg", *CFP):
        (folder / photo).parent.mkdir(parents=True, exist_ok=True)
        (folder / photo).write_bytes(b"\xff\xd8")
    split = folder / "Protocol/Split/FP"
    test_sets = [split] if split.is_dir() else [f for f in sorted(folder.glob("*.txt"))[:1] if f.is_file()]
    for path in test_sets:
        listed = pair_lists.find_pair_list(path)
        check_rule(listed is None or len(listed.pairs) > 0, "a list holds a pair")
        for pair in listed.pairs if listed else []:
            check_text(pair.a, pair.b, pair.person)
            check_rule(0 <= pair.fold < 1 << 7, "a fold fits the table of pairs")
        keys = {photo.key for photo in _photos(photo_sets, path)}
        for pair in photo_sets.pairs(path):
            check_rule({pair.a, pair.b} <= keys, "pairs name photos below the set's folder")


def _agedb(folder: Path) -> None:
    """The protocol alone, and the test set with its photos, where a photo's name can be the name of a file."""
    (folder / "03_Protocol_Images").mkdir()
    listed = agedb.read(folder / AGEDB_PROTOCOL)
    for pair in listed:
        check_text(pair.a, pair.b)
        for name in (pair.a, pair.b):
            check_rule("/" not in name and "\0" not in name, "a photo's name has no folder")
            if len(name.encode()) < 200:
                (folder / "03_Protocol_Images" / f"{name}.jpg").write_bytes(b"\xff\xd8")
    keys = {photo.key for photo in _photos(photo_sets, folder)}
    pairs = photo_sets.pairs(folder)
    check_rule([p.same for p in pairs] == [p.same for p in listed], "labels of pairs are in the order of the protocol")
    check_rule({k for p in pairs for k in (p.a, p.b)} <= keys, "pairs name photos below the set's folder")


def _trillion_pairs(folder: Path) -> None:
    (folder / "1.jpg").write_bytes(PICTURE)
    lines = (folder / trillion_pairs.LIST).read_bytes().split(b"\n")
    parts = trillion_pairs.parts(folder)
    shards = [listed_landmarks.align_trillion_pairs_shard(part, folder=str(folder)) for part in parts]
    cut = [row for shard in shards for row in shard.to_pylist()]
    check_rule(len(cut) == sum(bool(line.decode().split()) for line in lines), "every line is a face or a failure")
    for row in cut:
        check_rule((row["jpeg"] is None) == (row["failure"] is not None), "a row has a face or a failure")


def _templates(folder: Path) -> None:
    (folder / "loose_crop").mkdir(exist_ok=True)
    (folder / "loose_crop/1.jpg").write_bytes(PICTURE)
    if not ijb.is_ijb(folder):
        return
    lists = ijb.read_lists(folder)
    n = len(lists.photos)
    lengths = {len(a) for a in (lists.template, lists.medium, lists.landmarks, lists.score)}
    check_rule(lengths == {n}, "the lists have equal lengths")
    check_rule(bool(np.isfinite(lists.landmarks).all() and np.isfinite(lists.score).all()), "numbers are finite")
    check_rule(set(lists.pairs[:, 2].tolist()) <= {0, 1}, "pairs are labelled 0 or 1")
    parts = ijb.parts(folder, lists)
    cut = [
        row
        for part in parts
        for row in listed_landmarks.align_shard(part, folder=str(folder / "loose_crop")).to_pylist()
    ]
    check_rule(len(cut) == len(set(lists.photos)), "every photo has one row")
    check_rule(
        all((row["jpeg"] is None) == (row["failure"] is not None) for row in cut), "a row has a face or a failure"
    )
    for subjects in (*lists.galleries.values(), lists.probes):
        np.array([[k, v] for k, v in subjects.items()], np.int64)


def _videos(folder: Path) -> None:
    for video in ("Ann/0", "Bob/1", "1", "2"):
        (folder / "frame_images_DB" / video).mkdir(parents=True, exist_ok=True)
    if not video_lists.is_video_set(folder):
        return
    lists = video_lists.read_lists(folder)
    videos = [v for pair in lists.pairs for v in (pair.a, pair.b)]
    videos += [v for by_person in (lists.queries, lists.gallery) for each in by_person.values() for v in each]
    check_rule(len(videos) > 0, "a set names videos")
    check_rule(all((lists.frames / name).is_dir() for name in videos), "every listed video has its folder")
    check_rule(all(0 <= pair.fold < 1 << 7 for pair in lists.pairs), "a fold fits the table of pairs")
    if lists.gallery:
        words = [line.split() for line in (folder / "val_gt.txt").read_text("utf-8", "replace").splitlines()]
        videos_listed = sum(len(w) - 1 for w in words if w)
        check_rule(sum(map(len, lists.gallery.values())) == videos_listed, "every video of the gallery is kept")


def _megaface(folder: Path) -> None:
    for name in (PROBE, DISTRACTOR):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"\xff\xd8")
    for photo in _photos(megaface, folder):
        check_text(photo.key, photo.identity)
        check_rule((folder / photo.key).is_file(), "a photo's file exists")
        box = photo.box
        check_rule(
            box is None or (all(map(math.isfinite, box)) and box[0] < box[2] and box[1] < box[3]), "a box has an area"
        )
    megaface.survey(folder)
    for file in folder.glob("*.bin"):
        x = megaface_devkit.read_embedding(file)
        megaface_devkit.write_embedding(file, x)
        reread = megaface_devkit.read_embedding(file, dim=len(x))
        check_rule(np.array_equal(reread, x, equal_nan=True), "an embedding is read as written")
    for file in folder.glob("results.json"):
        results = megaface_devkit.read_results(file)
        check_rule(all(isinstance(v, float) for v in results.values()), "results are numbers")


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
    "agedb": Target((AGEDB_PROTOCOL,), _agedb),
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
