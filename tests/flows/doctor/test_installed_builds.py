"""Of two builds of a library one is installed: pip's placeholder stands for the other."""

import subprocess
import zipfile
from importlib.metadata import distributions
from pathlib import Path

import pytest

from flows.doctor import installed_builds
from flows.doctor.installed_builds import is_placeholder, pinned_version, to_uninstall, write_placeholder

GPU = {"onnxruntime": "1.32.0+gpu", "onnxruntime-gpu": "1.31.1", "faiss-gpu": "1.15.1", "torch": "2.13.0"}
CPU = {"onnxruntime": "1.32.0", "faiss-cpu": "1.15.1", "torch": "2.13.0+cpu"}


def test_builds_of_the_other_kind_are_uninstalled_with_what_they_overwrote() -> None:
    assert to_uninstall({}, "gpu") == []
    assert to_uninstall(CPU, "gpu") == ["onnxruntime", "faiss-cpu", "torch"]
    assert to_uninstall(GPU, "gpu") == []
    assert to_uninstall(GPU | {"onnxruntime": "1.32.0"}, "gpu") == ["onnxruntime", "onnxruntime-gpu"]
    assert to_uninstall(CPU, "cpu") == []
    assert to_uninstall(GPU, "cpu") == ["onnxruntime", "onnxruntime-gpu", "faiss-gpu"]
    assert to_uninstall({"onnxruntime": "1.32.0+gpu"}, "cpu") == ["onnxruntime"]


def test_a_placeholder_of_another_version_than_the_pin_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else pip would put the pinned onnxruntime over the files of the build for cards."""
    pinned = f"{pinned_version(installed_builds.CONSTRAINTS.read_text())}+gpu"
    calls: list[tuple[str, ...]] = []
    monkeypatch.setattr(installed_builds, "_pip", lambda *words: calls.append(words))
    for version, replaced in (("1.0.0+gpu", 1), (pinned, 0)):
        calls.clear()
        monkeypatch.setattr(installed_builds, "installed_versions", lambda v=version: GPU | {"onnxruntime": v})
        installed_builds.prepare("gpu")
        assert [words[0] for words in calls] == ["install"] * replaced


@pytest.mark.parametrize(("kind", "other"), [("cpu", "gpu"), ("gpu", "cpu")])
def test_an_installation_that_fails_is_tried_again_for_the_same_builds(tmp_path: Path, kind: str, other: str) -> None:
    """make runs with a Python that fails; `make install` installs where everything seems to be there, too."""
    venv, root = tmp_path / "venv", installed_builds.CONSTRAINTS.parent
    (venv / "bin").mkdir(parents=True)
    python = venv / "bin/python"
    python.symlink_to("/bin/false")
    (venv / f".ready-{kind}").touch()
    make = ["make", "-C", str(root), f"VENV={venv}"]
    assert subprocess.run([*make, "install"], capture_output=True, check=False).returncode != 0
    said = subprocess.run([*make, "-n", "check"], capture_output=True, text=True, check=True).stdout
    assert f"installed_builds {kind}" in said
    assert f"installed_builds {other}" not in said


def test_pip_takes_the_placeholder_for_onnxruntime(tmp_path: Path) -> None:
    """Its version meets the pin of constraints.txt, and it has no file that could overwrite the other build's."""
    version = pinned_version(installed_builds.CONSTRAINTS.read_text())
    with zipfile.ZipFile(write_placeholder(tmp_path, version)) as wheel:
        wheel.extractall(tmp_path / "site")
    (placeholder,) = distributions(path=[str(tmp_path / "site")])
    assert (placeholder.name, placeholder.version) == ("onnxruntime", f"{version}+gpu")
    assert {file.parent.name for file in placeholder.files or []} == {f"onnxruntime-{version}+gpu.dist-info"}
    assert all(file.read_binary() for file in placeholder.files or [])
    assert is_placeholder("onnxruntime", {"onnxruntime": placeholder.version})
