"""Endpoints of the pages that compute for a while: whose face is in a photo, and the state of the review."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

import numpy as np
from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool

from flows.browse.decision_endpoints import MAX_NAME
from flows.browse.gallery import Gallery, Loading
from flows.find.flow import models_of
from flows.refine.models import load_embedder
from pipeline.browse.nearest import NearPerson
from pipeline.browse.pages.review_page import AnnotatorView, ReviewView, annotator_view, review_view
from pipeline.errors import UserError
from pipeline.faces.align import NoFace, align_main_face, fit_aligned_crop
from pipeline.faces.detect import OnnxDetector
from pipeline.faces.packs import find_model
from pipeline.faces.picture import UnreadablePhoto, decode
from pipeline.faces.protocols import FaceDetector, FaceEmbedder
from pipeline.refinement import latest

log = logging.getLogger("refinery")
Value = TypeVar("Value")


@dataclass(frozen=True)
class Found:
    """How many faces a photo shows, and the persons that its main face is most like."""

    faces: int
    persons: list[NearPerson]


class _Computed(Generic[Value]):
    """A value that is computed in the background, once for each version of what it is computed from."""

    def __init__(self, compute: Callable[[], Value], waiting: str) -> None:
        self._compute, self._waiting = compute, waiting
        self._lock = threading.Lock()
        self._value: tuple[Any, Value | UserError] | None = None
        self._running = False

    def of(self, version: Any) -> Value:
        """The value of this version. Raises Loading while it is computed, UserError where that failed."""
        with self._lock:
            if self._value is not None and self._value[0] == version:
                if isinstance(self._value[1], UserError):
                    raise self._value[1]
                return self._value[1]
            if not self._running:
                self._running = True
                threading.Thread(target=self._run, args=(version,), daemon=True).start()
        raise Loading(self._waiting)

    def _run(self, version: Any) -> None:
        try:
            value: Value | UserError = self._compute()
        except UserError as error:
            value = error
        except Exception as error:  # the page says it, and does not ask for the same again and again
            log.warning("browse: %s", error, exc_info=True)
            value = UserError(f"this could not be computed ({error or type(error).__name__}): see the log")
        with self._lock:
            self._value, self._running = (version, value), False


class _Models:
    """The detector and the embedders of a refinement, loaded when the first photo is looked for."""

    def __init__(self, root: str) -> None:
        self._root, self._lock = root, threading.Lock()
        self._loaded: tuple[FaceDetector, list[FaceEmbedder]] | None = None

    def get(self) -> tuple[FaceDetector, list[FaceEmbedder]]:
        """The detector and the embedders. Raises UserError where their files are gone."""
        with self._lock:
            if self._loaded is None:
                refinement = latest(self._root)
                detector, first, flip = models_of(self._root)
                files = [first, *refinement.options.models[2:]][: len(refinement.embeddings)]
                embedders = [load_embedder(file, flip) for file in files]
                if len(embedders) < len(refinement.embeddings):
                    raise UserError("the second embedder of this refinement is not known here")
                self._loaded = (OnnxDetector(find_model(detector, "detector")), embedders)
            return self._loaded


def further_pages(gallery: Gallery) -> APIRouter:
    """The endpoints of these pages."""
    router, models = APIRouter(prefix="/api"), _Models(gallery.root)
    review = _Computed(lambda: review_view(latest(gallery.root)), "the questions are being counted: wait a moment")

    @router.get("/review")
    def state_of_review() -> ReviewView:
        return review.of(latest(gallery.root).decisions.address + str(gallery.version))

    @router.get("/annotator")
    def annotator(name: Annotated[str, Query(max_length=MAX_NAME)]) -> AnnotatorView:
        return annotator_view(gallery.root, name)

    @router.post("/find")
    async def find(request: Request) -> Found:
        data = await request.body()
        return await run_in_threadpool(_found, gallery, models, data)

    return router


def _found(gallery: Gallery, models: _Models, data: bytes) -> Found:
    """The persons that the main face of a photo is most like; data: the photo's bytes."""
    loaded = gallery.loaded()
    detector, embedders = models.get()
    try:
        image = decode(data)
        if loaded.snapshot.refinement.options.aligned:
            face, faces = fit_aligned_crop(image), 1
        else:
            face, found, _ = align_main_face(image, detector(image))
            faces = len(found.scores)
    except (UnreadablePhoto, NoFace) as error:
        raise UserError(f"this photo shows no face: {error}") from None
    vectors = [np.asarray(embedder(face[None])[:1], np.float64) for embedder in embedders]
    unit = [v / np.maximum(np.linalg.norm(v), 1e-9) for v in vectors]
    return Found(faces, loaded.search.of_vectors(unit, but=-1))
