"""Losses and metrics compared with values computed by hand."""

import numpy as np
import pytest

from spineseg_cli.errors import InputError
from spineseg_cli.training.choices import LOSSES

pytestmark = pytest.mark.usefixtures("tensorflow")

# One class: found 1.5, missed 0.5, falsely found 0.5. The other: found 1, missed 1, falsely found 0.25.
REFERENCE = [[1, 1], [1, 1], [0, 0], [0, 0]]
PREDICTION = [[0.5, 1], [1, 0], [0.5, 0.25], [0, 0]]


def batch(*values):
    return [np.asarray(x, np.float32).reshape(1, 2, 2, -1) for x in values]


def of(name, reference=REFERENCE, prediction=PREDICTION, **options):
    from spineseg_cli.training.losses import build_loss

    return float(build_loss(name, **options)(*batch(reference, prediction)))


def test_dice():
    """-(2 sum(p r) + eps) / (sum p + sum r + eps), averaged over classes"""
    assert of("dice") == pytest.approx(-((2 * 1.5 + 1) / (2 + 2 + 1) + (2 * 1 + 1) / (1.25 + 2 + 1)) / 2)
    assert of("dice", epsilon=0) == pytest.approx(-(0.75 + 2 / 3.25) / 2)
    assert of("dice", [1, 1, 0, 0], [1, 1, 0, 0]) == pytest.approx(-1)
    assert of("dice", [0.5, 0, 0, 0], [0.5, 0, 0, 0], epsilon=0) == pytest.approx(-0.5)


def test_slices_of_a_batch_are_taken_together():
    from spineseg_cli.training.losses import dice_loss

    empty_and_full = np.array([0, 0, 1, 1], np.float32).reshape(2, 2, 1, 1)
    half = np.full((2, 2, 1, 1), 0.5, np.float32)
    assert float(dice_loss(empty_and_full, half, 0)) == pytest.approx(-2 * 1 / (2 + 2))


def test_dice_and_cross_entropy():
    total = of("dice_cross_entropy", [1, 1, 0, 0], [0.5] * 4, weight=2.0)
    assert total == pytest.approx(-(2 * 1 + 1) / (2 + 2 + 1) + 2 * np.log(2), rel=1e-5)


def test_tversky():
    """1 - (TP + eps) / (TP + alpha FN + beta FP + eps)"""
    by_hand = [1 - 2.5 / (1.5 + 0.6 * 0.5 + 0.4 * 0.5 + 1), 1 - 2 / (1 + 0.6 * 1 + 0.4 * 0.25 + 1)]
    assert of("tversky") == pytest.approx(np.mean(by_hand))
    only_missed = of("tversky", [1, 1, 0, 0], [1, 0, 0, 0], alpha=0.9, beta=0.1, epsilon=0)
    only_false = of("tversky", [1, 0, 0, 0], [1, 1, 0, 0], alpha=0.9, beta=0.1, epsilon=0)
    assert (only_missed, only_false) == (pytest.approx(1 - 1 / 1.9), pytest.approx(1 - 1 / 1.1))
    assert of("tversky", alpha=0.5, beta=0.5, epsilon=0) == pytest.approx(1 + of("dice", epsilon=0))


def test_focal_tversky():
    """(1 - TI)^(1/gamma), a class"""
    errors = np.array([1 - 2.5 / 3.0, 1 - 2 / 2.7])
    assert of("focal_tversky") == pytest.approx(np.mean(errors ** (1 / 1.33)), rel=1e-5)
    assert of("focal_tversky", gamma=1) == pytest.approx(of("tversky"), rel=1e-5)


def test_focal_tversky_has_a_gradient_where_the_overlap_is_perfect(tensorflow):
    from spineseg_cli.training.losses import build_loss

    reference = tensorflow.constant(batch([1, 1, 0, 0])[0])
    with tensorflow.GradientTape() as tape:
        tape.watch(reference)
        loss = build_loss("focal_tversky")(reference, reference)
    assert np.isfinite(tape.gradient(loss, reference).numpy()).all()


def test_options_of_a_loss_are_those_that_its_configuration_may_give():
    for name, entry in LOSSES.items():
        assert of(name, **entry.options) == of(name), name
        assert all(of(name, **{option: 0.2}) != of(name) for option in entry.options), name


def test_unknown_names_are_refused():
    from spineseg_cli.training.losses import build_loss

    with pytest.raises(InputError, match="'hinge' is not one of the losses; expected one of dice, "):
        build_loss("hinge")


def test_the_metric_of_an_epoch_is_over_all_of_its_batches():
    from spineseg_cli.training.metrics import SoftDice

    score = SoftDice(1)
    score.update_state(*batch(REFERENCE, PREDICTION))
    score.update_state(*batch(np.zeros((4, 2)), np.full((4, 2), 0.1)))  # nothing there, something found: not a perfect value
    assert float(score.result()) == pytest.approx(2 * 1 / (2 + 1.25 + 0.4))


def test_matthews_correlation():
    """(TP TN - FP FN) / sqrt((TP + FP) (TP + FN) (TN + FP) (TN + FN)), over all batches"""
    from spineseg_cli.training.metrics import MatthewsCorrelation

    score = MatthewsCorrelation(1)
    score.update_state(*batch(np.tile([[0, 1]], (4, 1)), [[1, 0.9], [1, 0.6], [0, 0.8], [0, 0.2]]))  # 3 found, 1 missed
    score.update_state(*batch(np.zeros((4, 2)), [[0, 0.7], [0, 0.7], [0, 0.1], [0, 0.5]]))  # 2 false, 2 right
    assert float(score.result()) == pytest.approx((3 * 2 - 2 * 1) / np.sqrt(5 * 4 * 4 * 3))
    score.reset_state()
    score.update_state(*batch(np.zeros((4, 2)), np.zeros((4, 2))))
    assert float(score.result()) == 0, "not defined"
    perfect = np.tile([[0.2, 0.9], [0.1, 0.3]], (2, 1))
    score.update_state(*batch(perfect, perfect))
    assert float(score.result()) == pytest.approx(1)


def test_metrics_are_built_by_name():
    from spineseg_cli.training.metrics import build_metrics

    names = [metric.name for metric in build_metrics(["dice", "mcc"], ["gray_matter", "cord"])]
    assert names == ["dice_gray", "dice_cord", "mcc_gray", "mcc_cord"]


def test_cross_entropy_is_least_where_a_sample_has_its_share():
    """Of a sample that is 0.3 inside, no other answer costs less: 0.5 is the outline."""
    losses = {answer: of("cross_entropy", [0.3] * 4, [answer] * 4) for answer in (0.1, 0.25, 0.3, 0.35, 0.5)}
    assert min(losses, key=losses.get) == 0.3
