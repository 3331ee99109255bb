"""The map over HTTP: while it is made the page is told how much is done, and then what the tables have."""

import shutil
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from flows.browse.endpoints import gallery_app
from pipeline.browse.pages.map_page import MAX_LISTED
from pipeline.refinement import latest
from tests.builders.processes.served_gallery import started, wait_until
from tests.builders.tables.drawn_refinement import drawn_root


def test_the_map_is_made_when_it_is_opened_and_found_from_then_on(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = str(shutil.copytree(drawn_root(tmp_path_factory), tmp_path / "root"))
    with started(root, "ann") as gallery:
        client = TestClient(gallery_app(gallery))
        answer = client.get("/api/map")
        assert answer.status_code == 202
        assert "is being made" in answer.json()["error"]
        assert answer.json()["share"] is None or 0 <= answer.json()["share"] <= 1
        assert client.get("/api/map/points").status_code == 202
        wait_until(lambda: client.get("/api/map").status_code == 200)
        view, points = client.get("/api/map").json(), client.get("/api/map/points")
        n = len(latest(root).persons)
        assert (view["persons"], view["without_person"]) == (n, 0)
        assert len(points.content) == 5 * n
        assert points.headers["cache-control"] == "no-store"
        (person,) = client.post("/api/map/persons", json={"table": view["table"], "numbers": [0]}).json()
        assert (person["number"], person["row"]["name"]) == (0, "p00")
        assert client.get("/api/map/search", params={"query": "P00"}).json() == {"total": 1, "numbers": [0]}
        for numbers in ([n], [-1], ["x"], [0] * (MAX_LISTED + 1), 7):
            refused = client.post("/api/map/persons", json={"table": view["table"], "numbers": numbers})
            assert refused.status_code == 422
            assert "\n" not in refused.json()["error"]
    assert len(list((tmp_path / "root/map").glob("*.json"))) == 1
