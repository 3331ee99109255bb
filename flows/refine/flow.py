"""`refinery refine`: all stages from photos to a refined data set, in their order.

Prefect gives order, retries, history and artifacts. Without its decorators the flow runs and resumes all the same:
every stage is a table that is built once and found again by the next run.
"""

from collections.abc import Mapping
from typing import Any

from flows.cli.options import (
    NONE_GIVEN,
    Aligned,
    Boxes,
    DaskWorkers,
    Detector,
    Embedder,
    Flip,
    FollowLinks,
    Gallery,
    Groups,
    IdentityLevel,
    LostPerNoise,
    Memory,
    MinFaces,
    Probes,
    Quality,
    References,
    Root,
    SecondEmbedder,
    Shards,
    Sources,
    TestSets,
    Undecided,
    WithoutLostAnswers,
)
from flows.prefect_runtime.recorded_flow import recorded_flow
from flows.refine.building.whole_refinement import build_refinement
from flows.refine.request import RefineRequest
from flows.refine.results import RefineResult, publish_artifacts
from pipeline.lost_answers import check_answers
from pipeline.noise.policy import LOST_PER_NOISE
from pipeline.open_erasure import check_no_open_erasure
from pipeline.refinement import publish
from pipeline.root_lock import root_lock


def _request(options: Mapping[str, Any]) -> RefineRequest:
    """The request that the arguments of refine make. Raises UserError with every mistake in them."""
    return RefineRequest.parse(**{n: v for n, v in options.items() if n not in ("root", "without_lost_answers")})


@recorded_flow("refine", check=_request)
def refine(
    root: Root,
    source: Sources,
    detector: Detector,
    embedder: Embedder,
    *,
    second_embedder: SecondEmbedder = "",
    quality: Quality = "",
    probes: Probes = "",
    gallery: Gallery = "",
    test_set: TestSets = NONE_GIVEN,
    reference: References = NONE_GIVEN,
    groups: Groups = "",
    aligned: Aligned = False,
    flip: Flip = "",
    min_faces: MinFaces = 2,
    undecided: Undecided = "keep",
    lost_per_noise: LostPerNoise = LOST_PER_NOISE,
    shards: Shards = 0,
    workers: DaskWorkers = "",
    memory: Memory = "",
    follow_links: FollowLinks = False,
    identity_level: IdentityLevel = 0,
    boxes: Boxes = NONE_GIVEN,
    without_lost_answers: WithoutLostAnswers = False,
) -> RefineResult:
    """Find and remove what is wrong in a face data set; every photo ends up kept or with a reason.

    The same command goes on where it was stopped, and processes only new photos. People in a --test-set are removed.
    With --groups the thresholds are calibrated for each group of people; one of few pairs borrows from all.
    """
    request = _request(locals())
    return refine_root(root, request, groups=groups, without_lost_answers=without_lost_answers)


def refine_root(
    root: str, request: RefineRequest, *, groups: str = "", without_lost_answers: bool = False
) -> RefineResult:
    """Build the refinement of a request, and put it in force in the root. groups: the file of --groups."""
    with root_lock(root):
        if not without_lost_answers:
            check_answers(root)
        check_no_open_erasure(root)
        refinement = build_refinement(root, request)
        publish(root, refinement)
    publish_artifacts(refinement.account, root)
    return RefineResult.of(refinement, groups=groups)
