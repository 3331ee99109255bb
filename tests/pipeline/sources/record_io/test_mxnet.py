"""Our RecordIO against the real mxnet 1.9.1, which wants an environment of its own: it needs an older numpy."""

import json
import os
import random
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from pipeline.sources.record_io import codec, reader
from pipeline.sources.record_io.codec import MAGIC, Header
from pipeline.sources.record_io.writer import Sample, write_record_io

pytestmark = [pytest.mark.mxnet, pytest.mark.slow]
PACKAGES = ["mxnet==1.9.1", "numpy==1.23.5", "opencv-python-headless==4.10.0.84"]

READ = """
import hashlib, json, sys
import mxnet as mx, numpy as np
rec = mx.recordio.MXIndexedRecordIO(sys.argv[1] + "/train.idx", sys.argv[1] + "/train.rec", "r")
out = {}
for key in rec.keys:
    header, payload = mx.recordio.unpack(rec.read_idx(key))
    labels = [float(x) for x in np.atleast_1d(header.label)]
    pixels = ""
    if payload[:2] == b"\\xff\\xd8" and len(payload) > 500:
        pixels = hashlib.sha256(mx.recordio.unpack_img(rec.read_idx(key))[1].tobytes()).hexdigest()
    out[key] = [header.flag, labels, header.id, header.id2, payload.hex(), pixels]
order = mx.recordio.MXRecordIO(sys.argv[1] + "/train.rec", "r")
count = 0
while order.read() is not None:
    count += 1
print(json.dumps({"records": out, "count": count}))
"""

WRITE = """
import json, sys
import mxnet as mx, numpy as np
rec = mx.recordio.MXIndexedRecordIO(sys.argv[1] + "/train.idx", sys.argv[1] + "/train.rec", "w")
for number, (labels, payload) in enumerate(json.load(sys.stdin)):
    label = labels[0] if len(labels) == 1 else np.array(labels, np.float32)
    rec.write_idx(number, mx.recordio.pack(mx.recordio.IRHeader(0, label, number, 0), bytes.fromhex(payload)))
rec.close()
"""


@pytest.fixture(scope="session")
def mxnet() -> Path:
    """A Python that has mxnet, made once and kept."""
    cache = Path(os.environ.get("REFINERY_CACHE") or Path.home() / ".cache" / "face-refinery")
    venv, new = cache / "mxnet-venv", cache / f"mxnet-venv.{os.getpid()}"
    if not venv.exists():
        cache.mkdir(parents=True, exist_ok=True)
        try:
            subprocess.run([sys.executable, "-m", "venv", new], check=True, capture_output=True)
            subprocess.run(
                [new / "bin" / "python", "-m", "pip", "install", "-q", *PACKAGES], check=True, capture_output=True
            )
            new.rename(venv)
        except (OSError, subprocess.CalledProcessError) as error:
            shutil.rmtree(new, ignore_errors=True)
            if not venv.exists():
                pytest.skip(f"mxnet cannot be installed here: {(getattr(error, 'stderr', b'') or b'')[-200:]!r}")
    return venv / "bin" / "python"


def run(python: Path, code: str, folder: Path, given: object = None) -> str:
    done = subprocess.run([python, "-c", code, folder], input=json.dumps(given), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def payloads(seed: int, count: int) -> list[bytes]:
    """Bytes thick with the format's own magic, aligned and not."""
    pick = random.Random(seed)
    words = [MAGIC, b"", b"a", b"bc", b"\xff\xd8\xff", b"\0\0\0\0", MAGIC[:3], MAGIC[1:]]
    return [b"".join(pick.choices(words, k=pick.randrange(12))) for _ in range(count)]


@pytest.mark.parametrize("layout", ["identity_ranges", "plain"])
def test_mxnet_reads_what_we_write(mxnet, tmp_path, layout):
    samples = [Sample(i // 4, p, f"{i}") for i, p in enumerate(payloads(1, 200))]
    write_record_io(tmp_path, samples, layout=layout)
    found = json.loads(run(mxnet, READ, tmp_path))
    first = 1 if layout == "identity_ranges" else 0
    for i, sample in enumerate(samples, start=first):
        assert found["records"][str(i)] == [0, [float(sample.label)], i, 0, sample.jpeg.hex(), ""]
    if layout == "identity_ranges":
        assert found["records"]["0"] == [2, [201.0, 251.0], 0, 0, "", ""]
        assert [found["records"][str(201 + k)][1] for k in range(50)] == [[1.0 + 4 * k, 5.0 + 4 * k] for k in range(50)]
    assert found["count"] == len(found["records"]) == (251 if layout == "identity_ranges" else 200)


def test_we_read_and_write_what_mxnet_writes_byte_for_byte(mxnet, tmp_path):
    given = [([float(i), 2.5, float(i % 3)] if i % 3 == 0 else [float(i)], p) for i, p in enumerate(payloads(2, 300))]
    run(mxnet, WRITE, tmp_path, [(labels, p.hex()) for labels, p in given])
    found = [p for part in reader.parts(tmp_path, part_records=70) for p in reader.index(part)]
    assert [p.key for p in found] == [str(i) for i in range(300)]
    assert [p.identity for p in found] == [str(int(labels[0])) for labels, _ in given]
    assert [reader.read(tmp_path, p) for p in found] == [p for _, p in given]
    ours = [
        codec.pack(Header(tuple(labels), i, 0, 0 if len(labels) == 1 else len(labels)), payload)
        for i, (labels, payload) in enumerate(given)
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
    found = json.loads(run(mxnet, READ, tmp_path))["records"]
    again = [p for part in reader.parts(tmp_path) for p in reader.index(part)]
    assert [(p.key, p.identity) for p in again] == [(p.key, p.identity) for p in photos]
    for i, sample in enumerate(samples, start=1 if layout == "identity_ranges" else 0):
        pixels = cv2.imdecode(np.frombuffer(sample.jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert found[str(i)][1:2] == [[float(sample.label)]]
        assert found[str(i)][4:] == [sample.jpeg.hex(), sha256(pixels.tobytes()).hexdigest()]


@pytest.mark.material
@pytest.mark.parametrize("name", ["identity_ranges", "plain", "multi_label"])
def test_both_readers_see_the_same_in_real_files(mxnet, material, name):
    folder = material / "record_io" / name
    theirs = json.loads(run(mxnet, READ, folder))["records"]
    with open(folder / "train.rec", "rb") as stream:
        size = (folder / "train.rec").stat().st_size
        spans = list(codec.scan(stream.fileno(), size))
        ours = [codec.unpack(codec.join(os.pread(stream.fileno(), b - a, a))) for a, b in spans]
    assert {str(h.id): [h.flag, list(h.labels), h.id, h.id2, p.hex()] for h, p in ours} == {
        key: value[:5] for key, value in theirs.items()
    }
