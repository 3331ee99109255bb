"""The laws of the architecture: who may import whom, and each heavy library in the files that are for it."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted(p for top in ("pipeline", "flows", "trainer") for p in (ROOT / top).rglob("*.py"))


@cache
def imports(path: Path) -> tuple[str, ...]:
    """The full names of all modules that a file imports, wherever in it."""
    return tuple(_imports(path))


def _imports(path: Path) -> Iterator[str]:
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
    [
        ("dask", "pipeline/tables/run_dask.py"),
        ("distributed", "pipeline/tables/run_dask.py"),
        ("faiss", "pipeline/noise/search/neighbours.py"),
        ("label_studio_sdk", "pipeline/review/label_studio/client.py"),
    ],
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


def test_the_trainer_takes_from_the_pipeline_only_what_crosses_the_yard() -> None:
    allowed = {
        "errors",
        "progress",
        "schema",
        "tables",
        "tables.table",
        "sources",
        "sources.record_io",
        "sources.record_io.codec",
    }
    taken = {i for p in FILES if p.is_relative_to(ROOT / "trainer") for i in imports(p) if i.startswith("pipeline")}
    names = {i for i in taken if not any(i.startswith(f"pipeline.{a}.") for a in allowed)}
    assert names - {"pipeline"} <= {f"pipeline.{a}" for a in allowed}


def test_nothing_unpickles_with_plain_pickle() -> None:
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "pickle":
                assert node.attr not in ("load", "loads"), path


def test_the_clock_on_the_wall_is_asked_where_a_wrong_one_does_no_harm() -> None:
    """Clocks jump. Who holds a lock is told with a time, leftovers have an age, a list is newer than those before."""
    asked = {("datetime", "now"), ("datetime", "utcnow"), ("time", "time"), ("time", "time_ns"), ("date", "today")}
    found = {
        str(p.relative_to(ROOT))
        for p in FILES
        for node in ast.walk(ast.parse(p.read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and (node.value.id, node.attr) in asked
    }
    assert found == {"pipeline/root_lock.py", "pipeline/refinement.py", "pipeline/review/answers/lists.py"}


def test_no_room_without_a_name() -> None:
    nameless = {"utils", "util", "common", "helpers", "helper", "base", "manager", "config", "misc", "types"}
    assert not [p for p in FILES if p.stem in nameless]
