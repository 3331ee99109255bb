"""The result of `refinery find`: the photos that may show the person, best first."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from flows.cli.result import Result
from flows.find.search import Candidate
from pipeline.noise.scores.far_curve import FarCurve, far_at

# at this cosine two pictures show one face, whatever the threshold: among few people it may be beyond 1
SURE_COSINE = 0.95


@dataclass(frozen=True)
class Match:
    """A photo that may show the person; needed: the cosine with which this pair would reach the threshold."""

    rank: int
    photo: str
    identity: str  # as claimed; in a refinement followed by the new identity, or the reason of removal
    cosine: float
    needed: float
    score: float  # normalised: the cosine in standard deviations of both faces' impostor cosines
    far: float  # the share of impostor pairs that score at least as high
    same: bool

    @classmethod
    def of(cls, rank: int, candidate: Candidate, far_curve: FarCurve, threshold: float) -> "Match":
        """The match of a candidate; threshold: on the normalised score; far_curve: scores by false accept rate."""
        needed = candidate.cosine + (threshold - candidate.score) / candidate.score_per_cosine
        return cls(
            rank,
            candidate.photo,
            candidate.identity,
            candidate.cosine,
            min(needed, SURE_COSINE),
            candidate.score,
            float(far_at(far_curve, np.array([candidate.score]))[0]),
            candidate.score >= threshold or candidate.cosine >= SURE_COSINE,
        )


@dataclass(frozen=True)
class FindResult(Result):
    """The matches of the face in a photo, best first, and the threshold on their scores."""

    photo: str
    faces: int  # in the query photo
    searched: int  # photos with a face
    threshold: float  # on the normalised score
    far: float
    matches: list[Match]
    sheet: str
    guess: bool  # the set has too few people to measure the threshold

    def rows(self) -> list[dict[str, Any]]:
        """One row for each photo."""
        return [
            {
                "rank": m.rank,
                "photo": m.photo,
                "identity": m.identity,
                "cosine": f"{m.cosine:.3f}",
                "needed": f"{m.needed:.3f}",
                "FAR at its score": f"{m.far:.1e}",
                "same": "yes" if m.same else "",
            }
            for m in self.matches
        ]

    def lines(self) -> list[str]:
        """The query, what the threshold means, and the file of the sheet."""
        which = f", the main one of {self.faces}" if self.faces > 1 else ""
        guess = ["few people are in this set, so the threshold is a guess: search among more people"] * self.guess
        expected = f"by chance {self.far * self.searched:.2g} of these photos reach it"
        return [
            f"the face in {self.photo}{which}, among {self.searched} photos with a face",
            f"same: a score of {self.threshold:.2f} or more, which a share of {self.far:g} of impostors reaches",
            f"needed: the cosine at which the pair has that score; {expected}",
            *guess,
            f"the faces: {self.sheet}",
        ]
