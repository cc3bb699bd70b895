"""The outline moved to the image's edge, on discs of known size."""

import numpy as np
import pytest
from scipy import ndimage

from spineseg_cli.core.outlines.contour import EDGE_RADIUS, move_to_edge

SPACINGS_MM = [(0.5, 0.5, 5.0), (1.0, 1.0, 1.0), (0.35, 0.6, 3.0)]


def disc(radius_mm, spacing_mm, shape_mm=(30, 34), slices=6, center_mm=(0.3, -0.2)):
    """The share of each voxel inside an ellipse of that mean radius."""
    fine = 8
    axes = [
        (np.arange(round(side / s) * fine) + 0.5) * s / fine - side / 2 - c
        for side, s, c in zip(shape_mm, spacing_mm, center_mm, strict=False)
    ]
    inside = np.hypot(axes[0][:, None] / 1.15, axes[1][None, :] * 1.15) < radius_mm
    share = inside.reshape(len(axes[0]) // fine, fine, -1, fine).mean(axis=(1, 3))
    return np.repeat(share[..., None], slices, axis=2)


def scan_of(share, cord=40.0, around=100.0, noise=2.0, seed=0):
    rng = np.random.default_rng(seed)
    blurred = ndimage.gaussian_filter(around + (cord - around) * share, (0.4, 0.4, 0))
    return blurred + noise * rng.standard_normal(share.shape)


def area_mm2(share, spacing_mm):
    return share.sum() * spacing_mm[0] * spacing_mm[1] / share.shape[2]


@pytest.mark.parametrize("spacing_mm", SPACINGS_MM)
@pytest.mark.parametrize(("cord", "around"), [(40.0, 100.0), (100.0, 40.0)])
@pytest.mark.parametrize("start", [0.9, 1.1])
def test_the_area_is_the_edges_wherever_it_starts(spacing_mm, cord, around, start):
    """Dark or bright surroundings; the start is a fifth too small or too large."""
    image = scan_of(disc(5.0, spacing_mm), cord, around)
    found = move_to_edge(image, disc(5.0 * start, spacing_mm), spacing_mm).fraction
    truth = np.pi * 5.0**2 * EDGE_RADIUS**2
    assert area_mm2(found, spacing_mm) == pytest.approx(truth, rel=0.03)


@pytest.mark.parametrize("blur", [0, 0.8, 1.5])
def test_an_outline_without_an_edge_stays(blur):
    """As gray as what is around it, in noise, which shows an edge on single rays."""
    spacing_mm = SPACINGS_MM[0]
    start = disc(5.0, spacing_mm)
    for seed in range(3):
        noise = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(start.shape), (blur, blur, 0))
        found = move_to_edge(noise, start, spacing_mm)
        assert np.abs(found.fraction - start).sum() < 0.05 * start.sum()
        assert found.moved_mm.mean() < 0.12


def test_shares_are_shares_and_slices_without_cord_stay():
    start = disc(5.0, SPACINGS_MM[0])
    start[:, :, 2] = 0
    start[30, 30, 2] = 0.7
    found = move_to_edge(scan_of(start), start, SPACINGS_MM[0]).fraction
    assert found.dtype == np.float32
    assert 0 <= found.min() < found.max() <= 1
    np.testing.assert_array_equal(found[:, :, 2], start[:, :, 2].astype(np.float32))


@pytest.mark.parametrize("shape_mm", [(14, 34), (13, 13)])
def test_a_narrow_field_of_view(shape_mm):
    """The cord reaches the image's edge, or nearly."""
    spacing_mm = (1.0, 1.0, 3.0)
    start = disc(5.0, spacing_mm, shape_mm, center_mm=(0, 0))
    found = move_to_edge(scan_of(start), start, spacing_mm).fraction
    assert found.shape == start.shape
    assert area_mm2(found, spacing_mm) == pytest.approx(area_mm2(start, spacing_mm), rel=0.08)


def test_a_cord_that_the_view_cuts_reaches_the_images_edge():
    """Also in sagittal slices so thick that the cord fills all of them."""
    spacing_mm = (4.0, 0.8, 0.8)
    start = np.zeros((3, 40, 5))
    start[:, 14:26] = 1
    found = move_to_edge(scan_of(start), start, spacing_mm).fraction
    assert (found[:, 16:24] > 0.9).all()


def test_pieces_beyond_a_gap_do_not_change_each_other():
    spacing_mm = (0.5, 0.5, 1.0)
    small, large = disc(3.0, spacing_mm, slices=4), disc(6.0, spacing_mm, slices=4)
    alone = scan_of(small, noise=0)
    both = np.concatenate([alone, scan_of(0 * small, noise=0), scan_of(large, noise=0)], axis=2)
    start = np.concatenate([small, 0 * small, large], axis=2)
    together, by_itself = (move_to_edge(*scan, spacing_mm).fraction for scan in ((both, start), (alone, small)))
    np.testing.assert_allclose(together[..., :4], by_itself, atol=0.05)
