"""What the intensities say about gray and white matter: on sections whose tissues are known."""

import numpy as np
import pytest

from spineseg_cli.core.outlines.tissue_evidence import LIMIT, tissue_log_odds, tissue_sections, with_tissue_evidence

SPACING_MM = 0.25


def section(contrast=1.0, noise=0.3, slope=0.0, seed=0):
    """Return the cord's and the gray matter's shares of one slice, shape (1, 60, 60), and its image."""
    x, y = np.meshgrid(*[np.arange(60) - 29.5] * 2, indexing="ij")
    cord = np.hypot(x / 24, y / 16) < 1
    gray = (np.abs(np.abs(x) - 7) < 3) & (np.abs(y) < 10) | (np.abs(x) < 8) & (np.abs(y) < 2)
    image = contrast * gray + slope * x / 24 + noise * np.random.default_rng(seed).standard_normal(x.shape) + 3 * ~cord
    return cord[None].astype(np.float32), gray[None], image[None].astype(np.float32)


def dice(first, second):
    return 2 * (first & second).sum() / (first.sum() + second.sum())


def log_odds(gray, cord, image):
    return tissue_log_odds(tissue_sections(gray, cord, image, SPACING_MM), range(len(gray)))


@pytest.mark.parametrize("slope", [0.0, 1.5])
@pytest.mark.parametrize("contrast", [1.0, -1.0])
def test_an_outline_that_a_network_draws_beside_the_edge_moves_to_it(contrast, slope):
    """Whichever tissue is brighter, and where one side of the cord is brighter than the other."""
    cord, gray, image = section(contrast, slope=slope)
    drawn = np.where(np.roll(gray, 1, axis=1), 0.7, 0.25) * cord  # a sample off, and unsure
    before = dice(drawn > 0.5, gray)
    after = dice(with_tissue_evidence(drawn, tissue_sections(drawn, cord, image, SPACING_MM), range(1), 0.5) > 0.5, gray)
    assert before < 0.88
    assert after > before + 0.05


@pytest.mark.parametrize("contrast", [1.0, -0.5])
def test_the_contrast_is_measured_in_deviations_of_the_noise(contrast):
    cord, gray, image = section(contrast)
    drawn = np.where(gray, 0.9, 0.1) * cord
    assert tissue_sections(drawn, cord, image, SPACING_MM)[0].contrast == pytest.approx(contrast / 0.3, rel=0.1)


def test_without_contrast_a_network_is_believed():
    cord, gray, image = section(contrast=0.0)
    odds = log_odds(np.where(gray, 0.9, 0.1) * cord, cord, image)
    assert np.abs(odds).mean() < 0.1


def test_what_evidence_may_do_has_bounds():
    cord, gray, image = section()
    image[0, 30, 30] = 1e6  # a vessel
    drawn = np.where(gray, 0.9, 0.1) * cord
    odds = log_odds(drawn, cord, image)
    assert np.abs(odds).max() <= LIMIT
    assert not odds[cord == 0].any()
    assert np.isfinite(odds).all()
    assert with_tissue_evidence(drawn, [], range(1), 0.0) is drawn


@pytest.mark.parametrize("cord_share", [0.0, 1.0])
@pytest.mark.parametrize("gray_share", [0.0, 1.0])
def test_slices_without_two_tissues_say_nothing(cord_share, gray_share):
    shape = (2, 30, 30)
    gray, cord = (np.full(shape, share, np.float32) for share in (gray_share * cord_share, cord_share))
    image = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    assert not log_odds(gray, cord, image).any()
    assert not any(section.contrast for section in tissue_sections(gray, cord, image, SPACING_MM))
    assert not log_odds(gray, cord, np.zeros(shape, np.float32)).any()


def test_the_slices_of_a_part_are_read_as_in_the_whole():
    """Neighbors' contrasts count, so that those beside the part have to be given."""
    stacks = [np.concatenate(stack) for stack in zip(*(section(0.2 * k, seed=k) for k in range(1, 10)), strict=True)]
    sections = tissue_sections(np.where(stacks[1], 0.9, 0.1) * stacks[0], stacks[0], stacks[2], SPACING_MM)
    whole = tissue_log_odds(sections, range(9))
    np.testing.assert_array_equal(tissue_log_odds(sections[1:8], range(3, 4)), whole[4:5])
