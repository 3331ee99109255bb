"""This RecordIO codec compared with mxnet 1.9.1, which runs in a virtual environment of its own with an older numpy."""

import json
import os
import random
from hashlib import sha256

import pytest

from pipeline.sources.record_io import codec, reader
from pipeline.sources.record_io.codec import MAGIC, Header
from pipeline.sources.record_io.writer import Sample, write_record_io
from tests.builders.processes.mxnet_python import READ_RECORDS, WRITE_RECORDS, run_python

pytestmark = [pytest.mark.mxnet, pytest.mark.slow]


def payloads(seed: int, count: int) -> list[bytes]:
    """Bytes thick with the format's own magic, aligned and not."""
    pick = random.Random(seed)
    words = [MAGIC, b"", b"a", b"bc", b"\xff\xd8\xff", b"\0\0\0\0", MAGIC[:3], MAGIC[1:]]
    return [b"".join(pick.choices(words, k=pick.randrange(12))) for _ in range(count)]


@pytest.mark.parametrize("layout", ["identity_ranges", "plain"])
def test_mxnet_reads_written_files(mxnet, tmp_path, layout):
    samples = [Sample(i // 4, p, f"{i}") for i, p in enumerate(payloads(1, 200))]
    write_record_io(tmp_path, samples, layout=layout)
    contents = json.loads(run_python(mxnet, READ_RECORDS, tmp_path))
    first = 1 if layout == "identity_ranges" else 0
    for i, sample in enumerate(samples, start=first):
        assert contents["records"][str(i)] == [0, [float(sample.label)], i, 0, sample.jpeg.hex(), ""]
    if layout == "identity_ranges":
        assert contents["records"]["0"] == [2, [201.0, 251.0], 0, 0, "", ""]
        assert [contents["records"][str(201 + k)][1] for k in range(50)] == [
            [1.0 + 4 * k, 5.0 + 4 * k] for k in range(50)
        ]
    assert contents["count"] == len(contents["records"]) == (251 if layout == "identity_ranges" else 200)


def test_files_of_mxnet_are_read_and_written_byte_for_byte(mxnet, tmp_path):
    samples = [([float(i), 2.5, float(i % 3)] if i % 3 == 0 else [float(i)], p) for i, p in enumerate(payloads(2, 300))]
    run_python(mxnet, WRITE_RECORDS, tmp_path, [(labels, p.hex()) for labels, p in samples])
    photos = [p for part in reader.parts(tmp_path, part_records=70) for p in reader.index(part)]
    assert [p.key for p in photos] == [str(i) for i in range(300)]
    assert [p.identity for p in photos] == [str(int(labels[0])) for labels, _ in samples]
    assert [reader.read(tmp_path, p) for p in photos] == [p for _, p in samples]
    ours = [
        codec.pack(Header(tuple(labels), i, 0, 0 if len(labels) == 1 else len(labels)), payload)
        for i, (labels, payload) in enumerate(samples)
    ]
    assert b"".join(codec.frame(r) for r in ours) == (tmp_path / "train.rec").read_bytes()


@pytest.mark.material
@pytest.mark.parametrize("layout", ["identity_ranges", "plain"])
def test_the_same_pixels_and_labels(mxnet, material, tmp_path, layout):
    cv2 = pytest.importorskip("cv2")
    np = pytest.importorskip("numpy")
    root = material / "record_io" / "identity_ranges"
    photos = [p for part in reader.parts(root) for p in reader.index(part)]
    names = list(dict.fromkeys(p.identity for p in photos))
    samples = [Sample(names.index(p.identity), reader.read(root, p), p.key) for p in photos]
    write_record_io(tmp_path, samples, layout=layout, names=names)
    records = json.loads(run_python(mxnet, READ_RECORDS, tmp_path))["records"]
    again = [p for part in reader.parts(tmp_path) for p in reader.index(part)]
    assert [(p.key, p.identity) for p in again] == [(p.key, p.identity) for p in photos]
    for i, sample in enumerate(samples, start=1 if layout == "identity_ranges" else 0):
        pixels = cv2.imdecode(np.frombuffer(sample.jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert records[str(i)][1:2] == [[float(sample.label)]]
        assert records[str(i)][4:] == [sample.jpeg.hex(), sha256(pixels.tobytes()).hexdigest()]


@pytest.mark.material
@pytest.mark.parametrize("name", ["identity_ranges", "plain", "multi_label"])
def test_both_readers_agree_on_real_files(mxnet, material, name):
    folder = material / "record_io" / name
    theirs = json.loads(run_python(mxnet, READ_RECORDS, folder))["records"]
    with open(folder / "train.rec", "rb") as stream:
        size = (folder / "train.rec").stat().st_size
        spans = list(codec.scan(stream.fileno(), size))
        ours = [codec.unpack(codec.join(os.pread(stream.fileno(), b - a, a))) for a, b in spans]
    assert {str(h.id): [h.flag, list(h.labels), h.id, h.id2, p.hex()] for h, p in ours} == {
        key: value[:5] for key, value in theirs.items()
    }
