"""A command is imported only when it is called: what --help, --version and `labels` may load, by top-level module."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders.tables.partial_refinement import publish_partial

CODE = """
import json, sys
from flows.cli.console import main
sys.argv = ["refinery", *sys.argv[1:]]
try:
    main()
except SystemExit as ended:
    assert not ended.code, ended.code
names = {name.partition(".")[0] for name in sys.modules} - set(sys.stdlib_module_names)
sys.stderr.write(json.dumps(sorted(names)))
"""
TYPER = {"typer", "annotated_doc", "shellingham", "typing_extensions"}
TYPER |= {"pydantic", "pydantic_core", "annotated_types", "typing_inspection"}  # where it converts what was typed
COMMAND_LINE = {"flows", "pipeline"} | TYPER
PARQUET = {"pyarrow", "numpy", "fsspec", "cloudpickle", "cython_runtime"}


def loaded(*words: str) -> set[str]:
    """Top-level modules, besides the standard library's, that a run of the command has loaded."""
    process = subprocess.run([sys.executable, "-c", CODE, *words], capture_output=True, text=True, check=True)
    names = set(json.loads(process.stderr.splitlines()[-1]))
    return {name for name in names if not name.startswith(("_", "sitecustomize", "usercustomize", "distutils-"))}


@pytest.mark.parametrize("words", [("--help",), ("--version",), ("benchmark", "--help")])
def test_the_list_of_commands_imports_none_of_them(words: tuple[str, ...]) -> None:
    assert loaded(*words) <= COMMAND_LINE


@pytest.mark.parametrize("module", ["refine.flow", "review.flow", "train.experiment", "sample.flow"])
def test_what_takes_long_to_load_is_loaded_where_it_is_used(module: str) -> None:
    """Prefect by a command that it records, insightface by one that detects faces with it."""
    code = f"import sys, flows.{module}; print({{'prefect', 'insightface'}} & sys.modules.keys())"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"


def test_labels_imports_no_more_than_reading_parquet_takes(tmp_path: Path) -> None:
    publish_partial(str(tmp_path / "root"))
    modules = loaded("labels", str(tmp_path / "root"), "--out", str(tmp_path / "labels.tsv"))
    assert modules <= COMMAND_LINE | PARQUET
    assert {"pyarrow"} <= modules
