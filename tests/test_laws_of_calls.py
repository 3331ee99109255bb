"""Calls that would be unsafe or wrong wherever they stood: plain pickle, JSON with NaN, and the time of day."""

import ast

from tests.builders.source_code import PACKAGES, imports, name_of, python_files, tree_of

FILES = python_files(*PACKAGES)


def test_nothing_unpickles_with_plain_pickle() -> None:
    for path in FILES:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "pickle":
                assert node.attr not in ("load", "loads"), path


def test_json_is_written_without_nan() -> None:
    """No other program reads NaN or Infinity; pipeline.json_values.finite_or_null writes null in their place."""
    written = []
    for path in FILES:
        assert not imports(path) & {"json.dump", "json.dumps"}, path
        calls = [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.Call)]
        strict = {id(call.func) for call in calls if "allow_nan=False" in [ast.unparse(k) for k in call.keywords]}
        written += [
            (name_of(path), id(node) in strict)
            for node in ast.walk(tree_of(path))
            if isinstance(node, ast.Attribute) and ast.unparse(node) in ("json.dump", "json.dumps")
        ]
    assert len(written) > 10
    assert not [name for name, is_strict in written if not is_strict]


def test_the_time_of_day_is_read_only_where_a_wrong_clock_does_no_harm() -> None:
    """Clocks jump. A lock says since when it is held, leftovers have an age; lists, cards and receipts have a date, and
    MLflow's points a time.
    """
    clocks = {("datetime", "now"), ("datetime", "utcnow"), ("time", "time"), ("time", "time_ns"), ("date", "today")}
    readers = {
        name_of(p)
        for p in FILES
        for node in ast.walk(tree_of(p))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and (node.value.id, node.attr) in clocks
    }
    assert readers == {
        "pipeline/root_lock.py",
        "pipeline/unreferenced.py",
        "pipeline/erasure/intent.py",
        "pipeline/refined/data_card.py",
        "pipeline/review/answers/answer_time.py",
        "trainer/trackers/mlflow_run.py",
    }
