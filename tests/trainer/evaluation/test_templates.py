"""Templates against slow references: pooled one by one, compared pair by pair, searched probe by probe."""

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.errors import UserError
from trainer.evaluation.templates import Templates, one_to_many, one_to_one, pool

Rows = NDArray[np.float32]


def drawn(seed: int, *, subjects: int = 12, spread: float = 0.9) -> tuple[Rows, Rows, Rows, Rows]:
    """Faces with template, medium and subject; every subject has three templates of one to three media."""
    rng = np.random.default_rng(seed)
    centres, rows = rng.normal(size=(subjects, 6)), []
    for subject in range(subjects):
        for t in range(3):
            for medium in range(rng.integers(1, 4)):
                for _ in range(rng.integers(1, 4)):
                    rows.append((3 * subject + t + 100, 10 * t + medium, subject))
    template, medium, subject = np.array(rows)[rng.permutation(len(rows))].T
    x = centres[subject] + rng.normal(0, spread, (len(rows), 6))
    return np.asarray(x, np.float32), template, medium, subject


def slow_pool(x: Rows, template: Rows, medium: Rows) -> dict[int, Rows]:
    templates = {}
    for t in sorted(set(template.tolist())):
        media = {m: x[(template == t) & (medium == m)].mean(0) for m in set(medium[template == t].tolist())}
        total = sum(media.values())
        templates[t] = total / np.linalg.norm(total)
    return templates


@pytest.mark.parametrize("norm", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_media_are_pooled_before_templates(norm: bool, weighted: bool) -> None:
    x, template, medium, subject = drawn(0)
    score = np.random.default_rng(1).random(len(x)) if weighted else None
    templates = pool(x, template, medium, subject=subject, score=score, norm=norm)
    weighted_faces = x if norm else x / np.linalg.norm(x, axis=1, keepdims=True)
    expected = slow_pool(weighted_faces if score is None else weighted_faces * score[:, None], template, medium)
    assert templates.ids.tolist() == list(expected)
    assert templates.x == pytest.approx(np.array(list(expected.values())), abs=1e-5)
    assert templates.subject.tolist() == [(t - 100) // 3 for t in expected]


def test_missing_faces_are_left_out_and_templates_of_only_such_faces_too() -> None:
    x, template, medium, _ = drawn(1)
    missing = template == template[0]
    missing[np.flatnonzero(template == template[np.flatnonzero(~missing)[0]])[0]] = True
    x[missing] = 0
    templates = pool(x, template, medium)
    expected = slow_pool(x[~missing], template[~missing], medium[~missing])
    assert templates.ids.tolist() == list(expected)
    assert templates.x == pytest.approx(np.array(list(expected.values())), abs=1e-5)
    with pytest.raises(UserError, match=f"names template {template[0]}, which has no media"):
        templates.rows(np.array([templates.ids[0], template[0]]), "the list")


def test_the_curve_equals_scikit_learns_and_a_rate_of_few_impostors_has_a_warning() -> None:
    from sklearn.metrics import roc_curve  # a second to load, and every test process reads this file

    x, template, medium, subject = drawn(2)
    templates = pool(x, template, medium, subject=subject)
    a, b = np.triu_indices(len(templates.ids), 1)
    same = templates.subject[a] == templates.subject[b]
    order = np.random.default_rng(0).permutation(len(a))  # the order of the pairs must not matter
    verified = one_to_one(
        templates, templates.ids[a[order]], templates.ids[b[order]], same[order], fars=(1e-3, 0.01, 0.1)
    )
    cosine = np.array([float(templates.x[i] @ templates.x[j]) for i, j in zip(a, b, strict=True)], np.float32)
    far, tar, _ = roc_curve(same, cosine, drop_intermediate=False)
    for rate, measured in verified.tar.items():
        assert measured.value == pytest.approx(tar[far <= rate].max())
        assert measured.low <= measured.value <= measured.high
        assert measured.trials == same.sum()
        assert bool(measured.warning) == (rate * (~same).sum() < 10)
    assert 0.2 < verified.tar[0.01].value < 1


def test_searches_equal_those_made_one_by_one() -> None:
    x, template, medium, subject = drawn(3)
    templates = pool(x, template, medium, subject=subject)
    is_enrolled = (templates.ids % 3 == 0) & (templates.subject % 2 == 0)  # every other subject, one template each
    is_probe = ~(templates.ids % 3 == 0)
    gallery, probes = (
        Templates(templates.ids[m], templates.x[m], templates.subject[m]) for m in (is_enrolled, is_probe)
    )
    order = np.random.default_rng(1).permutation(len(gallery.ids))  # a gallery need not be sorted by subject
    shuffled = Templates(gallery.ids[order], gallery.x[order], gallery.subject[order])
    searched = one_to_many(probes, shuffled, samples=50)
    ranks, mated_cosines, unmated_cosines = [], [], []
    for row, person in zip(probes.x, probes.subject, strict=True):
        cosines = {int(s): float(row @ g) for s, g in zip(gallery.subject, gallery.x, strict=True)}
        if person in cosines:
            ranks.append(1 + sum(c > cosines[person] for s, c in cosines.items() if s != person))
            mated_cosines.append(cosines[person])
        else:
            unmated_cosines.append(max(cosines.values()))
    assert (searched.mated, searched.unmated) == (len(ranks), len(unmated_cosines))
    for k, rate in searched.ranks.items():
        assert rate.value == pytest.approx(np.mean(np.array(ranks) <= k))
    for fpir, rate in searched.tpir.items():
        threshold = min(t for t in [*unmated_cosines, np.inf] if np.mean(np.array(unmated_cosines) > t) <= fpir)
        assert rate.value == pytest.approx(np.mean(np.array(mated_cosines) > threshold))
        assert rate.low <= rate.value <= rate.high
    assert searched.tpir[0.01].warning
    assert 0.1 < searched.ranks[1].value < 1


@pytest.mark.parametrize(
    ("subjects", "message"), [([0, 0], "holds subject 0 twice"), ([8, 9], "no probe's subject is in the gallery")]
)
def test_a_gallery_that_cannot_be_searched_raises_one_line(subjects: list[int], message: str) -> None:
    gallery = Templates(np.array([1, 2]), np.eye(2, dtype=np.float32), np.array(subjects))
    with pytest.raises(UserError, match=message):
        one_to_many(Templates(np.array([3]), np.ones((1, 2), np.float32), np.array([1])), gallery)


def test_pairs_that_are_all_impostors_raise_one_line() -> None:
    templates = Templates(np.array([1, 2]), np.eye(2, dtype=np.float32), np.array([0, 1]))
    with pytest.raises(UserError, match="all 1 template pairs are impostor pairs"):
        one_to_one(templates, np.array([1]), np.array([2]), np.array([False]))
