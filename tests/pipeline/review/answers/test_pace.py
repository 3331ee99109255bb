"""The seconds that a page takes, measured on the last submissions of its kind."""

from pipeline.review.answers.ledger import table_of
from pipeline.review.answers.pace import DEFAULT_PAGE_SECONDS, RECENT_PAGES, seconds_per_page
from pipeline.review.questions.question import GRID, MIXED, PAIR
from tests.builders.tables.ledger_rows import row


def test_nothing_measured_gives_the_default():
    assert seconds_per_page(table_of([row("a", "yes", "policy", purpose="policy")])) == DEFAULT_PAGE_SECONDS


def test_the_items_of_a_page_add_up_and_the_median_page_counts():
    grids = [row(f"{page}.{i}", "yes", "v", seconds=page, answer_id=f"p{page}") for page in (1, 2, 9) for i in range(3)]
    poor = row("poor", "yes", "v", kind="poor", seconds=100.0, answer_id="p1")  # goes with the photo's answer
    pair = [row(f"m{i}", "yes", "v", kind="misplaced", seconds=7.0, answer_id="q") for i in range(3)]
    photos = [row(f"x{i}", "yes", "v", seconds=5.0, answer_id="r") for i in range(3)]
    mixed = row("x", "no", "v", kind="mixed", seconds=5.0, answer_id="r")
    measured = seconds_per_page(table_of([*grids, poor, *pair, *photos, mixed]))
    assert measured == {GRID: 6.0, PAIR: 7.0, MIXED: 20.0}


def test_only_the_last_pages_count():
    early = [row(f"a{i}", "yes", "v", seconds=100.0) for i in range(RECENT_PAGES)]
    late = [row(f"b{i}", "yes", "v", at=1, seconds=1.0) for i in range(RECENT_PAGES)]
    assert seconds_per_page(table_of([*early, *late]))[GRID] == 1.0
