"""The area inside the image's edge: right on phantoms, the same from any mask, and flagged where there is no edge."""

import numpy as np
import pytest
from scipy import ndimage

from spineseg_cli.morphometry import measure_cord
from testing.morphometry.shapes import Tube, binary, draw

TUBE = Tube(tilt_deg=(5, 15), roll_deg=5)


def scan(share, cord=100.0, around=300.0, noise=3.0, blur_vx=0.4, seed=0):
    """An image of a cord in brighter or darker surroundings, blurred and noisy."""
    sharp = ndimage.gaussian_filter(share.data.astype(float), (blur_vx, blur_vx, 0))
    noise = np.random.default_rng(seed).normal(0, noise, share.shape)
    return share.with_data((around + (cord - around) * sharp + noise).astype(np.float32))


@pytest.mark.parametrize("spacing", [(0.5, 0.5, 0.5), (1.0, 1.0, 1.0), (0.5, 0.5, 5.0), (0.8, 0.8, 3.0)])
@pytest.mark.parametrize("around", [300.0, 30.0])
def test_the_area_of_a_phantom(spacing, around):
    share = draw(TUBE, spacing, length_mm=25, shift_mm=(0.1, 0.2, 0))
    found = measure_cord(binary(share), image=scan(share, around=around))
    values = found.profile.values["area_edge_mm2"]
    assert found.edge.is_visible.all()
    np.testing.assert_allclose(values.mean(), TUBE.area_mm2, rtol=0.01)
    np.testing.assert_allclose(values, TUBE.area_mm2, rtol=0.03)
    errors = found.profile.errors["area_edge_mm2"]
    assert (np.abs(values - TUBE.area_mm2) < 3 * errors).mean() > 0.95
    assert errors.max() < 0.04 * TUBE.area_mm2


@pytest.mark.parametrize("factor", [0.85, 1.15])
def test_it_hardly_depends_on_the_mask(factor):
    share = draw(TUBE, (0.7, 0.7, 2.0), length_mm=25)
    image = scan(share)
    other = Tube(semi_mm=(6 * factor, 4 * factor), tilt_deg=TUBE.tilt_deg, roll_deg=TUBE.roll_deg)
    mask = binary(draw(other, (0.7, 0.7, 2.0), length_mm=25, margin_mm=12 - 6 * factor))
    assert mask.shape == share.shape
    first = measure_cord(binary(share), image=image).profile.values["area_edge_mm2"]
    found = measure_cord(mask, image=image).profile.values
    np.testing.assert_allclose(found["area_edge_mm2"], first, rtol=0.01)
    assert abs(found["area_mm2"].mean() / first.mean() - 1) > 0.2, "the masks themselves are far apart"


def test_the_direction_is_that_of_the_edge():
    """A mask that leans by 12 degrees: its own area is 2 % less for that, and the edge's is not."""
    share = draw(Tube(tilt_deg=(0, 0)), (0.7, 0.7, 2.0), length_mm=24)
    leaning = draw(Tube(semi_mm=(5.0, 3.4), tilt_deg=(12, 0)), (0.7, 0.7, 2.0), length_mm=24, margin_mm=7)
    data = np.zeros(share.shape, np.uint8)
    low = [(a - b) // 2 for a, b in zip(leaning.shape, share.shape, strict=True)]
    data[:] = binary(leaning).data[low[0] : low[0] + share.shape[0], low[1] : low[1] + share.shape[1]]
    found = measure_cord(share.with_data(data), image=scan(share))
    assert np.abs(found.profile.values["angle_AP_deg"]).mean() > 10
    np.testing.assert_allclose(found.edge.area_mm2, Tube().area_mm2, rtol=0.01)


def test_a_cord_as_gray_as_its_surroundings_is_flagged():
    share = draw(TUBE, length_mm=15)
    found = measure_cord(binary(share), image=scan(share, around=101.0, noise=10.0))
    assert not found.edge.is_visible.any()
    assert all("edge_not_visible" in flag for flag in found.profile.flags)


def test_an_edge_whose_area_is_unknown_is_flagged():
    """Three of twelve slices show the cord, between noise: the error of their area is above a tenth."""
    share = draw(TUBE, (0.5, 0.5, 5.0), length_mm=60)
    sharp = scan(share, noise=0).data.copy()
    sharp[..., :-3] = 200
    noise = np.random.default_rng(2).normal(0, 60, share.shape)
    edge = measure_cord(binary(share), image=share.with_data((sharp + noise).astype(np.float32))).edge
    assert (edge.error > 0.15 * edge.area_mm2).all()
    assert not edge.is_visible.any()


def test_the_edge_of_something_else_is_flagged():
    """A cord as gray as the fluid around it, in a sac of half as much again: the edge is the sac's."""
    sac = draw(Tube(semi_mm=(9, 6)), (0.7, 0.7, 2.0), length_mm=20, margin_mm=3)
    cord = draw(Tube(), (0.7, 0.7, 2.0), length_mm=20)
    assert sac.shape == cord.shape
    for mask_of in (cord, draw(Tube(semi_mm=(7, 4.7)), (0.7, 0.7, 2.0), length_mm=20, margin_mm=5)):
        found = measure_cord(binary(mask_of), image=scan(sac))
        far = np.sqrt(found.profile.values["area_edge_mm2"] / found.profile.values["area_mm2"]) > 1.25
        assert not (found.edge.is_visible & far).any()


def test_a_root_that_touches_the_cord_does_not_count():
    """A bump of a millimeter on a bright background: the mask that includes it is 2 % too large, the edge is not."""
    share = draw(Tube(), length_mm=10)
    x, y, _ = (np.indices(share.shape) - np.reshape([(n - 1) / 2 for n in share.shape], (3, 1, 1, 1))) * 0.5
    root = (np.hypot(x - 4.2, y - 3.4) < 0.7).astype(np.float32)
    both = share.with_data(np.maximum(share.data, root))
    found = measure_cord(binary(both), image=scan(both)).profile.values
    assert found["area_mm2"].mean() > 1.01 * Tube().area_mm2
    np.testing.assert_allclose(found["area_edge_mm2"].mean(), Tube().area_mm2, rtol=0.01)


def test_all_orders_agree(stored_as):
    share = draw(TUBE, (0.7, 0.7, 2.0), length_mm=15)
    image = scan(share)
    first = measure_cord(binary(share), image=image).profile.values["area_edge_mm2"]
    for codes in ("RAS", "PIR", "SAL", "IPL"):
        found = measure_cord(stored_as(binary(share), codes), image=stored_as(image, codes)).profile.values
        np.testing.assert_allclose(found["area_edge_mm2"], first, rtol=1e-6)


def test_a_single_slice():
    share = draw(Tube(), (0.5, 0.5, 5.0), length_mm=5)
    found = measure_cord(binary(share), image=scan(share)).profile.values
    np.testing.assert_allclose(found["area_edge_mm2"], Tube().area_mm2, rtol=0.02)


def test_an_edge_that_turns_to_the_dura_is_flagged():
    """Fluid nearly as gray as the cord, in a wide sac that is near the cord behind: the edge follows the sac there.

    No other rule flags it: the area is less than half as much again, and the edge is sharp.
    """
    cord = draw(Tube(), (0.7, 0.7, 2.0), length_mm=20, margin_mm=6)
    x, y, _ = (np.indices(cord.shape) - np.reshape([(n - 1) / 2 for n in cord.shape], (3, 1, 1, 1))) * 0.7
    sac = np.clip(0.5 + (7.5 - np.hypot(x * 0.9, y - 2.8)) / 0.7, 0, 1)

    def edge(fluid):
        sharp = fluid * sac + (300.0 - fluid) * cord.data
        noise = np.random.default_rng(1).normal(0, 6, cord.shape)
        image = cord.with_data((ndimage.gaussian_filter(sharp, (0.4, 0.4, 0)) + noise).astype(np.float32))
        return measure_cord(binary(cord), image=image).edge

    alike, dark = edge(fluid=220.0), edge(fluid=30.0)
    large = alike.area_mm2 > 1.3 * Tube().area_mm2
    assert large.sum() > 4
    assert not (alike.is_visible & large).any()
    np.testing.assert_allclose(dark.area_mm2, Tube().area_mm2, rtol=0.01)
    assert dark.is_visible.all()
