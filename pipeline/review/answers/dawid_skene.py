"""How each annotator errs, fitted to all answers at once: the model of Dawid & Skene (Applied Statistics 28, 1979).

Where many annotators share many questions, how often they agree tells their error rates without any gold question.
"""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

MIN_ANNOTATORS = 5  # from which on the model is fitted ...
MIN_SHARED = 100  # ... when so many questions were answered by two or more of them


def fit_yes_probabilities(
    answers: Sequence[tuple[str, str, str]], expected: Mapping[str, str | None]
) -> dict[str, float]:
    """The probability of "yes" by question; nothing where nobody answered "yes".

    answers: question, annotator and "yes" or "no"; expected: the known answers of gold questions.
    """
    import pandas as pd  # both take a second to load, and only large reviews need them
    from crowdkit.aggregation import DawidSkene

    table = pd.DataFrame(list(answers), columns=["task", "worker", "label"])
    known = pd.Series(dict(expected), dtype=object) if expected else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pandas, about what crowd-kit will have to change
        fitted: Any = DawidSkene(n_iter=100).fit(table, true_labels=known).probas_
    if "yes" not in fitted.columns:
        return {}
    return {str(question): float(p) for question, p in fitted["yes"].items()}
