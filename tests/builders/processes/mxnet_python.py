"""A Python interpreter with mxnet 1.9.1, in a virtual environment of its own, because mxnet needs an older numpy."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGES = ["mxnet==1.9.1", "numpy==1.23.5", "opencv-python-headless==4.10.0.84"]


READ_RECORDS = """
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


WRITE_RECORDS = """
import json, sys
import mxnet as mx, numpy as np
rec = mx.recordio.MXIndexedRecordIO(sys.argv[1] + "/train.idx", sys.argv[1] + "/train.rec", "w")
for number, (labels, payload) in enumerate(json.load(sys.stdin)):
    label = labels[0] if len(labels) == 1 else np.array(labels, np.float32)
    rec.write_idx(number, mx.recordio.pack(mx.recordio.IRHeader(0, label, number, 0), bytes.fromhex(payload)))
rec.close()
"""


def run_python(python: Path, code: str, folder: Path, json_input: object = None) -> str:
    """The output of a script; json_input: its standard input, as JSON."""
    result = subprocess.run([python, "-c", code, folder], input=json.dumps(json_input), capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-2000:]
    return result.stdout


def mxnet_python() -> Path:
    """The path of a Python with mxnet; the environment is made once and kept."""
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
