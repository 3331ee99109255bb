"""Of two builds of a library one is installed: pip's placeholder stands for the other."""

import zipfile
from importlib.metadata import distributions
from pathlib import Path

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
