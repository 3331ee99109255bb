"""MegaFace in `refinery evaluate`: probes among distractors, by a model or by embeddings of the development kit.

There are figures of all photos and, where facescrub_noises.txt and megaface_noises.txt lie in the folder, figures
without the photos that these lists name. Trillion-Pairs has the same measures for other photos: TAR at FAR 1e-9, and
the share of probes whose mate ranks first.
"""

import logging
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flows.evaluate.by_group.figures import nobody, of_group
from flows.evaluate.by_group.group_results import GroupResults
from flows.evaluate.embeddings import embed_test_faces
from flows.evaluate.measure_options import MeasureOptions
from flows.evaluate.megaface.embeddings import MegaFaceEmbeddings, Probes, StoredEmbeddings, write_devkit_files
from flows.evaluate.megaface.noise_list_files import (
    DISTRACTOR_LIST,
    PROBE_LIST,
    compared_name,
    distractor_name,
    log_unmatched,
    probe_name,
    read_list,
)
from flows.evaluate.pair_sets import NoDetector
from flows.evaluate.results import Figure, MeasuredTestSet, Measurement
from flows.evaluate.verify_pairs import few_passing
from flows.refine.source_pairs import survey_sources
from flows.refine.tables import SourcePaths, build_faces, build_photos
from pipeline.faces.detect import OnnxDetector
from pipeline.faces.protocols import FaceEmbedder
from pipeline.sources.index import Source
from pipeline.tables.table import Table
from trainer.evaluation.by_group.group_pairs import NO_GROUP
from trainer.evaluation.identification import FARS, FPR, Identification, identify, replace_noisy_probes

log = logging.getLogger("refinery")
Models = Mapping[str, FaceEmbedder | StoredEmbeddings]


def recognise(path: str) -> bool:
    """Whether a folder holds distractors under their photographers (375/37531198@N00), at most two folders down."""
    root = Path(path)
    return root.is_dir() and any(any(root.glob(f"{above}[0-9]*/*@N*")) for above in ("", "*/"))


def measure(root: str, models: Models, path: str, options: MeasureOptions) -> list[Measurement]:
    """The figures of each model on all probes and distractors in a folder, and on those that are in no noise list.

    Photos without a face are left out; options.features: a folder to which the models' embeddings are written. Raises
    UserError for a set without probes or distractors.
    """
    name = Path(path).absolute().name
    source = Source(name, "megaface", str(Path(path).absolute()))
    survey_sources([source])  # tells what its lists leave out, and refuses lists that leave no probe
    photos, source_paths = build_photos(root, [source], workers=options.workers)
    embedders = {title: model for title, model in models.items() if not isinstance(model, StoredEmbeddings)}
    tables = _embed(root, photos, source_paths, embedders, options)
    noise = {n: read_list(Path(path, n)) for n in (PROBE_LIST, DISTRACTOR_LIST) if Path(path, n).is_file()}
    for list_name, listed in noise.items():
        log_unmatched(list_name, listed - _names(photos, list_name))
    figures: dict[str, list[Figure]] = {}
    by_group: dict[str, GroupResults] = {}
    test_sets: dict[str, MeasuredTestSet] = {}
    for title, model in models.items():
        stored = model if isinstance(model, StoredEmbeddings) else None
        embeddings = MegaFaceEmbeddings(photos, tables.get(title), stored)
        probes = embeddings.probes()
        if options.features and stored is None:
            write_devkit_files(Path(options.features, title), title, embeddings, probes)
        for test_set, removed in {name: {}, **({f"{name} refined": noise} if noise else {})}.items():
            noisy = _in_list(map(probe_name, probes.keys), removed.get(PROBE_LIST, ()))
            x = replace_noisy_probes(probes.x, probes.person, noisy)
            distractors = _distractors(embeddings, removed.get(DISTRACTOR_LIST, ()))
            identified = identify(x, probes.person, distractors)
            log.info("%s: %s identified among %d distractors", test_set, title, identified.sizes[-1])
            pairs = identified.pairs
            figures.setdefault(test_set, []).extend(_figures(test_set, title, identified, options))
            by_group.setdefault(test_set, GroupResults()).extend(
                _of_groups(test_set, title, identified, probes, options)
            )
            test_sets[test_set] = MeasuredTestSet(test_set, path, pairs, pairs, probes.missing)
    return [Measurement(test_sets[name], figures[name], by_group=by_group[name]) for name in test_sets]


def _of_groups(
    test_set: str, title: str, identified: Identification, probes: Probes, options: MeasureOptions
) -> GroupResults:
    """The figures of the probes of each group of people, among all distractors and at thresholds of all probes."""
    if options.groups is None:
        return GroupResults()
    photos = np.bincount(probes.person)
    with_mate = [name for name, n in zip(probes.people, photos.tolist(), strict=True) if n > 1]  # as identify() numbers
    number = options.groups.numbers(with_mate, test_set)
    if (number == NO_GROUP).all():
        return nobody(test_set)
    return GroupResults(
        [
            figure
            for g in np.unique(number[number != NO_GROUP]).tolist()
            for figure in of_group(
                options.groups.names[g],
                _figures(test_set, title, identified.of_people(number == g), options),
            )
        ]
    )


def _embed(
    root: str,
    photos: Table,
    source_paths: SourcePaths,
    embedders: Mapping[str, FaceEmbedder],
    options: MeasureOptions,
) -> dict[str, Table]:
    """The embeddings table of each model; where all embeddings are stored, no photo is read."""
    if not embedders:
        return {}
    detector = NoDetector() if options.aligned else OnnxDetector(options.detector)
    faces = build_faces(root, photos, source_paths, detector, aligned=options.aligned, workers=options.workers)
    return {
        title: embed_test_faces(root, faces, embedder, workers=options.workers) for title, embedder in embedders.items()
    }


def _names(photos: Table, list_name: str) -> set[str]:
    """The names of the set's photos as the list of that name is compared with them."""
    name_of = probe_name if list_name == PROBE_LIST else distractor_name
    return {compared_name(name_of(key)) for rows in photos.batches(["key"]) for key in rows["key"].to_pylist()}


def _in_list(names: Iterator[str], listed: Collection[str]) -> NDArray[np.bool_]:
    """Which names [n] are in a list."""
    return np.array([compared_name(name) in listed for name in names], bool)


def _distractors(embeddings: MegaFaceEmbeddings, noisy: Collection[str]) -> Iterator[NDArray[np.float32]]:
    """Blocks of unit embeddings; those of listed distractors are zeros, which never match."""
    for keys, x in embeddings.distractors():
        listed = _in_list(map(distractor_name, keys), noisy)
        yield np.where(listed[:, None], np.float32(0), x)


def _figures(test_set: str, title: str, identified: Identification, options: MeasureOptions) -> Iterator[Figure]:
    """Rank-1 and rank-10 among each number of distractors, TAR at each FAR, and the share of mates ranked first."""
    draws, seed = options.draws, options.seed

    def figure(name: str, value: tuple[float, float, float] | None, passing: float = np.inf) -> Iterator[Figure]:
        if value is not None:
            low, high = value[1:] if draws else (None, None)
            yield Figure(test_set, name, title, "", value[0], low, high, few_passing(passing))

    for size in identified.sizes:
        for k in (1, 10):
            yield from figure(f"rank-{k} of {size:,}", identified.rank(k, size, samples=draws, seed=seed))
    for far in FARS:
        tar = identified.tar(far, samples=draws, seed=seed)
        yield from figure(f"TAR@FAR={far:g}", tar, far * identified.impostor_pairs)
    first = identified.rank_1_at_fpr(samples=draws, seed=seed)
    yield from figure(f"first at FPR={FPR:g}", first, FPR * identified.probes)
