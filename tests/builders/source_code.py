"""The repository's source code, for the tests of its laws: files, imports, import cycles, sizes."""

import ast
import os
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("pipeline", "flows", "trainer")
NOT_OURS = ("demo", "node_modules", "shared")


def python_files(*folders: str) -> list[Path]:
    """All Python files in folders of the repository."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


@cache
def documents() -> tuple[Path, ...]:
    """All Markdown files of the repository."""
    found = []
    for folder, below, names in os.walk(ROOT):
        # a virtual environment alone has tens of thousands of folders
        below[:] = [name for name in below if not name.startswith(".") and name not in NOT_OURS]
        found += [Path(folder, name) for name in names if name.endswith(".md")]
    return tuple(sorted(found))


def name_of(path: Path) -> str:
    """The path from the repository's root."""
    return path.relative_to(ROOT).as_posix()


def module_of(path: Path) -> str:
    """The dotted name of a file's module; for an __init__.py the package's name."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@cache
def tree_of(path: Path) -> ast.Module:
    """The parsed file."""
    return ast.parse(path.read_text())


@cache
def imports(path: Path) -> frozenset[str]:
    """The full names of all modules and objects that a file imports, also inside functions."""
    return frozenset(_imports(path))


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{a.name}" for a in node.names)


@cache
def import_graph() -> dict[str, frozenset[str]]:
    """The modules that each module of the packages imports; `from package import module` counts for the module only."""
    paths = {module_of(path): path for path in python_files(*PACKAGES)}
    return {module: _imported_modules(path, frozenset(paths)) - {module} for module, path in paths.items()}


def _imported_modules(path: Path, modules: frozenset[str]) -> frozenset[str]:
    names = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            names |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom):
            for full in (f"{node.module}.{a.name}" for a in node.names):
                names.add(full if full in modules else node.module or "")
    return frozenset(names & modules)


def circles(graph: Mapping[str, frozenset[str]]) -> set[frozenset[str]]:
    """The groups of modules that import each other, directly or through other modules."""
    reached = {module: _reachable(graph, module) for module in graph}
    in_circle = [module for module in graph if module in reached[module]]
    return {frozenset({a} | {b for b in in_circle if b in reached[a] and a in reached[b]}) for a in in_circle}


def _reachable(graph: Mapping[str, frozenset[str]], start: str) -> set[str]:
    reachable: set[str] = set()
    waiting = list(graph[start])
    while waiting:
        module = waiting.pop()
        if module not in reachable:
            reachable.add(module)
            waiting += graph[module]
    return reachable


def function_lengths(path: Path) -> list[tuple[str, int]]:
    """The name and the lines of every function and method of a file."""
    functions = (n for n in ast.walk(tree_of(path)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))
    return [(function.name, (function.end_lineno or 0) - function.lineno + 1) for function in functions]
