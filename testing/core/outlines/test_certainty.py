"""How sure a network is of a mask, by its own probabilities."""

import numpy as np
import pytest

from spineseg_cli.core.outlines.certainty import averaged_weight, expected_dice, is_visible


def test_the_dice_coefficient_to_be_expected():
    """It is 1 if the network is sure, and falls with the probability inside the outline and with that outside."""
    sure, unsure, outside, nothing = np.zeros((4, 10, 10))
    sure[2:8, 2:8] = unsure[2:8, 2:8] = outside[2:8, 2:8] = 1
    unsure[2:8, 2:5] = 0.6
    outside[2:8, 8] = 0.4
    inside = 36
    expected = [1, 2 * (18 + 10.8) / (28.8 + inside), 2 * inside / (inside + 2.4 + inside), 0]
    assert expected_dice(np.stack([sure, unsure, outside, nothing]), 0.5) == pytest.approx(expected)


def test_it_is_the_mean_over_masks_that_are_drawn_by_the_probabilities():
    """The estimate is a ratio of means, so it is compared where the mask has many voxels."""
    rng, probability = np.random.default_rng(0), np.linspace(0, 1, 4000).reshape(1, 40, 100) ** 2
    inside = probability > 0.5
    drawn = rng.random((200, 40, 100)) < probability
    scores = 2 * (drawn & inside).sum(axis=(1, 2)) / (drawn.sum(axis=(1, 2)) + inside.sum())
    assert expected_dice(probability, 0.5)[0] == pytest.approx(scores.mean(), abs=0.005)


def test_the_less_sure_a_network_is_the_more_it_sees_of_neighbors():
    """The weight is by the median slice: one slice without gray matter does not count."""
    sure = np.zeros((3, 10, 10))
    sure[:2, 2:8, 2:8] = 1
    blurred = [np.clip(sure, low, 1 - low) for low in np.linspace(0, 0.2, 9)]
    weights = [averaged_weight(probability, 0.5) for probability in blurred]
    assert weights == sorted(weights)
    assert (weights[0], weights[-1]) == (0, 1)
    assert any(0 < weight < 1 for weight in weights)


@pytest.mark.parametrize(("contrasts", "visible"), [([], True), ([2.0, 0, 2], True), ([-2.0], True), ([2.0, 0, 0], False)])
def test_gray_matter_is_visible_by_its_median_contrast(contrasts, visible):
    assert is_visible(contrasts) is visible
