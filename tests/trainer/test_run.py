"""Runs, recipes and the learning rate: values are checked, fields are replaced by values of their type."""

import math
from dataclasses import asdict, fields, replace

import pytest

from pipeline.errors import UserError
from trainer.loop.schedule import learning_rate
from trainer.recipes import RECIPES, recipe
from trainer.run import Run, differing_fields, folder_text, override, run_from_dict


def test_fields_are_replaced_by_typed_values() -> None:
    run = override(recipe("casia_r50"), {"lr": "0.2", "steps": "10", "recompute": "yes", "loss": "cosface"})
    assert (run.lr, run.steps, run.recompute, run.loss) == (0.2, 10, True, "cosface")
    assert differing_fields(run, replace(run, lr=0.3)) == ["lr 0.2 and 0.3"]


def test_every_recipe_equals_the_run_read_back_from_its_dict() -> None:
    for make in RECIPES.values():
        assert run_from_dict(asdict(make())) == make()


def test_a_run_of_before_norms_had_a_choice_keeps_its_meaning_and_its_folder() -> None:
    earlier = {name: value for name, value in asdict(Run()).items() if name != "norm"}
    assert run_from_dict(earlier) == replace(Run(), norm="sync")
    assert folder_text(Run()) == str(earlier)
    assert "'norm': 'sync'" in folder_text(replace(Run(), norm="sync"))


def test_recipes_of_one_paper_differ_only_in_what_the_paper_varies() -> None:
    """ArcFace v3, section 3.1: the depth, and the number of updates by data set; recompute changes no number."""
    casia, r50, r100 = (recipe(name) for name in ("casia_r50", "ms1m_r50", "ms1m_r100"))
    assert {field.split()[0] for field in differing_fields(casia, r50)} == {"steps", "schedule"}
    assert {field.split()[0] for field in differing_fields(r50, r100)} == {"backbone", "recompute"}
    assert casia.dropout == 0.4


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"lr": "fast"}, "lr 'fast': expected a number"),
        ({"steps": "1.5"}, "steps '1.5': expected a whole number"),
        ({"steps": "0"}, "steps 0: expected 1 to"),
        ({"lr": "inf"}, "lr inf: expected 0 or more, and finite"),
        ({"filter_cosine": "-3"}, "filter_cosine -3.0: expected more than 0, at most 1"),
        ({"compile": "maybe"}, "compile 'maybe': expected true or false"),
        ({"optimizer": "lion"}, "optimizer 'lion': expected one of sgd, adamw"),
        ({"norm": "both"}, "norm 'both': expected one of local, sync"),
        ({"schedule": "steps"}, "schedule 'steps': expected constant"),
        ({"schedule": "polynomial:-1"}, "schedule 'polynomial:-1': expected"),
        ({"schedule": "polynomial:inf"}, "schedule 'polynomial:inf': expected"),
        ({"input": "3x112x96"}, "input '3x112x96': expected 1 or 3 channels and a square"),
        ({"sample_rate": "0"}, "sample_rate 0.0: expected more than 0"),
        ({"accumulate": "5"}, "accumulate 5: expected a divisor of batch"),
        ({"dropout": "1"}, "dropout 1.0: expected"),
        ({"momentum": "1"}, "a run has no field momentum"),
    ],
)
def test_a_value_out_of_range_or_of_another_type_raises_one_line(texts: dict[str, str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        override(Run(), texts)


NUMBERS = {f.name: type(f.default) for f in fields(Run) if type(f.default) in (int, float)}
WRONG = [math.nan, math.inf, -math.inf, -3]


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, kind in NUMBERS.items() for value in (WRONG if kind is float else [*WRONG, 10**30])],
)
def test_every_number_is_checked_for_its_range(name: str, value: float) -> None:
    with pytest.raises(UserError, match=f"^{name} .*: expected"):
        Run(**{name: value})


def test_an_unknown_recipe_raises_one_line() -> None:
    with pytest.raises(UserError, match="no recipe is called r5000: give one of sample, casia_r50"):
        recipe("r5000")


def test_learning_rates_equal_hand_computed_ones() -> None:
    step = Run(lr=0.1, steps=30, schedule="step:10,20")
    assert [learning_rate(step, s) for s in (0, 9, 10, 19, 20, 29)] == pytest.approx(
        [0.1, 0.1, 0.01, 0.01, 0.001, 0.001]
    )
    warm = Run(lr=0.1, steps=30, schedule="constant", warmup=4)
    assert [learning_rate(warm, s) for s in (0, 1, 3, 4, 29)] == pytest.approx([0.025, 0.05, 0.1, 0.1, 0.1])
    for schedule, rate in (("polynomial", 0.025), ("polynomial:1", 0.05), ("polynomial:0.5", 0.1 * math.sqrt(0.5))):
        assert learning_rate(Run(lr=0.1, steps=100, schedule=schedule), 50) == pytest.approx(rate)
    line = Run(lr=0.1, steps=12, schedule="polynomial:1", warmup=2)
    assert [learning_rate(line, s) for s in (0, 1, 2, 7, 11)] == pytest.approx([0.05, 0.1, 0.1, 0.05, 0.01])
    assert learning_rate(Run(lr=0.1, steps=100, schedule="cosine"), 25) == pytest.approx(0.05 * (1 + math.sqrt(0.5)))
