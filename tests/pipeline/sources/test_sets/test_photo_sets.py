import builtins
import io
import os
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.sources.photo import Photo, PhotoChanged, SourceUnreachable
from pipeline.sources.test_sets import photo_sets
from pipeline.sources.test_sets.photo_sets import Pair

PHOTOS = [b"\xff\xd8" + bytes([i]) * (200 + i) for i in range(20)]
SAME = [i % 3 == 0 for i in range(10)]


def indexed_photos(path: Path) -> list[Photo]:
    return [p for part in photo_sets.parts(path) for p in photo_sets.index(part)]


def put(path: Path, content: object, protocol: int = 4) -> Path:
    path.write_bytes(pickle.dumps(content, protocol))
    return path


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("kind", ["bytes", "array", "column", "object"])
@pytest.mark.parametrize("answers", [list, np.array, lambda s: [np.bool_(x) for x in s], lambda s: [int(x) for x in s]])
def test_a_bin_of_every_form(tmp_path, protocol, kind, answers):
    arrays = [np.frombuffer(p, np.uint8) for p in PHOTOS]
    photos_as_kind = {
        "bytes": PHOTOS,
        "array": arrays,
        "column": [a.reshape(-1, 1).copy() for a in arrays],
        "object": np.array(PHOTOS, object),
    }[kind]
    path = put(tmp_path / "lfw.bin", (photos_as_kind, answers(SAME)), protocol)
    photos = indexed_photos(path)
    assert [(p.key, p.identity) for p in photos] == [(f"lfw:{i}", None) for i in range(20)]
    assert [photo_sets.read(path, p) for p in photos] == PHOTOS
    assert photo_sets.pairs(path) == [Pair(f"lfw:{2 * i}", f"lfw:{2 * i + 1}", s, i) for i, s in enumerate(SAME)]


@pytest.mark.parametrize(
    "written",  # by Python 2.7, protocols 0, 1 and 2
    [
        b"((lp0\nS'\\xff\\x00\\x00'\np1\naS'\\xff\\x01\\x01'\np2\na(lp3\nI01\natp4\n.",
        b"(]q\x00(U\x03\xff\x00\x00q\x01U\x03\xff\x01\x01q\x02e]q\x03I01\natq\x04.",
        b"\x80\x02]q\x00(U\x03\xff\x00\x00q\x01U\x03\xff\x01\x01q\x02e]q\x03\x88a\x86q\x04.",
    ],
)
def test_a_bin_of_python_2(tmp_path, written):
    path = tmp_path / "old.bin"
    path.write_bytes(written)
    assert [photo_sets.read(path, p) for p in indexed_photos(path)] == [b"\xff\0\0", b"\xff\1\1"]
    assert [p.same for p in photo_sets.pairs(path)] == [True]


def test_a_bin_of_python_2_by_hand(tmp_path):
    binstring = b"".join(b"T" + struct.pack("<i", len(p)) + p for p in PHOTOS[:2])
    path = tmp_path / "old.bin"
    path.write_bytes(b"\x80\x02](" + binstring + b"e](I01\ne\x86.")
    assert [photo_sets.read(path, p) for p in indexed_photos(path)] == PHOTOS[:2]
    assert [p.offset > 0 for p in indexed_photos(path)] == [True, True]


def test_a_photo_of_two_pairs(tmp_path):
    path = put(tmp_path / "a.bin", ([PHOTOS[0], PHOTOS[1], PHOTOS[0], PHOTOS[2]], [True, False]))
    assert [photo_sets.read(path, p) for p in indexed_photos(path)] == [PHOTOS[0], PHOTOS[1], PHOTOS[0], PHOTOS[2]]


def test_folds_equal_those_of_kfold(tmp_path):
    path = put(tmp_path / "a.bin", ([b"x" * i for i in range(1, 47)], [True] * 23))
    folds = [p.fold for p in photo_sets.pairs(path)]
    assert [folds.count(f) for f in range(10)] == [3, 3, 3, 2, 2, 2, 2, 2, 2, 2]
    assert folds == sorted(folds)


class Hostile:
    def __init__(self, function: object, *arguments: object) -> None:
        self.reduced = (function, arguments)

    def __reduce__(self) -> tuple[object, ...]:
        return self.reduced


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (os.system, ("touch HIT",)),
        (builtins.eval, ("open('HIT','w')",)),
        (builtins.getattr, ("a", "upper")),
        (np.frombuffer, (b"1",)),
        (bytearray, (1 << 40,)),
        (bytes, (1 << 40,)),
        (io.open, ("HIT", "w")),
    ],
)
def test_a_hostile_pickle_runs_nothing(tmp_path, monkeypatch, protocol, function, arguments):
    monkeypatch.chdir(tmp_path)
    path = put(tmp_path / "lfw.bin", ([Hostile(function, *arguments), b"b"], [True]), protocol)
    with pytest.raises(UserError, match=r"lfw\.bin is not a verification \.bin") as error:
        indexed_photos(path)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "HIT").exists()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no pickle",
        b"\x80\x04.",
        pickle.dumps((PHOTOS, SAME))[:-100],
        pickle.dumps((PHOTOS, SAME))[:500],
        pickle.dumps({"a": 1}),
        pickle.dumps(PHOTOS),
        pickle.dumps((PHOTOS[:3], [True])),
        pickle.dumps(([], [])),
        pickle.dumps(([1, 2], [True])),
        pickle.dumps((PHOTOS[:2], ["yes"])),
        pickle.dumps(([np.zeros(3), np.zeros(3)], [True])),
        b"\x80\x02Nr\xff\xff\xff\x7f.",  # a memo of 2^31 objects
        b"\x80\x04\x8e" + struct.pack("<Q", 1 << 60) + b"x.",
        b"(" * 100_000 + b"t" * 100_000 + b".",
        b"cos\nsystem\n(S'touch HIT'\ntR.",
        b"(S'touch HIT'\nios\nsystem\n.",
        b"\x80\x02Pabc\n.",
    ],
)
def test_any_other_file_is_a_user_error_of_one_line(tmp_path, monkeypatch, data):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "lfw.bin"
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"lfw\.bin") as error:
        indexed_photos(path)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "HIT").exists()


def test_a_changed_bin_is_an_error(tmp_path):
    for protocol in (0, 4):
        path = put(tmp_path / "a.bin", (PHOTOS, SAME), protocol)
        photos = indexed_photos(path)
        put(path, (PHOTOS[::-1], SAME), protocol)
        with pytest.raises(PhotoChanged, match=r"a\.bin changed"):
            photo_sets.read(path, photos[3])
        path.unlink()
        with pytest.raises(SourceUnreachable, match=r"a\.bin"):
            photo_sets.read(path, photos[3])


def lfw(root: Path, below: str = "") -> Path:
    for name, count in {"Ann_A": 3, "Bob": 2, "Cy": 1}.items():
        (root / below / name).mkdir(parents=True)
        for i in range(1, count + 1):
            (root / below / name / f"{name}_{i:04}.jpg").write_bytes(f"{name}{i}".encode())
    (root / "pairs.txt").write_text("2\t1\nAnn_A\t1\t3\nBob\t2\tCy\t1\nBob 1 2\nAnn_A\t2\tBob\t1\n")
    return root


@pytest.mark.parametrize("below", ["", "images"])
def test_pairs_txt_by_hand(tmp_path, below):
    root = lfw(tmp_path, below)
    expected = [
        Pair("Ann_A/Ann_A_0001.jpg", "Ann_A/Ann_A_0003.jpg", True, 0),
        Pair("Bob/Bob_0002.jpg", "Cy/Cy_0001.jpg", False, 0),
        Pair("Bob/Bob_0001.jpg", "Bob/Bob_0002.jpg", True, 1),
        Pair("Ann_A/Ann_A_0002.jpg", "Bob/Bob_0001.jpg", False, 1),
    ]
    for path in (root, root / "pairs.txt"):
        assert photo_sets.pairs(path) == expected
        photos = {p.key: p for p in indexed_photos(path)}
        assert photos["Ann_A/Ann_A_0001.jpg"].identity == "Ann_A"
        assert len(photos) == 6
        assert photo_sets.read(path, photos["Ann_A/Ann_A_0002.jpg"]) == b"Ann_A2"


def test_malformed_pairs_are_user_errors(tmp_path):
    root = lfw(tmp_path)
    good = (root / "pairs.txt").read_text()
    wrong = {
        good.replace("2\t1\n", "3\t1\n", 1): "expected a header such as 10 300 and 6 pairs, found 4",
        good.replace("2\t1\n", "", 1): "expected a header",
        "": "expected a header",
        good.replace("Bob 1 2", "Bob 1 7"): "line 4 lists Bob/Bob_0007, which is not there",
        good.replace("Bob 1 2", "Bob one two"): "line 4: expected a name and two numbers",
        good.replace("Bob 1 2", "Bob 1 2 3 4"): "line 4: expected a name and two numbers",
        good.replace("Ann_A\t1", "Zed\t1"): "lists Zed, and there is no such folder beside it",
    }
    for text, words in wrong.items():
        (root / "pairs.txt").write_text(text)
        with pytest.raises(UserError, match=words) as error:
            photo_sets.pairs(root)
        assert "\n" not in str(error.value)


def test_plain_and_flat_folders_and_folders_of_bins(tmp_path):
    (tmp_path / "flat").mkdir()
    (tmp_path / "flat" / "1.jpg").write_bytes(b"1")
    assert [(p.key, p.identity) for p in indexed_photos(tmp_path / "flat")] == [("1.jpg", None)]
    with pytest.raises(UserError, match=r"no \.bin and no list of pairs"):
        photo_sets.pairs(tmp_path / "flat")
    (tmp_path / "bins").mkdir()
    for name in ("cfp_fp", "lfw"):
        put(tmp_path / "bins" / f"{name}.bin", (PHOTOS, SAME))
    photos = indexed_photos(tmp_path / "bins")
    assert [p.key for p in photos][::20] == ["cfp_fp:0", "lfw:0"]
    assert [photo_sets.read(tmp_path / "bins", p) for p in photos] == PHOTOS * 2
    with pytest.raises(UserError, match=r"2 \.bin files"):
        photo_sets.pairs(tmp_path / "bins")


def test_wrong_paths_are_user_errors(tmp_path):
    (tmp_path / "a.zip").write_text("")
    for name, words in {"none": "is not there", "": "holds no photo", "a.zip": "neither a .bin nor a list"}.items():
        with pytest.raises(UserError, match=words):
            photo_sets.parts(tmp_path / name)


@pytest.mark.material
def test_a_real_bin(material):
    path = material / "test_bin" / "small_lfw.bin"
    photos = indexed_photos(path)
    assert len(photos) == 20
    assert all(photo_sets.read(path, p).startswith(b"\xff\xd8\xff") for p in photos)
    assert all(photo_sets.read(path, p).endswith(b"\xff\xd9") for p in photos)
    assert [p.same for p in photo_sets.pairs(path)] == [True] * 10


@pytest.mark.material
def test_real_pairs_and_folders(material):
    photos = {p.key: p for p in indexed_photos(material / "lfw_pairs")}
    pairs = photo_sets.pairs(material / "lfw_pairs")
    assert len(photos) == 1007
    assert [sum(p.same for p in pairs if p.fold == f) for f in range(10)] == [60] * 10
    assert len(pairs) == 1200
    assert {k for p in pairs for k in (p.a, p.b)} <= set(photos)
    assert pairs[0].a == "Greg_Rusedski/Greg_Rusedski_0001.jpg"
    assert len(indexed_photos(material / "noisy_lfw" / "test")) == 266
