"""The tombstones of a root: what they know again, the addresses they change, and files that are gone or damaged."""

import json
import stat
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.faces.tombstones.picture_hash import picture_hash
from pipeline.faces.tombstones.tombstones import (
    PhotoTombstone,
    existing_key,
    face_hash,
    file_digest,
    make_key,
    read_tombstones,
    write_tombstones,
)

SHA, OTHER_SHA = (sha256(word).hexdigest() for word in (b"a photo", b"another"))
BOX = (1.0, 2.0, 3.0, 4.0)
PICTURE, OTHER_PICTURE = (np.random.default_rng(i).integers(0, 255, (40, 40), np.uint8) for i in (1, 2))


def with_one(root: Path) -> bytes:
    """Write one erasure of a photo and a further face; returns the key."""
    key = make_key(str(root))
    photo = PhotoTombstone(file_digest(key, SHA), picture_hash(PICTURE, key).tobytes().hex())
    write_tombstones(str(root), "0001", [photo], [face_hash(key, PICTURE.tobytes()).tobytes().hex()])
    return key


def test_what_was_erased_is_known_again_and_nothing_else(tmp_path: Path) -> None:
    assert read_tombstones(str(tmp_path)) is None
    with_one(tmp_path)
    stones = read_tombstones(str(tmp_path))
    assert stones is not None
    assert stones.holds_file(SHA)
    assert stones.holds_file(SHA, BOX)
    assert not stones.holds_file(OTHER_SHA)
    assert stones.holds_picture(PICTURE)
    assert stones.holds_picture(PICTURE[:, ::-1])
    assert not stones.holds_picture(OTHER_PICTURE)
    assert stones.holds_face(PICTURE.tobytes())
    assert not stones.holds_face(OTHER_PICTURE.tobytes())


def test_pictures_of_one_colour_are_not_taken_for_an_erased_one(tmp_path: Path) -> None:
    """As if one had been erased with its hash, which is that of all of them."""
    key = make_key(str(tmp_path))
    black, grey = np.zeros((50, 50), np.uint8), np.full((40, 60), 127, np.uint8)
    photo = PhotoTombstone(file_digest(key, SHA), picture_hash(black, key).tobytes().hex())
    write_tombstones(str(tmp_path), "0001", [photo], [])
    stones = read_tombstones(str(tmp_path))
    assert stones is not None
    assert stones.holds_file(SHA)
    assert not stones.holds_picture(black)
    assert not stones.holds_picture(grey)


def test_a_face_that_the_source_marks_is_erased_without_the_others_of_its_file(tmp_path: Path) -> None:
    key = make_key(str(tmp_path))
    write_tombstones(str(tmp_path), "0001", [PhotoTombstone(file_digest(key, SHA, BOX), "")], [])
    stones = read_tombstones(str(tmp_path))
    assert stones is not None
    assert stones.holds_file(SHA, BOX)
    assert not stones.holds_file(SHA, (5.0, 2.0, 7.0, 4.0))
    assert not stones.holds_file(SHA)
    assert not stones.holds_picture(PICTURE)


def test_the_key_is_the_owners_and_is_drawn_once(tmp_path: Path) -> None:
    key = with_one(tmp_path)
    assert stat.S_IMODE((tmp_path / "erasures/key").stat().st_mode) == 0o600
    assert make_key(str(tmp_path)) == key == existing_key(str(tmp_path))
    assert key.hex() not in repr(read_tombstones(str(tmp_path)))
    text = (tmp_path / "erasures/0001.tombstones.json").read_text()
    assert SHA not in text, "a digest without a key would show whether somebody has the photo"


def test_each_erasure_has_a_digest_and_those_before_it_are_known(tmp_path: Path) -> None:
    key = with_one(tmp_path)
    first = read_tombstones(str(tmp_path))
    write_tombstones(str(tmp_path), "0002", [PhotoTombstone(file_digest(key, OTHER_SHA), "")], [])
    second = read_tombstones(str(tmp_path))
    assert first is not None
    assert second is not None
    assert first.earlier == ()
    assert second.earlier == (first.digest,)
    assert second.digest != first.digest
    assert second.holds_file(SHA)
    assert second.holds_file(OTHER_SHA)


def test_without_the_key_or_with_a_damaged_file_nothing_comes_in(tmp_path: Path) -> None:
    with_one(tmp_path)
    file = tmp_path / "erasures/0001.tombstones.json"
    whole = file.read_bytes()
    file.write_text(json.dumps(json.loads(whole) | {"photos": []}))
    with pytest.raises(UserError, match=r"0001\.tombstones\.json is damaged .* put it back from a backup"):
        read_tombstones(str(tmp_path))
    file.write_bytes(whole)
    (tmp_path / "erasures/key").unlink()
    with pytest.raises(UserError, match="erasures/key is gone or damaged: put it back from a backup"):
        read_tombstones(str(tmp_path))
