"""Standard errors: intervals that hold the truth as often as they say, and means that shrink only as far as they may."""

import numpy as np
import pytest
from scipy import ndimage

from spineseg_cli.morphometry import measure_cord
from spineseg_cli.morphometry.tables.rows import make_rows
from spineseg_cli.morphometry.uncertainty import lattice_sd, neighborhood, scatter_sd
from testing.morphometry.shapes import Tube, binary, draw


@pytest.mark.parametrize("blur_mm", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("step_mm", [0.5, 1.0, 3.0])
def test_scatter_is_that_of_the_errors(blur_mm, step_mm):
    """Of white and of slow errors on a profile that rises and bends: 95 % intervals hold the truth in 85 to 98 % of slices."""
    rng = np.random.default_rng(0)
    position = np.arange(0, 90, step_mm)
    truth = 60 + 10 * np.sin(position / 30)
    held = []
    for _ in range(40):
        white = rng.normal(size=len(position) + 40)
        noise = (ndimage.gaussian_filter1d(white, blur_mm / step_mm) if blur_mm else white)[20:-20]
        noise = noise / noise.std() * rng.uniform(0.9, 1.1)
        least = np.full(len(position), 0.01)
        sd, _ = scatter_sd(position, truth + noise, np.ones(len(position)), least, neighborhood(position))
        held.append(np.mean(np.abs(noise) < 1.96 * sd))
    assert 0.85 < np.mean(held) < 0.985


def test_the_lattice_of_a_binary_mask():
    """The area of an ellipse on a grid of 1 mm, wherever the grid lies: its spread is the one that is expected."""
    rng = np.random.default_rng(0)
    areas = []
    x, y = np.meshgrid(np.arange(-8, 9), np.arange(-6, 7), indexing="ij")
    for _ in range(2000):
        dx, dy = rng.uniform(0, 1, 2)
        areas.append((((x + dx) / 6) ** 2 + ((y + dy) / 4) ** 2 <= 1).sum())
    perimeter = np.array([31.7])
    assert np.std(areas) == pytest.approx(lattice_sd(perimeter, 1.0, soft=False)[0], rel=0.15)


def test_intervals_hold_the_truth_on_noisy_masks():
    """Outlines moved at random, soft and binary: see `testing.benchmarks.measures` for 200 varied ones."""
    rng = np.random.default_rng(1)
    held = []
    for number in range(8):
        tube = Tube(semi_mm=(rng.uniform(5, 6.5), rng.uniform(3.5, 4.2)), tilt_deg=tuple(rng.uniform(-20, 20, 2)))
        share = draw(tube, (0.7, 0.7, 1.5), length_mm=45, shift_mm=tuple(rng.uniform(-0.3, 0.3, 3)))
        moved = share.data.copy()
        for k in range(share.shape[2]):
            moved[..., k] = np.clip(
                share.data[..., k] + rng.normal(0, 0.25) * (4 * share.data[..., k] * (1 - share.data[..., k])), 0, 1
            )
        mask = share.with_data(moved)
        profile = measure_cord(binary(mask) if number % 2 else mask).profile
        held.append(np.abs(profile.values["area_mm2"] - tube.area_mm2) < 1.96 * profile.errors["area_mm2"])
    assert 0.9 < np.concatenate(held).mean() < 0.995


def test_a_mean_shrinks_with_the_slices_that_err_independently():
    """The voxels of an upright binary cord are alike in every slice, and their error does not shrink; an oblique one's does."""
    upright, oblique = (
        make_rows(measure_cord(binary(draw(Tube(tilt_deg=(0, tilt)), length_mm=20))), slices=range(5, 35)) for tilt in (0, 20)
    )
    single = make_rows(measure_cord(binary(draw(Tube(), length_mm=20))), slices=[20])
    assert upright[0]["area_mm2_se"] == pytest.approx(single[0]["area_mm2_se"], rel=0.05)
    assert oblique[0]["area_mm2_se"] < 0.5 * single[0]["area_mm2_se"]


def test_sizes_that_have_the_same_mask_are_in_its_interval():
    """At 0.5 mm, upright cylinders of 3.96 to 4.13 mm about a voxel's corner have one mask: no method tells them apart."""
    small, large = (binary(draw(Tube(semi_mm=(r, r)), length_mm=15, margin_mm=10 - r)) for r in (3.96, 4.13))
    np.testing.assert_array_equal(small.data, large.data)
    profile = measure_cord(small).profile
    wide = 1.96 * profile.errors["area_mm2"]
    for radius in (3.96, 4.13):
        assert (np.abs(profile.values["area_mm2"] - np.pi * radius**2) < wide).all()
    oblique = measure_cord(binary(draw(Tube(semi_mm=(4, 4), tilt_deg=(20, 10)), length_mm=15))).profile
    assert oblique.errors["area_mm2"].mean() < 0.3 * profile.errors["area_mm2"].mean()


def test_directions_that_have_the_same_mask_are_in_its_interval():
    """Cylinders turned by 0.3 degrees to either side over 15 mm have one mask as well."""
    turned = [Tube(semi_mm=(4.04, 4.04), tilt_deg=(0, angle)) for angle in (-0.3, 0.3)]
    first, second = (binary(draw(tube, length_mm=15, margin_mm=5.92)) for tube in turned)
    np.testing.assert_array_equal(first.data, second.data)
    profile = measure_cord(first).profile
    assert (np.abs(profile.values["angle_RL_deg"]) + 0.3 < 1.96 * profile.errors["angle_RL_deg"]).all()


def test_a_blurred_mask_is_in_doubt():
    """What a network is unsure of is not known as well as what it is sure of."""
    share = draw(Tube(), length_mm=10)
    blurred = share.with_data(ndimage.gaussian_filter(share.data, (1.5, 1.5, 0)).astype(np.float32))
    sharp, soft = (measure_cord(volume).profile for volume in (share, blurred))
    assert soft.errors["area_mm2"].mean() > 5 * sharp.errors["area_mm2"].mean()
    np.testing.assert_allclose(soft.values["area_mm2"], sharp.values["area_mm2"], rtol=0.03)
    np.testing.assert_allclose(soft.values["diameter_AP_mm"], sharp.values["diameter_AP_mm"], atol=0.3)
