"""What a calibration was measured on, so that people can tell a measured threshold from an assumed one."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

GUESS_SHARE = 0.5  # from this share of assumption on, thresholds are called a guess


class CalibrationBasis(NamedTuple):
    """The sample behind a calibration, and how far its thresholds can be trusted."""

    identities: int = 0  # of the data set, in the sample
    references: int = 0  # identities in the sample that are no part of the data set, such as those of --reference
    faces: int = 0  # in the sample, of both
    persons: int = 0  # whose faces were compared: clusters of faces where identities are few, else the identities
    impostor_pairs: int = 0  # of faces
    spread: float = 0.0  # standard error of the threshold at FAR 0.003, fused score, over a choice of other persons
    assumed: float = 0.0  # share, 0 to 1, of the thresholds that is an assumption about all embedders, not measured

    @property
    def is_guess(self) -> bool:
        """Whether the thresholds are more an assumption than a measurement."""
        return self.assumed > GUESS_SHARE

    @classmethod
    def of(cls, values: Mapping[str, float]) -> "CalibrationBasis":
        """The basis in a mapping of its fields, such as an older refinement may lack."""
        return cls(**{name: value for name, value in values.items() if name in cls._fields})  # type: ignore[arg-type]

    def line(self, references: Sequence[str] = ()) -> str:
        """How the thresholds came about, in one line; references: the names of the reference photos."""
        if not self.faces:
            return "it is not recorded how they came about"
        names = f", those of {', '.join(references)} among them" if references else ""
        reference = f" and {self.references:,} other people{names}" if self.references else ""
        measured = (
            f"measured on {self.impostor_pairs:,} impostor pairs of {self.faces:,} faces, {self.persons:,} persons, "
            f"from {self.identities:,} identities of the data{reference}; "
            f"spread of the threshold at FAR 0.003: {self.spread:.2f}"
        )
        return f"{measured}; {self.assumed:.0%} of it is assumed" if self.assumed else measured

    def warning(self) -> str:
        """One line that says that the thresholds are a guess and what to do about it; "" where they are not."""
        if not self.is_guess:
            return ""
        return (
            f"the thresholds are a guess: {self.persons:,} persons are too few to measure impostor scores on; give "
            "photos of a hundred other people with --reference PATH, or run `refinery calibrate EMBEDDER PATH` once"
        )
