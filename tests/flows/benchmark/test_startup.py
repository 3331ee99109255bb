"""Startup is measured beside bare Python; no time is asserted."""

import pytest

from flows.benchmark.startup import startup
from pipeline.errors import UserError


def test_every_command_has_its_cpu_and_memory_beside_bare_python() -> None:
    table = startup(turns=1)
    assert list(table.usage) == [
        "python -c pass",
        'python -c "import pyarrow"',
        "refinery --version",
        "refinery --help",
        "refinery labels ROOT",
    ]
    assert all(u.peak_mb > 1 and u.user_s > 0 for u in table.usage.values())
    assert table.usage["refinery labels ROOT"].peak_mb > table.usage["python -c pass"].peak_mb
    assert len(table.rows()) == 5


def test_nothing_to_measure_is_one_line() -> None:
    with pytest.raises(UserError, match="--turns 0: give 1 or more"):
        startup(turns=0)
