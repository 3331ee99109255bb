"""Endpoints of the map, which is made in the background when it is opened the first time."""

from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from flows.browse.computed import Computed
from flows.browse.decision_endpoints import MAX_NAME
from flows.browse.gallery import Gallery
from pipeline.browse.map.layout import Layout
from pipeline.browse.map.map_table import MAP, build_map
from pipeline.browse.pages.map_page import (
    MAX_LISTED,
    FoundPersons,
    MapPerson,
    MapView,
    found_persons,
    map_bytes,
    map_persons,
    map_view,
)


class Listed(BaseModel):
    """The body of a request for persons of the map by their numbers; table: of which these are rows."""

    table: str = Field(max_length=100)
    numbers: list[int] = Field(max_length=MAX_LISTED)


def map_endpoints(gallery: Gallery) -> APIRouter:
    """The endpoints of the map."""
    router = APIRouter(prefix="/api/map")
    layout = Computed(
        lambda: _layout(gallery, layout), "the map of all persons is being made, once for this refinement"
    )

    def places() -> Layout:
        refinement = gallery.loaded().snapshot.refinement
        return layout.of((refinement.persons.address, refinement.calibration.address))

    @router.get("")
    def whole_map() -> MapView:
        loaded = gallery.loaded()
        places()
        return map_view(loaded.snapshot, loaded.table)

    @router.get("/points")
    def points() -> Response:
        loaded = gallery.loaded()
        data = map_bytes(loaded.snapshot, loaded.table, places())
        return Response(data, media_type="application/octet-stream", headers={"Cache-Control": "no-store"})

    @router.post("/persons")
    def persons(body: Listed) -> list[MapPerson]:
        loaded = gallery.loaded()
        return map_persons(loaded.snapshot, loaded.table, body.numbers, persons_table=body.table)

    @router.get("/search")
    def search(query: Annotated[str, Query(max_length=MAX_NAME)]) -> FoundPersons:
        return found_persons(gallery.loaded().snapshot, query)

    return router


def _layout(gallery: Gallery, computed: Computed[Layout]) -> Layout:
    """The places of all persons, read from their table, or made."""
    table = build_map(gallery.loaded().snapshot.refinement, computed.report).read(MAP.names)
    return np.stack([table[name].to_numpy() for name in MAP.names], axis=1)
