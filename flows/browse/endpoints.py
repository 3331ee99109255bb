"""What the gallery's port answers: its own files, pictures, and typed JSON about every page."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import PurePosixPath
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.exceptions import HTTPException

from flows.browse.decision_endpoints import MAX_NAME, decision_endpoints
from flows.browse.further_pages import further_pages
from flows.browse.gallery import Gallery, Loading, UnknownPhoto
from flows.browse.map_endpoints import map_endpoints
from flows.browse.states import State, state_of
from pipeline.browse.nearest import NearPerson
from pipeline.browse.pages.history import HistoryPage, history
from pipeline.browse.pages.identity_page import IdentityView, identity_view
from pipeline.browse.pages.identity_table import ORDERS, IdentityPage
from pipeline.browse.pages.overview import Overview, overview
from pipeline.browse.pages.photo_page import PhotoView, photo_view
from pipeline.browse.pages.photo_pictures import BoxedFace, WholePhoto, boxed_faces, face_jpeg, whole_photo
from pipeline.errors import UserError
from pipeline.refinement import latest

KINDS_OF_FILES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
CACHED_PHOTOS = 8


@dataclass(frozen=True)
class Boxes:
    """The faces of a photo, as shares of its sides."""

    faces: list[BoxedFace]


def gallery_app(gallery: Gallery) -> FastAPI:
    """The application of a gallery."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.include_router(_own_files())
    app.include_router(_pages(gallery))
    app.include_router(_pictures(gallery))
    app.include_router(decision_endpoints(gallery))
    app.include_router(further_pages(gallery))
    app.include_router(map_endpoints(gallery))
    app.add_exception_handler(UserError, _refused)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _not_answered)
    return app


def _refused(_: Request, error: Exception) -> Response:
    if isinstance(error, Loading):
        return JSONResponse({"error": str(error), "share": error.share}, status_code=202)
    status = 404 if isinstance(error, UnknownPhoto) else 422
    return JSONResponse({"error": str(error)}, status_code=status)


def _malformed(_: Request, error: Exception) -> Response:
    """One line for a request that is not what an endpoint takes; nothing of it is repeated."""
    places = [".".join(map(str, e["loc"])) for e in error.errors()] if isinstance(error, RequestValidationError) else []
    return JSONResponse({"error": f"this request is not understood: {', '.join(places)[:200]}"}, status_code=422)


def _not_answered(_: Request, error: Exception) -> Response:
    """What the library refuses by itself, as JSON that is nested too deep, in the form of all other refusals."""
    status, said = (error.status_code, error.detail) if isinstance(error, HTTPException) else (400, "")
    return JSONResponse({"error": f"this request is not understood: {said}"}, status_code=status)


def _own_files() -> APIRouter:
    router = APIRouter()
    folder = files("flows.browse") / "static"
    contents = {f.name: f.read_bytes() for f in folder.iterdir() if PurePosixPath(f.name).suffix in KINDS_OF_FILES}

    @router.get("/")
    def page() -> Response:
        return Response(
            contents["index.html"], media_type=KINDS_OF_FILES[".html"], headers={"Cache-Control": "no-store"}
        )

    @router.get("/open")
    def place(
        photo: Annotated[str, Query(max_length=MAX_NAME)] = "",
        identity: Annotated[str, Query(max_length=MAX_NAME)] = "",
    ) -> Response:
        """The page of a photo or an identity; what stands after # in an address gets lost where a key is asked for."""
        page = f"photo/{quote(photo, safe='')}" if photo else f"identity/{quote(identity, safe='')}"
        return RedirectResponse(f"/#/{page}", status_code=303)

    @router.get("/static/{name}")
    def own_file(name: str) -> Response:
        if name not in contents:
            return Response(status_code=404)
        kind = KINDS_OF_FILES[PurePosixPath(name).suffix]
        return Response(contents[name], media_type=kind, headers={"Cache-Control": "no-cache"})

    return router


def _pages(gallery: Gallery) -> APIRouter:
    router = APIRouter(prefix="/api")
    name_query = Query(max_length=MAX_NAME)

    @router.get("/state")
    def state() -> State:
        return state_of(gallery)

    @router.get("/overview")
    def first_page() -> Overview:
        return overview(latest(gallery.root))

    @router.get("/orders")
    def orders() -> dict[str, str]:
        return ORDERS

    @router.get("/identities")
    def identities(
        order: Annotated[str, name_query] = "removed",
        query: Annotated[str, name_query] = "",
        offset: int = 0,
        limit: int = 100,
    ) -> IdentityPage:
        return gallery.loaded().table.page(order=order, query=query, offset=offset, limit=limit)

    @router.get("/identity")
    def identity(name: Annotated[str, name_query], offset: int = 0) -> IdentityView:
        loaded = gallery.loaded()
        return identity_view(loaded.snapshot, loaded.table, name, offset=max(0, offset))

    @router.get("/identity/near")
    def near_identity(name: Annotated[str, name_query]) -> list[NearPerson]:
        return gallery.loaded().search.of_person(name)

    @router.get("/photo")
    def photo(face: Annotated[str, name_query]) -> PhotoView:
        loaded = gallery.loaded()
        return photo_view(loaded.snapshot, loaded.row(face))

    @router.get("/photo/near")
    def near_photo(face: Annotated[str, name_query]) -> list[NearPerson]:
        loaded = gallery.loaded()
        return loaded.search.of_photo(loaded.row(face))

    @router.get("/history")
    def past(offset: int = 0, limit: int = 50, who: Annotated[str, name_query] = "") -> HistoryPage:
        return history(gallery.loaded().snapshot, offset=offset, limit=limit, who=who)

    return router


def _pictures(gallery: Gallery) -> APIRouter:
    router = APIRouter()

    @lru_cache(maxsize=CACHED_PHOTOS)
    def photo_with(face: str, _labels: str) -> WholePhoto:
        loaded = gallery.loaded()
        return whole_photo(loaded.snapshot, loaded.row(face))

    def photo_of(face: str) -> WholePhoto:
        """The photo, decoded once for the same labels: by other ones it may have been erased."""
        return photo_with(face, gallery.loaded().snapshot.refinement.labels.address)

    @router.get("/face/{face}.jpg")
    def aligned_face(face: str) -> Response:
        loaded = gallery.loaded()
        return _picture(lambda: face_jpeg(loaded.snapshot, loaded.row(face)))

    @router.get("/photo/{face}.jpg")
    def photo(face: str) -> Response:
        return _picture(lambda: photo_of(face).jpeg)

    @router.get("/api/photo/boxes")
    def boxes(face: Annotated[str, Query(max_length=MAX_NAME)]) -> Boxes:
        loaded = gallery.loaded()
        return Boxes(boxed_faces(loaded.snapshot, loaded.row(face), photo_of(face).sides))

    return router


def _picture(read: Callable[[], bytes]) -> Response:
    return Response(read(), media_type="image/jpeg", headers={"Cache-Control": "no-store"})  # no face on the disk
