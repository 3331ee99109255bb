"""The laws of the architecture: which module may import which, where heavy libraries are met, how large code gets."""

from collections import Counter

import pytest

from tests.builders.session.file_order import LONGEST_FILES
from tests.builders.source_code import (
    PACKAGES,
    ROOT,
    circles,
    function_lengths,
    import_graph,
    imports,
    module_of,
    name_of,
    python_files,
)

FILES = python_files(*PACKAGES)
TEST_FILES = python_files("tests")

# from the bottom to the top: a module may import those of its own line and of lines above it in this list
PIPELINE = [
    "pipeline.schema",
    "pipeline.errors",
    "pipeline.json_values",
    "pipeline.progress",
    "pipeline.printable",
    "pipeline.whole_files",
    "pipeline.user_cache",
    "pipeline.child_process",
    "pipeline.tables",
    "pipeline.sample",
    "pipeline.root_lock",
    "pipeline.refinement",
    "pipeline.unreferenced",
    "pipeline.lost_answers",
    "pipeline.open_erasure",
    "pipeline.sources",
    "pipeline.faces",
    "pipeline.noise",
    "pipeline.refined",
    "pipeline.verification",
    "pipeline.review",
    "pipeline.erasure",
    "pipeline.report",
    "pipeline.browse",
]
FLOWS = [
    "flows.cli.standard_streams",
    "flows.cli.result",
    "flows.cli.options",
    "flows.cli.review_options",
    "flows.cli.out_file",
    "flows.cli.sizes",
    "flows.train.run_options",
    "flows.prefect_runtime",
    "flows.refine",
    "flows.evaluate",
    "flows.find",
    "flows.report",
    "flows.train",
    "flows.review",
    "flows.browse",
    "flows.erase",
    "flows.sample",
    "flows.schedule",
    "flows.doctor",
    "flows.benchmark",
    "flows.cli",
]
TRAINER = [
    "trainer.run",
    "trainer.recipes",
    "trainer.export",
    "trainer.evaluation",
    "trainer.backbones",
    "trainer.distributed",
    "trainer.losses",
    "trainer.whole_file",
    "trainer.checkpoint",
    "trainer.safetensors_file",
    "trainer.own_backbone",
    "trainer.data",
    "trainer.embedder",
    "trainer.pretrained",
    "trainer.trackers",
    "trainer.loop",
    "trainer.subcenters",
    "trainer.train",
    "trainer.throughput",
    "trainer.sample_detector",
]
MAX_FILE_LINES, MAX_FUNCTION_LINES, MAX_FILES_A_FOLDER = 250, 60, 15


def users(library: str) -> set[str]:
    """The files that import a library."""
    return {name_of(p) for p in FILES if any(i == library or i.startswith(f"{library}.") for i in imports(p))}


def layer(module: str, order: list[str]) -> int:
    """The place of a module in an order, by the longest line that names it or a package of it."""
    lines = [line for line in order if module == line or module.startswith(f"{line}.")]
    assert lines, f"{module} has no place in the order of tests/test_laws.py: give it one"
    return order.index(max(lines, key=len))


@pytest.mark.parametrize(
    ("library", "only"),
    [
        ("dask", "pipeline/tables/run_dask.py"),
        ("distributed", "pipeline/tables/run_dask.py"),
        ("faiss", "pipeline/noise/search/neighbours.py"),
        ("label_studio_sdk", "pipeline/review/label_studio/client.py"),
    ],
)
def test_a_heavy_library_is_imported_in_one_file(library: str, only: str) -> None:
    assert users(library) == {only}


def test_only_flows_imports_prefect_and_only_trainer_torch() -> None:
    for library, package in (("prefect", "flows"), ("torch", "trainer")):
        assert users(library)
        assert all(name.startswith(f"{package}/") for name in users(library))


def test_pipeline_and_trainer_do_not_import_flows_and_no_package_imports_tests() -> None:
    assert not [p for p in users("flows") if not p.startswith("flows/")]
    assert not [p for p in users("trainer") if p.startswith("pipeline/")]
    assert not users("tests")


def test_the_trainer_imports_of_the_pipeline_only_what_reads_its_data() -> None:
    allowed = {
        "errors",
        "json_values",
        "progress",
        "schema",
        "tables.table",
        "tables.digests",
        "whole_files",
        "sources.record_io.checksums",
        "sources.record_io.codec",
    }
    graph = import_graph()
    used = {d for module in graph if module.startswith("trainer") for d in graph[module] if d.startswith("pipeline")}
    assert used
    assert used <= {f"pipeline.{name}" for name in allowed}


@pytest.mark.parametrize("order", [PIPELINE, FLOWS, TRAINER], ids=["pipeline", "flows", "trainer"])
def test_imports_run_one_way(order: list[str]) -> None:
    package = order[0].partition(".")[0]
    graph = {module: imported for module, imported in import_graph().items() if module.startswith(f"{package}.")}
    edges = {(a, b) for a in graph for b in graph[a] if b in graph}
    assert len(edges) > 20
    assert not {(a, b) for a, b in edges if layer(a, order) < layer(b, order)}


def test_no_module_of_the_pipeline_needs_the_drawn_world() -> None:
    graph = import_graph()
    used_by = {m for m in graph if any(d.startswith("pipeline.sample") for d in graph[m])}
    assert not [m for m in used_by if m.startswith("pipeline.") and not m.startswith("pipeline.sample")]


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert circles({"a": frozenset("b"), "b": frozenset("c"), "c": frozenset("b")}) == {frozenset("bc")}
    assert not circles(import_graph())


def test_no_test_module_imports_another() -> None:
    test_modules = {module_of(p) for p in TEST_FILES if p.name.startswith("test_")}
    assert len(test_modules) > 100
    assert not {(name_of(p), i) for p in TEST_FILES for i in imports(p) if i in test_modules}


def test_no_file_or_function_or_folder_is_too_large() -> None:
    files = [*FILES, *TEST_FILES]
    assert not [name_of(p) for p in files if len(p.read_text().splitlines()) > MAX_FILE_LINES]
    assert not [(name_of(p), f) for p in files for f, n in function_lengths(p) if n > MAX_FUNCTION_LINES]
    folders = Counter(name_of(p.parent) for p in files)
    assert not [folder for folder, n in folders.items() if n > MAX_FILES_A_FOLDER]


def test_the_formatter_decides_everywhere() -> None:
    marks = ("fmt: " + "skip", "fmt: " + "off")
    assert not [name_of(p) for p in (*FILES, *TEST_FILES) if any(mark in p.read_text() for mark in marks)]


def test_every_file_is_named_for_what_it_holds() -> None:
    nameless = {"utils", "util", "common", "helpers", "helper", "base", "manager", "config", "misc", "types"}
    assert not [p for p in (*FILES, *TEST_FILES) if p.stem in nameless]


def test_the_longest_test_files_are_there() -> None:
    assert not [name for name in LONGEST_FILES if not (ROOT / name).is_file()]


def test_the_tests_mirror_the_packages() -> None:
    """A folder of tests has the name of a package's folder, or is one of the tests' own."""
    not_mirrored = {"builders", "chaos", "fuzz"}
    folders = {p.parent.relative_to(ROOT / "tests") for p in TEST_FILES if p.name.startswith("test_")}
    mirrors = [f for f in folders if f.parts and f.parts[0] not in not_mirrored]
    assert len(mirrors) > 20
    assert not [f for f in mirrors if not (ROOT / f).is_dir()]
