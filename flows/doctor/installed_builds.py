"""Which builds of onnxruntime, faiss and torch are installed: those for processors, or those for NVIDIA cards.

Two builds of a library share a folder, so that the one installed last overwrites the other, and uninstalling one leaves
the other without files. insightface asks pip for `onnxruntime`, which is the build for processors. So `make EXTRA=gpu
install` runs this file before pip: it uninstalls the builds of the other kind, and installs a placeholder called
`onnxruntime` without any file, which keeps pip from installing the real one. It needs nothing but Python and pip.
"""

import base64
import hashlib
import importlib.metadata
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

PLACEHOLDER = "+gpu"  # the end of its version: 1.32.0+gpu meets the requirement onnxruntime==1.32.0 (PEP 440)
# libraries of which two builds share a folder: (for processors, for cards)
TWINS = (("onnxruntime", "onnxruntime-gpu"), ("faiss-cpu", "faiss-gpu"))
CONSTRAINTS = Path(__file__).parents[2] / "constraints.txt"


def installed_versions() -> dict[str, str]:
    """The versions of those builds that are installed, and of torch."""
    found = {}
    for name in (*(name for twins in TWINS for name in twins), "torch"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def to_uninstall(installed: Mapping[str, str], extra: str) -> list[str]:
    """The packages to uninstall before the builds for `extra`, cpu or gpu, are installed.

    installed: see installed_versions(). Where a build of the other kind is there, its twin goes too, because the two
    have overwritten each other's files.
    """
    of_cards = extra == "gpu"
    names: list[str] = []
    for twins in TWINS:
        there = [name for name in twins if name in installed]
        if any((name == twins[1] or is_placeholder(name, installed)) != of_cards for name in there):
            names += there
    if extra == "gpu" and installed.get("torch", "").endswith("+cpu"):
        names.append("torch")
    return names


def is_placeholder(name: str, installed: Mapping[str, str]) -> bool:
    """Whether the package of this name is the placeholder."""
    return name == "onnxruntime" and installed.get(name, "").endswith(PLACEHOLDER)


def overwritten() -> bool:
    """Whether both builds of onnxruntime are installed, so that the one for cards may be overwritten."""
    installed = installed_versions()
    return set(TWINS[0]) <= set(installed) and not is_placeholder("onnxruntime", installed)


def write_placeholder(folder: Path, version: str) -> Path:
    """Write the placeholder's wheel into a folder; returns its path. version: of the onnxruntime that it stands for."""
    version += PLACEHOLDER
    info = f"onnxruntime-{version}.dist-info"
    files = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: onnxruntime\nVersion: {version}\n"
        "Summary: Without any file: onnxruntime-gpu is installed in its place.\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: face-refinery\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},sha256={_digest(text)},{len(text)}\n" for name, text in files.items())
    path = folder / f"onnxruntime-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            wheel.writestr(name, text)
    return path


def pinned_version(constraints: str) -> str:
    """The version of onnxruntime that the text of a file of constraints asks for."""
    (version,) = re.findall(r"^onnxruntime==([0-9.]+)", constraints, re.MULTILINE)
    return str(version)


def prepare(extra: str) -> None:
    """Make the virtual environment ready for pip to install the builds for `extra`, cpu or gpu."""
    installed = installed_versions()
    if names := to_uninstall(installed, extra):
        _pip("uninstall", "--yes", *names)
    pinned = pinned_version(CONSTRAINTS.read_text())
    # one of another version would not meet the pin: pip would put the real one over the files of the build for cards
    if extra == "gpu" and ("onnxruntime" in names or installed.get("onnxruntime") != pinned + PLACEHOLDER):
        with tempfile.TemporaryDirectory() as folder:
            wheel = write_placeholder(Path(folder), pinned)
            _pip("install", "--no-deps", "--no-index", str(wheel))


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def _pip(*words: str) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *words]
    subprocess.run(command, check=True)  # noqa: S603  pip of this environment, with names from this file


if __name__ == "__main__":
    prepare(sys.argv[1])
