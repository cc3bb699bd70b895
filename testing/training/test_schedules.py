"""Learning rates compared with values computed by hand."""

import pytest

from testing.training.runs import CONFIG as TINY

pytestmark = pytest.mark.usefixtures("tensorflow")

CONFIG = TINY.with_changes({"optimizer": {"epochs": 10, "steps_per_epoch": 5, "learning_rate": 0.001}})


def scheduled(name, **options):
    return CONFIG.with_changes({"optimizer.schedule": {"name": name, **options}})


def rates(config, steps, phase=0):
    from spineseg_cli.training.schedules import build_schedule

    found = build_schedule(config, config.phases[phase])
    return found if isinstance(found, float) else [float(found(step)) for step in steps]


def test_poly():
    """lr0 (1 - n / N)^p, n in steps or in whole epochs"""
    from spineseg_cli.training.schedules import Span, poly

    span = Span(0.001, epochs=1000, steps_per_epoch=32, first_rate=0.001)
    by_step, by_epoch = poly(span), poly(span, per="epoch")
    assert float(by_step(0)) == float(by_epoch(31)) == pytest.approx(0.001)
    assert float(by_step(16_016)) == pytest.approx(0.001 * (1 - 500.5 / 1000) ** 0.9)
    assert float(by_epoch(16_016)) == pytest.approx(0.001 * 0.5**0.9)
    assert float(by_step(32_000)) == 0
    assert rates(CONFIG, [0, 25]) == pytest.approx([0.001, 0.001 * 0.5**0.9])
    assert rates(scheduled("poly", per="epoch"), [4, 29]) == pytest.approx([0.001, 0.001 * 0.5**0.9])


def test_constant():
    assert rates(scheduled("constant"), []) == 0.001


@pytest.mark.parametrize(
    ("options", "half"), [({"half_cycle": 4, "per": "step"}, 4), ({"half_cycle": 2, "per": "epoch"}, 10), ({}, 10)]
)
def test_triangular(options, half):
    """From 1e-5 up to 1e-3 in half a cycle, and down in the other."""
    steps = [0, half // 2, half, half + half // 2, 2 * half, 5 * half]
    middle = (1e-5 + 1e-3) / 2
    by_hand = [1e-5, middle, 1e-3, middle, 1e-5, 1e-3]
    config = scheduled("triangular", **options)
    assert rates(config, steps) == pytest.approx(by_hand, rel=1e-4)
    second = config.with_changes({"surgery": {"reinitialize": "decoder", "second_phase": {"learning_rate": 1e-4}}})
    assert rates(second, steps, phase=1) == pytest.approx([rate / 10 for rate in by_hand], rel=1e-4)


def test_exponential():
    from spineseg_cli.training.schedules import exponential

    schedule = exponential(1e-10, 1e1, 12)
    assert [float(schedule(step)) for step in (0, 1, 10, 11)] == pytest.approx([1e-10, 1e-9, 1, 10], rel=1e-4)


def test_reduce_on_plateau():
    from spineseg_cli.training.schedules import ReduceOnPlateau, Span

    def halved(rate, losses, *options):
        return ReduceOnPlateau(Span(rate, 10, 5, rate), *options).of_epoch(losses)

    losses = [5, 4, 4, 4.5, 3, 3, 3, 3, 3, 2]  # waits 2 after the third 4.., 2 after the 3, and 2 more
    by_hand = [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125]
    assert [halved(1, losses[:n], 0.5, 2) for n in range(len(losses) + 1)] == by_hand
    assert halved(0.8, [1, *[2] * 10]) == 0.4
    assert halved(0.8, [1, *[2] * 9]) == 0.8


def test_in_words():
    from spineseg_cli.training.report import rate_in_words, surgery_in_words

    assert rate_in_words(CONFIG) == "0.001, falling to 0 (power 0.9)"
    second = {"reinitialize": "decoder", "second_phase": {"freeze": "encoder"}}
    two = scheduled("constant").with_changes({"surgery": second})
    assert rate_in_words(two) == "0.001, then 1e-05, constant"
    assert surgery_in_words(two) == "decoder, encoder and bottleneck, then encoder"
    assert surgery_in_words(CONFIG) == "nothing, nothing"
    assert rate_in_words(scheduled("reduce_on_plateau")) == ("0.001, times 0.5 after 10 epochs without a lower validation loss")
    assert rate_in_words(scheduled("triangular")) == "0.001, up from 1e-05 and down, each in 2 epochs"
