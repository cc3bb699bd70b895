"""How far the intensity in each slice is from that of the scan's cord."""

import numpy as np
import pytest

from spineseg_cli.core.localization.intensity_mismatch import LARGEST, intensity_mismatch

POSITIONS_MM = np.arange(20) * 10.0


def windows(inner, outer=200.0):
    """Twenty windows with a round section of intensity `inner`, a value or one a slice, and of probability 1."""
    x = np.arange(41) - 20.0
    section = (np.hypot(x[:, None], x[None]) <= 10).astype(np.float32)
    inner = np.broadcast_to(np.asarray(inner, float), 20)[:, None, None]
    return (outer + (inner - outer) * section).astype(np.float32), np.repeat(section[None], 20, axis=0)


def mismatch(images, probability, sure=None):
    sure = np.ones(20, bool) if sure is None else sure
    confidence = np.where(sure, 0.95, 0.3)
    return intensity_mismatch(images, probability, (confidence, confidence), POSITIONS_MM, 0.5)


def test_fluid_that_is_outlined_does_not_match_the_cord():
    intensity = np.full(20, 100.0)
    intensity[:5] = 180
    values = mismatch(*windows(intensity), sure=np.arange(20) >= 5)
    np.testing.assert_allclose(values[:4], 0.8, atol=0.05)
    np.testing.assert_allclose(values[6:], 0, atol=0.05)


@pytest.mark.parametrize(("scale", "offset"), [(1e-3, 0.0), (5.0, -700.0), (-1.0, 300.0)])
def test_units_and_contrast_of_the_scan_do_not_matter(scale, offset):
    images, probability = windows(np.linspace(100, 180, 20))
    sure = np.arange(20) >= 15
    np.testing.assert_allclose(
        mismatch(scale * images + offset, probability, sure), mismatch(images, probability, sure), atol=1e-3, rtol=1e-3
    )


def test_without_any_contrast_nothing_is_off():
    np.testing.assert_allclose(mismatch(*windows(200.0)), 0, atol=1e-6)


def test_it_is_bounded():
    intensity = np.full(20, 100.0)
    intensity[:5] = 10_000
    assert mismatch(*windows(intensity), sure=np.arange(20) >= 5).max() <= LARGEST
