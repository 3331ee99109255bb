"""Names that a merge finding links, on the page of one of them in headless Chromium."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.review.answers import ledger
from tests.builders.gallery import gallery_use
from tests.builders.gallery.gallery_pages import Pages
from tests.builders.label_studio.browser import SLOW_MS
from tests.builders.processes.served_gallery import TOKEN, served, started
from tests.builders.tables.drawn_refinement import refined


@pytest.mark.slow
def test_two_names_that_were_found_alike(browser: Any, tmp_path: Path) -> None:
    root = refined(str(tmp_path))[0].root
    ledger.set_votes_wanted(root, 1)
    with started(root, "ann") as gallery, served(gallery) as base:
        pages = Pages(browser.new_page(), base, gallery)
        pages.page.set_default_timeout(SLOW_MS)
        pages.page.goto(f"{base}/?token={TOKEN}")
        findings = gallery.loaded().snapshot.findings
        (link, *_) = findings.shown(np.flatnonzero(findings.kind == "merge"))
        gallery_use.judge_links(pages, link.subject)
        pages.page.close()
