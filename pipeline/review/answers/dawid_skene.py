"""The error rates of all annotators, fitted to all answers at once: Dawid & Skene (Applied Statistics 28, 1979).

When many annotators answer the same questions, the model estimates their error rates from how often they agree; it
needs no gold questions.
"""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

MIN_ANNOTATORS = 5  # with fewer annotators the model is not fitted ...
MIN_SHARED = 100  # ... nor with fewer questions that two annotators or more answered


def fit_yes_probabilities(
    answers: Sequence[tuple[str, str, str]], expected: Mapping[str, str | None]
) -> dict[str, float]:
    """The probability of "yes", by question; an empty dict when no answer is "yes".

    answers: triples of question, annotator, and "yes" or "no"; expected: the known answers of gold questions.
    """
    import pandas as pd  # pandas and crowd-kit take a second to load, and only large reviews need them
    from crowdkit.aggregation import DawidSkene

    table = pd.DataFrame(list(answers), columns=["task", "worker", "label"])
    known = pd.Series(dict(expected), dtype=object) if expected else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandas warns about its use inside crowd-kit, which users cannot change
        fitted: Any = DawidSkene(n_iter=100).fit(table, true_labels=known).probas_
    if "yes" not in fitted.columns:
        return {}
    return {str(question): float(p) for question, p in fitted["yes"].items()}
