"""`refinery score`: a finished refinement against a truth that is known photo by photo."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.cli.options import Root
from flows.cli.result import Result
from pipeline.refined.scoring import score as scorer
from pipeline.refined.scoring.known_truth import read_truth
from pipeline.refined.scoring.score import Score
from pipeline.refinement import latest

TruthFolder = Annotated[
    Path, typer.Argument(metavar="TRUTH", help="Folder with truth.tsv, as `refinery sample world` writes it.")
]


@dataclass(frozen=True)
class ScoreResult(Result):
    """What was wrong in a data set, what the refinement found of it, and what it threw away by mistake."""

    score: Score

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
        """How many photos were scored, and how many of them are kept."""
        return [f"{self.score.photos} photos, {self.score.kept} of them kept"]

    def as_json(self) -> dict[str, Any]:
        """Every figure by its name; null where there was nothing to measure."""
        values = asdict(self.score)
        for name, rate in (("noise", self.score.noise), ("duplicates", self.score.duplicates)):
            values[name] = {**rate._asdict(), "f1": rate.f1}
        return values | {"overlap": self.score.overlap._asdict()}


def score(root: Root, truth: TruthFolder) -> ScoreResult:
    """Score a refinement against a known truth: noise found, clean photos lost, duplicates, merges, splits, overlap.

    TRUTH holds truth.tsv (path, claimed, person, kind, of), and may hold identities.tsv (claimed, persons) and
    overlap.tsv (claimed), all tab-separated: what each file means is in pipeline/README.md.
    """
    known_truth = read_truth(truth)
    return ScoreResult(scorer.score(latest(root).labels.batches(["key", "identity", "reason"]), known_truth))


def _pair(precision: float | None, recall: float | None) -> str:
    return " / ".join("-" if value is None else f"{value:.3f}" for value in (precision, recall))
