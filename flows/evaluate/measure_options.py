"""The options of a measurement, in one record for all kinds of test sets."""

from dataclasses import dataclass

from flows.evaluate.by_group.person_groups import PersonGroups
from pipeline.tables.build import Workers
from trainer.evaluation.roc import NOT_ABOVE

# how the mirrored face's embedding joins the face's own where published figures do so: InsightFace's verification.py
# for .bin files, its ijb_11.py and ijb_1n.py for templates, AdaFace's validate_tinyface.py
MIRRORED = "add"


@dataclass(frozen=True)
class MeasureOptions:
    """The options of `refinery evaluate` that hold for all its test sets."""

    detector: str = ""  # the model's path; "" where all photos are aligned
    aligned: bool = False  # the photos are aligned crops
    weigh_by_norm: bool = True  # in templates a face's weight is its embedding's norm
    weigh_by_score: bool = True  # in templates a face's weight is the detector's score
    features: str = ""  # folder for embeddings in MegaFace's or Trillion-Pairs' format
    draws: int = 1000  # bootstrap samples of the test set for the intervals
    seed: int = 0  # of these samples
    workers: Workers = None
    far_rule: str = NOT_ABOVE  # how the threshold of a FAR is chosen, for pairs and templates
    groups: PersonGroups | None = None  # by which figures are measured a second time
    far: float = 1e-4  # at which impostors of different groups are compared
