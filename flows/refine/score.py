"""`refinery score`: a finished refinement against a truth that is known photo by photo."""

import logging
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import typer

from flows.cli.options import Each, Megabytes, Root, Seed
from flows.cli.result import Result, text_table
from pipeline.errors import UserError
from pipeline.refined.scoring.clean_lost import LostPhotos, clean_lost, read_measures
from pipeline.refined.scoring.kinds_of_noise import NoiseKind, noise_kinds
from pipeline.refined.scoring.known_truth import read_truth
from pipeline.refined.scoring.score import Score, in_order_of_truth, score_photos
from pipeline.refined.scoring.scored_photos import ScoredPhotos
from pipeline.refinement import latest

log = logging.getLogger("refinery")
TruthFolder = Annotated[
    Path, typer.Argument(metavar="TRUTH", help="Folder with truth.tsv, as `refinery sample world` writes it.")
]


@dataclass(frozen=True)
class ScoreResult(Result):
    """What was wrong in a data set, what the refinement found of it, and what it threw away by mistake."""

    score: Score
    kinds: Sequence[NoiseKind] = ()
    clean_lost: Sequence[LostPhotos] = ()
    page: dict[str, Any] = field(default_factory=dict)  # of the mistakes: its file and what it shows; {}: there is none

    def rows(self) -> list[dict[str, Any]]:
        """The rows of the README's table of results, and further ones."""
        s = self.score
        merged = f"{s.merged} of {s.persons_under_two_identities}; {s.split} of {s.claimed_identities_of_two_persons}"
        values = {
            "noise found, F1 (precision / recall)": f"{s.noise.f1:.3f} ({_pair(s.noise.precision, s.noise.recall)})",
            "wrong labels, before and after": f"{s.noise_before:.1%} and {s.noise_after:.1%}",
            "clean photos lost": f"{s.clean_lost / max(1, s.clean):.2%} ({s.clean_lost} of {s.clean})",
            "photos under another identity relabelled": f"{s.flips_relabelled} of {s.flips}",
            "persons under two identities merged; identities of two persons split": merged,
            "duplicates, precision / recall": _pair(s.duplicates.precision, s.duplicates.recall),
            "identities that are in the test set, precision / recall": _pair(s.overlap.precision, s.overlap.recall),
            "files without a face that were kept": f"{s.junk_kept}",
        }
        return [{"measure": measure, "value": value} for measure, value in values.items()]

    def lines(self) -> list[str]:
        """How many photos were scored, the rates by kind of noise, the clean photos lost, and the page."""
        lines = [f"{self.score.photos} photos, {self.score.kept} of them kept"]
        if self.kinds:
            lines += ["", "by kind of noise; in brackets 95% intervals by a bootstrap over claimed identities", ""]
            lines += text_table([kind.row() for kind in self.kinds])
        if self.clean_lost:
            lines += ["", "clean photos removed as noise, as a share of such photos", ""]
            lines += text_table([lost.row() for lost in self.clean_lost])
        if self.page:
            shown = f"{self.page['mistakes']} mistakes with {self.page['faces']} faces"
            lines += ["", f"{shown}; open in a browser: {self.page['file']}"]
        return lines

    def as_json(self) -> dict[str, Any]:
        """Every figure by its name; null where there was nothing to measure."""
        values = asdict(self.score)
        for name, rate in (("noise", self.score.noise), ("duplicates", self.score.duplicates)):
            values[name] = {**rate._asdict(), "f1": rate.f1}
        return values | {
            "overlap": self.score.overlap._asdict(),
            "page": self.page,
            "kinds": [kind.as_json() for kind in self.kinds],
            "clean_lost_by": [lost.as_json() for lost in self.clean_lost],
        }


def score(
    root: Root,
    truth: TruthFolder,
    *,
    out: Annotated[
        Path | None, typer.Option("--out", help="An HTML file to write, with the faces of the mistakes.")
    ] = None,
    each: Each = 60,
    megabytes: Megabytes = 12.0,
    seed: Seed = 0,
) -> ScoreResult:
    """Score a refinement against a known truth: noise found by kind, clean photos lost, duplicates, merges, splits.

    TRUTH holds truth.tsv (path, claimed, person, kind, of), and may hold identities.tsv (claimed, persons) and
    overlap.tsv (claimed), all tab-separated: what each file means is in pipeline/README.md. With --out a page shows
    the faces of every kind of mistake.
    """
    if each < 1 or not 0 <= megabytes < math.inf:
        raise UserError(f"--each {each} --megabytes {megabytes:g}: give 1 or more, and 0 or more")
    if out is not None:
        from flows.refine.mistakes_page import check_page  # charts take a second to load, and most scores need none

        check_page(out, root)
    known_truth, refinement = read_truth(truth), latest(root)
    columns = ("key", "face_id", "claimed", "identity", "reason", "score", "finding_id")
    labels = in_order_of_truth(
        pa.concat_tables(refinement.labels.batches(columns if out else ("key", "identity", "reason"))), known_truth
    )
    photos = ScoredPhotos(labels, known_truth)
    result = ScoreResult(
        score_photos(photos, known_truth),
        noise_kinds(photos, known_truth, seed=seed),
        clean_lost(photos, known_truth, read_measures(refinement, known_truth), seed=seed),
    )
    if out is None:
        return result
    from flows.refine.mistakes_page import write_mistakes

    log.info("score: %d photos scored", len(labels))
    sections = {"kinds": [k.row() for k in result.kinds], "lost": [lost.row() for lost in result.clean_lost]}
    page = write_mistakes(
        out, refinement, labels, (photos, known_truth), sections, per_kind=each, max_bytes=int(megabytes * 1e6)
    )
    return ScoreResult(result.score, result.kinds, result.clean_lost, page)


def _pair(precision: float | None, recall: float | None) -> str:
    return " / ".join("-" if value is None else f"{value:.3f}" for value in (precision, recall))
