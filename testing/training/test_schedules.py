"""Learning rates against values by hand."""

from dataclasses import replace

import numpy as np
import pytest

from spineseg_cli.core.inference.runtime import import_tensorflow
from spineseg_cli.training.config import TrainingConfig

RECIPE = Recipe(name="tiny", network={"name": "unet2d"}, epochs=10, steps=5, learning_rate=0.001)


@pytest.fixture(scope="module", autouse=True)
def tensorflow():
    return import_tensorflow()


def rates(recipe, steps, phase=0):
    from spineseg_cli.training.phases import phases_of
    from spineseg_cli.training.schedules import rate_at_start

    found = rate_at_start(recipe, phases_of(recipe)[phase])
    return found if isinstance(found, float) else [float(found(step)) for step in steps]


def test_poly():
    """lr0 (1 - n / N)^p, n in steps or in whole epochs"""
    from spineseg_cli.training.schedules import Poly

    by_step, by_epoch = Poly(0.001, 1000 * 32, 0.9), Poly(0.001, 1000, 0.9, hold=32)
    assert float(by_step(0)) == float(by_epoch(31)) == pytest.approx(0.001)
    assert float(by_step(16_016)) == pytest.approx(0.001 * (1 - 500.5 / 1000) ** 0.9)
    assert float(by_epoch(16_016)) == pytest.approx(0.001 * 0.5**0.9)
    assert float(by_step(32_000)) == 0
    assert rates(RECIPE, [0, 25]) == pytest.approx([0.001, 0.001 * 0.5**0.9])
    assert rates(replace(RECIPE, decay_by="epoch"), [4, 29]) == pytest.approx([0.001, 0.001 * 0.5**0.9])


def test_constant():
    assert rates(replace(RECIPE, schedule="constant"), []) == 0.001


@pytest.mark.parametrize(
    ("options", "half"), [({"half_cycle": 4, "by": "step"}, 4), ({"half_cycle": 2, "by": "epoch"}, 10), ({}, 10)]
)
def test_triangular(options, half):
    """From 1e-5 up to 1e-3 in half a cycle, and down in the other."""
    steps = [0, half // 2, half, half + half // 2, 2 * half, 5 * half]
    middle = (1e-5 + 1e-3) / 2
    by_hand = [1e-5, middle, 1e-3, middle, 1e-5, 1e-3]
    recipe = replace(RECIPE, schedule={"name": "triangular", **options})
    assert rates(recipe, steps) == pytest.approx(by_hand, rel=1e-4)
    second = replace(recipe, surgery="expansion", unfreeze={"learning_rate": 1e-4})
    assert rates(second, steps, phase=1) == pytest.approx([rate / 10 for rate in by_hand], rel=1e-4)


def test_exponential():
    from spineseg_cli.training.schedules import Exponential

    schedule = Exponential(1e-10, 1e1, 12)
    assert [float(schedule(step)) for step in (0, 1, 10, 11)] == pytest.approx([1e-10, 1e-9, 1, 10], rel=1e-4)


def test_halved():
    from spineseg_cli.training.schedules import halved

    losses = [5, 4, 4, 4.5, 3, 3, 3, 3, 3, 2]  # waits 2 after the third 4.., 2 after the 3, and 2 more
    by_hand = [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125]
    assert [halved(1, losses[:n], 0.5, 2) for n in range(len(losses) + 1)] == by_hand
    assert halved(0.8, [1, *[2] * 10]) == 0.4
    assert halved(0.8, [1, *[2] * 9]) == 0.8


@pytest.mark.parametrize("name", ["Poly", "Triangular", "Exponential"])
def test_schedules_are_rebuilt(name):
    from spineseg_cli.training import schedule

    first = getattr(schedule, name)(1e-3, 10.0, 7)
    assert np.array_equal(first(3), type(first).from_config(first.get_config())(3))


def test_in_words():
    from spineseg_cli.training.phases import parts_in_words, rate_in_words

    assert rate_in_words(RECIPE) == "0.001, falling to 0 (power 0.9)"
    two = replace(RECIPE, schedule="constant", surgery="expansion", unfreeze={"keep": "contraction"})
    assert rate_in_words(two) == "0.001, then 1e-05, constant"
    assert parts_in_words(two) == "expansion, contraction and bottleneck, then contraction"
    assert parts_in_words(RECIPE) == "nothing, nothing"
    assert rate_in_words(replace(RECIPE, schedule="halve")) == (
        "0.001, times 0.5 after 10 epochs without a lower validation loss"
    )
    assert rate_in_words(replace(RECIPE, schedule="triangular")) == "0.001, up from 1e-05 and down, each in 2 epochs"
