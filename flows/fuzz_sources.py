"""Targets: the readers of published data sets and test sets (see fuzz_targets).

What is read is read once more in smaller parts, and written and read back where there is a writer: the same must come.
"""

import pickle
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from flows.fuzz_rules import Target, holds, is_text, nothing_but_reading
from pipeline.sources import Photo, benchmark, ms_celeb, record_codec, record_io, verification_bin
from pipeline.sources.record_writer import Sample, write_record_io

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
        framed = record_codec.frame(rec.read_bytes())
        holds(record_codec.join(framed) == rec.read_bytes(), "a record comes back as it was written")
    found = _photos(record_io, rec)
    holds(found == _photos(record_io, rec, part_records=3), "parts of any size hold the same photos")
    holds(len({p.key for p in found}) == len(found), "no two photos of a file have one key")
    content = _readable(rec, found, record_io.read)
    samples = [Sample(i // 2, data, f"{i}.jpg") for i, data in enumerate(content)]
    for layout in ("plain", "identity_ranges"):
        write_record_io(folder / layout, samples, layout=layout)  # type: ignore[arg-type]
        if samples:
            again = _photos(record_io, folder / layout)
            holds([(p.key, p.identity) for p in again] == [(s.key, str(s.label)) for s in samples], "names come back")
            holds([record_io.read(folder / layout, p) for p in again] == content, "photos come back")


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
    found, pairs = _photos(benchmark, path), benchmark.pairs(path)
    holds(len(found) == len(held.photos) == 2 * len(held.same), "two photos a pair")
    holds([p.same for p in pairs] == held.same, "answers in their order")
    holds([k for p in pairs for k in (p.a, p.b)] == [p.key for p in found], "every photo in its pair")
    holds(_readable(path, found, benchmark.read) == held.photos, "each photo's own bytes")


TARGETS = {
    "record-io": Target(("train.rec", "train.idx", "train.lst", "property", "names.txt"), _record_io),
    "ms-celeb": Target(("faces.tsv",), _ms_celeb),
    "verification-bin": Target(("test.bin",), _verification_bin),
}
