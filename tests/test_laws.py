"""The laws of the architecture: who may import whom, and each heavy library in the files that are for it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted(p for top in ("pipeline", "flows", "trainer") for p in (ROOT / top).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """The full names of all modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{a.name}" for a in node.names)


def users(library: str) -> set[str]:
    """The files that import a library."""
    return {
        str(p.relative_to(ROOT)) for p in FILES if any(i == library or i.startswith(f"{library}.") for i in imports(p))
    }


@pytest.mark.parametrize(
    ("library", "only"),
    [("dask", "pipeline/build.py"), ("distributed", "pipeline/build.py"), ("faiss", "pipeline/noise/neighbours.py")],
)
def test_a_heavy_library_is_met_in_one_file(library: str, only: str) -> None:
    assert users(library) == {only}


def test_only_flows_knows_prefect_and_only_trainer_torch() -> None:
    assert users("prefect")
    assert all(name.startswith("flows/") for name in users("prefect"))
    assert all(name.startswith("trainer/") for name in users("torch"))


def test_imports_run_one_way() -> None:
    assert not [p for p in users("flows") if not p.startswith("flows/")]
    assert not [p for p in users("trainer") if p.startswith("pipeline/")]


def test_nothing_unpickles_with_plain_pickle() -> None:
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "pickle":
                assert node.attr not in ("load", "loads"), path


def test_no_room_without_a_name() -> None:
    nameless = {"utils", "util", "common", "helpers", "helper", "base", "manager", "config", "misc", "types"}
    assert not [p for p in FILES if p.stem in nameless]
