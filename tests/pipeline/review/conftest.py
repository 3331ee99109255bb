"""A drawn refinement whose truth is known, and its cases; tests only read them."""

from typing import NamedTuple

import pytest

from pipeline.refinement import Refinement
from pipeline.review.questions.case import Case
from pipeline.review.questions.cases import find_cases
from tests.builders.tables.drawn_refinement import refined


class DrawnRefinement(NamedTuple):
    """A drawn refinement, and the kind and the person of each photo by its key."""

    refinement: Refinement
    truth: dict[str, tuple[str, int | None]]


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> DrawnRefinement:
    return DrawnRefinement(*refined(str(tmp_path_factory.mktemp("drawn"))))


@pytest.fixture(scope="session")
def drawn_cases(drawn: DrawnRefinement) -> list[Case]:
    return find_cases(drawn.refinement)
