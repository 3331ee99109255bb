"""Photos of several people: how often the cut face is another person's, by the detector's rule and by choice.

A data set with known truth is refined as it came, and after some of its photos were made group photos; each time once
with the main faces of the rule, and once with the choice between all faces of a photo.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import typer

from flows.cli.options import Detector, Embedder, Root, SecondEmbedder, Seed, World
from flows.cli.result import Result
from flows.refine.building.whole_refinement import build_refinement
from flows.refine.request import RefineRequest
from pipeline.refined.scoring.known_truth import Truth, read_truth
from pipeline.refined.scoring.score import Score, score
from pipeline.refinement import Refinement, publish
from pipeline.root_lock import root_lock
from pipeline.sample.cases.group_photos import PLACE_COLUMNS, PLACES_FILE, plant_group_photos
from pipeline.sample.cases.planted_data import planted_data
from pipeline.sample.cases.truth_tables import read_rows

NOT_LOST = ("duplicate", "overlap")  # reasons for which a photo of the right person is removed
Place = Mapping[str, str]  # a row of group_photos.tsv


class Refined(NamedTuple):
    """A refinement, its score, and the CPU seconds that it took."""

    refinement: Refinement
    score: Score
    seconds: float


@dataclass(frozen=True)
class GroupPhotoFigures(Result):
    """The figures of each data set and way of choosing faces, one row a measure."""

    measures: list[dict[str, Any]]
    planted: dict[str, int]  # group photos by kind

    def rows(self) -> list[dict[str, Any]]:
        """One row for each measure."""
        return self.measures

    def lines(self) -> list[str]:
        """What was planted, and what the rows mean."""
        kinds = ", ".join(f"{n} {kind}" for kind, n in sorted(self.planted.items()))
        return [
            f"group photos: {kinds}; the first two columns show the same photos as they came, with one person each",
            "wrong face: of group photos that show the person of their identity (clean), the cut face is another's",
            "lost: of these photos, those removed for another reason than duplicate or overlap",
            "relabelled: of these photos, those kept under another identity's person",
            "CPU seconds of a choice: what it adds to a finished refinement by the rule",
        ]


def group_photos(
    root: Root,
    world: World,
    *,
    detector: Detector,
    embedder: Embedder,
    second_embedder: SecondEmbedder = "",
    share: Annotated[float, typer.Option(help="Share of the photos that become group photos.")] = 0.35,
    wrong: Annotated[float, typer.Option(help="Share of these in which the rule takes another person's face.")] = 0.3,
    seed: Seed = 0,
) -> GroupPhotoFigures:
    """Plant group photos in a data set with known truth, and count wrong faces by the rule and by choice."""
    folder = Path(root)
    planted = planted_data(
        folder,
        {"world": world.absolute(), "share": share, "wrong": wrong, "seed": seed},
        lambda data: plant_group_photos(world, data, share=share, wrong=wrong, seed=seed),
    )
    places = read_rows(planted, PLACES_FILE, PLACE_COLUMNS)
    truth, columns = read_truth(world), {}
    for name, data in (("as they came", world), ("group photos", planted)):
        request = RefineRequest.parse(
            ["image-folder", str(data / "photos")],
            detector,
            embedder,
            second_embedder=second_embedder,
            test_set=[str(world / "test")] if (world / "test").exists() else [],
        )
        for way, choose in (("rule", False), ("choice", True)):
            refined = _refine(f"{folder}/{data.name}_root", replace(request, choose=choose), truth)
            columns[f"{name}, {way}"] = _measures(refined, places, planted=data == planted)
    names = dict.fromkeys(name for column in columns.values() for name in column)
    measures = [{"measure": n, **{c: column.get(n, "") for c, column in columns.items()}} for n in names]
    kinds = [place["kind"] for place in places]
    return GroupPhotoFigures(measures, {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)})


def _refine(root: str, request: RefineRequest, truth: Truth) -> Refined:
    started = time.process_time()
    with root_lock(root):
        refinement = publish(root, build_refinement(root, request))
    seconds = time.process_time() - started
    return Refined(refinement, score(refinement.labels.batches(["key", "identity", "reason"]), truth), seconds)


def _measures(refined: Refined, places: Sequence[Place], *, planted: bool) -> dict[str, str]:
    """The measures of one refinement by name. planted: whether the photos at these places are group photos."""
    labels = refined.refinement.labels.read(["key", "identity", "reason"])
    fates = {key: fate for key, *fate in zip(*(labels[c].to_pylist() for c in labels.column_names), strict=True)}
    clean = [place for place in places if place["kind"] == "clean"]
    flips = [place for place in places if place["kind"] == "flip"]
    wrong = _wrong_faces(refined.refinement, clean) if planted else set[str]()
    lost = [p for p in clean if fates[p["path"]][0] is None and fates[p["path"]][1] not in NOT_LOST]
    moved = [p for p in clean if fates[p["path"]][0] is not None and fates[p["path"]][1] == "misplaced"]
    home = [p for p in flips if fates[p["path"]][1] == "misplaced"]
    s = refined.score
    return {
        "wrong face": _share(len(wrong), len(clean)) if planted else "",
        "kept with a wrong face": _share(sum(fates[key][0] is not None for key in wrong), len(clean))
        if planted
        else "",
        "lost": _share(len(lost), len(clean)),
        "relabelled": _share(len(moved), len(clean)),
        "flips among them found to be misplaced": _share(len(home), len(flips)),
        "all photos: noise found, F1": f"{s.noise.f1:.3f}",
        "all photos: wrong labels after": f"{s.noise_after:.2%}",
        "all photos: clean photos lost": _share(s.clean_lost, s.clean),
        "CPU seconds": f"{refined.seconds:.0f}",
    }


def _share(count: int, of: int) -> str:
    return f"{count / max(1, of):.2%} ({count} of {of})"


def _wrong_faces(refinement: Refinement, places: Sequence[Place]) -> set[str]:
    """The keys of those photos whose face lies outside the place of the photo's person; photos without a face do not
    count."""
    place_of = {place["path"]: place for place in places}
    wrong = set()
    for photos, faces in zip(refinement.photos.batches(["key"]), refinement.faces.batches(["landmarks"]), strict=True):
        for key, points in zip(photos["key"].to_pylist(), faces["landmarks"].to_pylist(), strict=True):
            if key in place_of and points is not None:
                x, y = np.array(points).reshape(5, 2).mean(0)
                x1, y1, x2, y2 = (int(place_of[key][side]) for side in ("x1", "y1", "x2", "y2"))
                if not (x1 <= x <= x2 and y1 <= y <= y2):
                    wrong.add(key)
    return wrong
