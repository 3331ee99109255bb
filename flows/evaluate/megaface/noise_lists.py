"""MegaFace refined: which probes are mislabelled, which distractors show probe people, and what that does to rank-1.

Reads a refinement of FaceScrub and the distractors (`refinery refine megaface ...`), writes the two lists in the form
that InsightFace published theirs in, and measures identification with and without them.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from flows.cli.options import Draws, OutFolder, Root
from flows.cli.result import Result
from flows.evaluate.megaface.noise_list_files import (
    DISTRACTOR_LIST,
    PROBE_LIST,
    distractor_name,
    probe_name,
    read_list,
    write_lists,
)
from flows.evaluate.megaface.unnamed_photos import FALSE_ALARMS, answers_on_unnamed, find_unnamed, read_unnamed
from pipeline.errors import UserError
from pipeline.refinement import Refinement, latest
from pipeline.tables.columns import vectors
from trainer.evaluation.identification import FARS, Identification, identify, replace_noisy_probes

log = logging.getLogger("refinery")
WRONG = frozenset({"outlier", "mixed", "misplaced", "split"})  # reasons that say "not the person of this name"


@dataclass(frozen=True)
class ListAgreement:
    """A list beside a published one, photos of this data only."""

    both: int
    ours_only: int
    theirs_only: int


@dataclass(frozen=True)
class MegaFaceLists(Result):
    """What was found, and what the figures are with and without it."""

    probes: int
    distractors: int
    noisy_probes: int
    noisy_distractors: int
    copies: int
    answered: int
    figures: list[dict[str, Any]]
    published: dict[str, ListAgreement]
    out: str

    def rows(self) -> list[dict[str, Any]]:
        """A line a figure: as it came, and refined."""
        return self.figures

    def lines(self) -> list[str]:
        """What was found, beside a published list where one was given."""
        beside = [
            f"{name}: {a.both} photos in both lists, {a.ours_only} in ours only, {a.theirs_only} in theirs only"
            for name, a in self.published.items()
        ]
        shown = f"{self.noisy_distractors} of {self.distractors} distractors show a probe's person"
        return [
            f"{self.noisy_probes} of {self.probes} probes are not the person of their name",
            f"{shown} (people answered about {self.answered}); {self.copies} show a picture again",
            *beside,
            f"[ ]: 95% interval over drawn people; lists: {self.out}/{PROBE_LIST}, {DISTRACTOR_LIST}",
        ]


def megaface(
    root: Root,
    out: OutFolder,
    published: Annotated[
        str, typer.Option(help=f"A folder with {PROBE_LIST} and {DISTRACTOR_LIST} to compare with.")
    ] = "",
    distractor_far: Annotated[
        float, typer.Option(help="FAR of the distractors' search: the share of them that may be listed wrongly.")
    ] = FALSE_ALARMS,
    draws: Draws = 1000,
) -> MegaFaceLists:
    """List the noisy photos of a refined MegaFace, and measure identification with and without them."""
    if not 0 < distractor_far < 0.5:
        raise UserError(f"--distractor-far {distractor_far:g}: give a share between 0 and 0.5")
    theirs = {name: read_list(Path(published, name)) for name in (PROBE_LIST, DISTRACTOR_LIST)} if published else {}
    done = latest(root)
    x, person, keys, noisy = _probes(done)
    unnamed = find_unnamed(done, false_alarms=distractor_far)
    if not unnamed.faces:
        raise UserError(f"{root} holds no unnamed photo with a face: refine FaceScrub and the distractors together")
    people = answers_on_unnamed(done)  # have the last word
    known = {face.key for face in unnamed.known if people.get(face.key) != "no"} | {
        k for k, v in people.items() if v == "yes"
    }
    ours = {
        PROBE_LIST: sorted(probe_name(k) for k, wrong in zip(keys, noisy, strict=True) if wrong),
        DISTRACTOR_LIST: sorted(distractor_name(k) for k in known),
    }
    write_lists(out, ours)
    log.info("%d probes, %d distractors: identification as they came, then refined", len(x), unnamed.faces)
    before = identify(x, person, (v for _, v in _blocks(done)))
    after = identify(replace_noisy_probes(x, person, noisy), person, (_without(v, k, known) for k, v in _blocks(done)))
    there = {PROBE_LIST: {probe_name(k) for k in keys}, DISTRACTOR_LIST: {distractor_name(k) for k, _ in _keys(done)}}
    return MegaFaceLists(
        len(x),
        unnamed.faces,
        int(noisy.sum()),
        len(known),
        len(unnamed.copies),
        len(people),
        list(_figures(before, after, draws)),
        {name: _agreed(set(ours[name]), found & there[name]) for name, found in theirs.items()},
        str(out),
    )


def _probes(done: Refinement) -> tuple[NDArray[np.float32], NDArray[Any], list[str], NDArray[np.bool_]]:
    """Vectors, people and keys of the named photos with a face, and which are not the person of their name."""
    x, person, keys, noisy = [], [], [], []
    tables = (done.labels.batches(), done.embeddings[0].batches(["x"]))
    for labels, embedded in zip(*tables, strict=True):
        found, there = vectors(embedded["x"])
        for i, row in enumerate(labels.to_pylist()):
            if there[i] and row["claimed"] is not None:
                x.append(found[i].astype(np.float32))
                person.append(row["claimed"])
                keys.append(row["key"])
                noisy.append(row["reason"] in WRONG)
    if not x:
        raise UserError(
            "the refinement holds no named photo with a face: refine FaceScrub and the distractors together"
        )
    return np.array(x), np.unique(person, return_inverse=True)[1], keys, np.array(noisy)


def _blocks(done: Refinement) -> Iterator[tuple[list[str], NDArray[np.float32]]]:
    for keys, x in read_unnamed(done):
        yield keys, np.asarray(x[0], np.float32)


def _keys(done: Refinement) -> Iterator[tuple[str, None]]:
    for keys, _ in _blocks(done):
        yield from ((k, None) for k in keys)


def _without(x: NDArray[np.float32], keys: list[str], known: set[str]) -> NDArray[np.float32]:
    """The vectors, those of listed distractors zero: they can never match."""
    return np.where(np.array([k in known for k in keys])[:, None], np.float32(0), x)


def _figures(before: Identification, after: Identification, draws: int) -> Iterator[dict[str, Any]]:
    for size in before.sizes:
        for k in (1, 10):
            yield {
                "figure": f"rank-{k}",
                "distractors": size,
                "pairs": before.pairs,
                "as it came": _shown(before.rank(k, size, samples=draws)),
                "refined": _shown(after.rank(k, size, samples=draws)),
            }
    for far in FARS:
        one, two = before.tar(far, samples=draws), after.tar(far, samples=draws)
        if one and two:
            few = far * before.impostor_pairs < 10
            yield {
                "figure": f"TAR@FAR={far:g}",
                "distractors": before.sizes[-1],
                "pairs": before.pairs,
                "as it came": _shown(one),
                "refined": _shown(two) + (" (few impostors)" if few else ""),
            }


def _shown(value: tuple[float, float, float]) -> str:
    return "{:.4f} [{:.4f}, {:.4f}]".format(*value)


def _agreed(ours: set[str], theirs: set[str]) -> ListAgreement:
    return ListAgreement(len(ours & theirs), len(ours - theirs), len(theirs - ours))
