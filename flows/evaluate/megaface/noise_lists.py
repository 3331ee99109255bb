"""`refinery megaface`: lists mislabelled probes and distractors that show probe people, and measures without them.

It reads a refinement of FaceScrub and the distractors (`refinery refine ROOT megaface ...`), writes the two lists in
the format of those that InsightFace published, and measures identification with and without the listed photos.
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
    check_lists,
    compared_name,
    distractor_name,
    log_unmatched,
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
WRONG = frozenset({"outlier", "mixed", "misplaced", "split"})  # reasons of photos that do not show their claimed person


@dataclass(frozen=True)
class ListAgreement:
    """How many photos of this data our list and a published one name both, and each alone."""

    both: int
    ours_only: int
    theirs_only: int


@dataclass(frozen=True)
class MegaFaceLists(Result):
    """The numbers of photos and of listed ones, and the figures with and without the listed photos.

    duplicates: distractors that are duplicates of others; answered: distractors about which people answered;
    published: by list.
    """

    probes: int
    distractors: int
    noisy_probes: int
    noisy_distractors: int
    duplicates: int
    answered: int
    figures: list[dict[str, Any]]
    published: dict[str, ListAgreement]
    out: str

    def rows(self) -> list[dict[str, Any]]:
        """One row for each figure: with all photos, and without the listed ones."""
        return self.figures

    def lines(self) -> list[str]:
        """How many photos are listed, the agreement with published lists, and where the lists are."""
        agreement = [
            f"{name}: {a.both} photos in both lists, {a.ours_only} in ours only, {a.theirs_only} in theirs only"
            for name, a in self.published.items()
        ]
        distractors = f"{self.noisy_distractors} of {self.distractors} distractors show a probe's person"
        return [
            f"{self.noisy_probes} of {self.probes} probes do not show their claimed person",
            f"{distractors} (people answered about {self.answered}); {self.duplicates} are duplicates",
            *agreement,
            f"[ ]: 95% interval over drawn people; lists: {self.out}/{PROBE_LIST}, {DISTRACTOR_LIST}",
        ]


def megaface(
    root: Root,
    out: OutFolder,
    published: Annotated[
        str, typer.Option(help=f"A folder with {PROBE_LIST} and {DISTRACTOR_LIST} to compare with.")
    ] = "",
    distractor_far: Annotated[
        float, typer.Option(help="FAR of the search in the distractors: the share of them that may be listed wrongly.")
    ] = FALSE_ALARMS,
    draws: Draws = 1000,
) -> MegaFaceLists:
    """List the noisy photos of a refined MegaFace, and measure identification with and without them."""
    if not 0 < distractor_far < 0.5:
        raise UserError(f"--distractor-far {distractor_far:g}: give a share between 0 and 0.5")
    check_lists(out, root)
    theirs = {name: read_list(Path(published, name)) for name in (PROBE_LIST, DISTRACTOR_LIST)} if published else {}
    refinement = latest(root)
    x, person, keys, noisy = _probes(refinement)
    unnamed = find_unnamed(refinement, false_alarms=distractor_far)
    if not unnamed.faces:
        raise UserError(f"{root} holds no unnamed photo with a face: refine FaceScrub and the distractors together")
    answers = answers_on_unnamed(refinement)  # they overrule the search
    known = {face.key for face in unnamed.known if answers.get(face.key) != "no"} | {
        key for key, answer in answers.items() if answer == "yes"
    }
    ours = {
        PROBE_LIST: sorted(probe_name(k) for k, wrong in zip(keys, noisy, strict=True) if wrong),
        DISTRACTOR_LIST: sorted(distractor_name(k) for k in known),
    }
    write_lists(out, ours)
    log.info("%d probes, %d distractors: identification as they came, then refined", len(x), unnamed.faces)
    before = identify(x, person, (block for _, block in _distractors(refinement)))
    clean_distractors = (_without(block, block_keys, known) for block_keys, block in _distractors(refinement))
    after = identify(replace_noisy_probes(x, person, noisy), person, clean_distractors)
    in_data = {
        PROBE_LIST: {compared_name(probe_name(k)) for k in keys},
        DISTRACTOR_LIST: {
            compared_name(distractor_name(k)) for block_keys, _ in _distractors(refinement) for k in block_keys
        },
    }
    for name, listed in theirs.items():
        log_unmatched(name, listed - in_data[name])
    return MegaFaceLists(
        len(x),
        unnamed.faces,
        int(noisy.sum()),
        len(known),
        len(unnamed.duplicates),
        len(answers),
        list(_figures(before, after, draws)),
        {
            name: _agreement(set(map(compared_name, ours[name])), listed & in_data[name])
            for name, listed in theirs.items()
        },
        str(out),
    )


def _probes(refinement: Refinement) -> tuple[NDArray[np.float32], NDArray[Any], list[str], NDArray[np.bool_]]:
    """Embeddings [n, d], numbers of claimed persons [n] and keys [n] of the named photos with a face, and which of
    these do not show their claimed person [n]."""
    x, person, keys, noisy = [], [], [], []
    tables = (refinement.labels.batches(), refinement.embeddings[0].batches(["x"]))
    for labels, embeddings in zip(*tables, strict=True):
        shard_x, has_face = vectors(embeddings["x"])
        for i, row in enumerate(labels.to_pylist()):
            if has_face[i] and row["claimed"] is not None:
                x.append(shard_x[i].astype(np.float32))
                person.append(row["claimed"])
                keys.append(row["key"])
                noisy.append(row["reason"] in WRONG)
    if not x:
        raise UserError(
            "the refinement holds no named photo with a face: refine FaceScrub and the distractors together"
        )
    return np.array(x), np.unique(person, return_inverse=True)[1], keys, np.array(noisy)


def _distractors(refinement: Refinement) -> Iterator[tuple[list[str], NDArray[np.float32]]]:
    """Keys [n] and embeddings [n, d] of the unnamed photos with a face, by the first embedder, shard by shard."""
    for keys, x in read_unnamed(refinement):
        yield keys, np.asarray(x[0], np.float32)


def _without(x: NDArray[np.float32], keys: list[str], known: set[str]) -> NDArray[np.float32]:
    """The embeddings, with zeros for the known distractors, which then never match."""
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
        tar_before, tar_after = before.tar(far, samples=draws), after.tar(far, samples=draws)
        if tar_before and tar_after:
            few = far * before.impostor_pairs < 10
            yield {
                "figure": f"TAR@FAR={far:g}",
                "distractors": before.sizes[-1],
                "pairs": before.pairs,
                "as it came": _shown(tar_before),
                "refined": _shown(tar_after) + (" (few impostors)" if few else ""),
            }


def _shown(value: tuple[float, float, float]) -> str:
    return "{:.4f} [{:.4f}, {:.4f}]".format(*value)


def _agreement(ours: set[str], theirs: set[str]) -> ListAgreement:
    return ListAgreement(len(ours & theirs), len(ours - theirs), len(theirs - ours))
