"""Endpoints of the pages that compute for a while: whose face is in a photo, and the state of the review."""

import threading
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool

from flows.browse.computed import Computed
from flows.browse.decision_endpoints import MAX_NAME
from flows.browse.gallery import Gallery
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


@dataclass(frozen=True)
class Found:
    """How many faces a photo shows, and the persons that its main face is most like."""

    faces: int
    persons: list[NearPerson]


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
    review = Computed(lambda: review_view(latest(gallery.root)), "the questions are being counted: wait a moment")

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
