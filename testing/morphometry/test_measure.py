"""Measures of shapes whose size is known, and of masks as they come."""

from functools import cache

import numpy as np
import pytest
from skimage.measure import regionprops

from spineseg_cli.core.image.volume import Volume
from spineseg_cli.errors import InputError
from spineseg_cli.morphometry import measure_cord
from testing.morphometry.shapes import Tube, binary, draw

ISOTROPIC = (0.5, 0.5, 0.5)
THICK = (0.5, 0.5, 5.0)
SAGITTAL = (0.8, 0.8, 4.0)


def values_of(volume, **options):
    return measure_cord(volume, **options).profile.values


@pytest.mark.parametrize("spacing", [ISOTROPIC, (1.0, 1.0, 1.0), THICK, SAGITTAL, (4.0, 0.8, 0.8)])
@pytest.mark.parametrize("tilt", [(0, 0), (45, 0), (0, 45), (30, 30)])
def test_soft_masks_are_measured_exactly(spacing, tilt):
    """To 0.3 % of the area, 0.1 mm of the diameters and 0.3 degrees, whatever the voxel, the tilt and the position."""
    tube = Tube(tilt_deg=tilt, roll_deg=10)
    found = values_of(draw(tube, spacing, length_mm=30, shift_mm=(0.1, 0.4, 0.2)))
    np.testing.assert_allclose(found["area_mm2"].mean(), tube.area_mm2, rtol=0.003)
    np.testing.assert_allclose(found["area_mm2"], tube.area_mm2, rtol=0.01)
    np.testing.assert_allclose(found["diameter_RL_mm"], 12, atol=0.1)
    np.testing.assert_allclose(found["diameter_AP_mm"], 8, atol=0.1)
    np.testing.assert_allclose(found["angle_AP_deg"], tilt[0], atol=0.3)
    np.testing.assert_allclose(found["angle_RL_deg"], tilt[1], atol=0.3)
    np.testing.assert_allclose(found["orientation_deg"], 10, atol=1.0)


@cache
def finely_measured(tube):
    return values_of(draw(tube, (0.3, 0.3, 0.8), length_mm=12))


@pytest.mark.parametrize("spacing", [(4.0, 0.8, 0.8), (0.8, 4.0, 0.8), (3.3, 0.5, 0.5)])
@pytest.mark.parametrize("tube", [Tube(bean_mm=3.0), Tube(bean_mm=3.0, tilt_deg=(20, 20), roll_deg=10), Tube(semi_mm=(4.0, 4.0))])
def test_soft_masks_of_long_voxels(tube, spacing):
    """To 0.1 mm of the diameters in four columns of voxels or fewer, wherever the cord lies on them."""
    fine = finely_measured(tube)
    for part in (0.0, 0.1, 0.3):
        found = values_of(draw(tube, spacing, shift_mm=(part * spacing[0], part * spacing[1], 0.2)))
        np.testing.assert_allclose(found["area_mm2"], tube.area_mm2, rtol=0.01)
        for name in ("diameter_RL_mm", "diameter_AP_mm"):
            np.testing.assert_allclose(found[name], fine[name].mean(), atol=0.1)


@pytest.mark.parametrize("tilt", [(0, 0), (15, 25)])
def test_binary_masks_of_half_a_millimeter(tilt):
    tube = Tube(tilt_deg=tilt)
    found = values_of(binary(draw(tube, shift_mm=(0.1, 0.2, 0.05))))
    np.testing.assert_allclose(found["area_mm2"].mean(), tube.area_mm2, rtol=0.01)
    np.testing.assert_allclose(found["area_mm2"], tube.area_mm2, rtol=0.02)
    np.testing.assert_allclose(found["diameter_AP_mm"].mean(), 8, atol=0.1)
    np.testing.assert_allclose(found["diameter_RL_mm"].mean(), 12, atol=0.1)
    np.testing.assert_allclose(found["angle_RL_deg"], tilt[1], atol=0.3)


def test_shifts_of_parts_of_a_voxel():
    tube = Tube(tilt_deg=(10, 15))
    first, found = values_of(draw(tube)), values_of(draw(tube, shift_mm=(0.25, 0.4, 0.1)))
    np.testing.assert_allclose(found["area_mm2"].mean(), first["area_mm2"].mean(), rtol=0.002)


def test_a_bent_cord_keeps_its_direction_up_to_both_ends():
    """On a bend of 80 mm radius the tilt goes from -14.5 to 14.5 degrees within the volume; its ends are the hardest."""
    profile = measure_cord(draw(Tube(bend_mm=80), length_mm=40)).profile
    height = profile.frame.position_mm - profile.frame.position_mm.mean()
    np.testing.assert_allclose(profile.values["angle_RL_deg"], np.rad2deg(np.arcsin(height / 80)), atol=0.3)
    np.testing.assert_allclose(profile.values["area_mm2"], Tube().area_mm2, rtol=0.01)
    np.testing.assert_allclose(profile.values["length_mm"].sum(), 2 * 80 * np.arcsin(20 / 80), rtol=0.002)


def test_a_bean():
    tube = Tube(bean_mm=3.0)
    found, ellipse = values_of(draw(tube, length_mm=5)), values_of(draw(Tube(), length_mm=5))
    np.testing.assert_allclose(found["area_mm2"], tube.area_mm2, rtol=0.005)
    fine = binary(draw(tube, (0.1, 0.1, 1.0), length_mm=1)).data[:, :, 0]
    np.testing.assert_allclose(found["solidity"], regionprops(fine.astype(int))[0].solidity, atol=0.01)
    assert found["solidity"].max() < 0.98 < 0.99 < ellipse["solidity"].min()
    assert found["symmetry_dice_RL"].min() > 0.99
    assert found["symmetry_dice_AP"].max() < 0.9 < ellipse["symmetry_dice_AP"].min()


def test_quadrants_and_sides_are_the_patients_own():
    """A cord that lacks its left front has less there, in whatever order it is stored."""
    volume = draw(Tube(), length_mm=5)
    data = volume.data.copy()
    middle = np.array(data.shape[:2]) // 2
    data[middle[0] + 5 :, middle[1] + 3 :] = 0  # left, anterior
    found = values_of(volume.with_data(data))
    names = [name for name in found if name.startswith("area_quadrant")]
    assert min(names, key=lambda name: found[name].mean()) == "area_quadrant_anterior_left_mm2"
    np.testing.assert_allclose(sum(found[name] for name in names), found["area_mm2"], rtol=1e-6)


def test_all_orders_agree(orientations, stored_as):
    volume = binary(draw(Tube(tilt_deg=(10, 20), roll_deg=5), (0.7, 0.8, 2.0), shift_mm=(0.1, 0.2, 0.3)))
    first = values_of(volume)
    for codes in orientations:
        found = values_of(stored_as(volume, codes))
        for name, column in first.items():
            np.testing.assert_allclose(found[name], column, rtol=1e-5, atol=1e-5, err_msg=f"{codes} {name}")


def test_a_sheared_grid():
    """Slices that slide over one another, as gantry tilt makes them: the same cord, told by the affine alone."""
    volume = draw(Tube(), length_mm=10)
    affine = volume.affine.copy()
    affine[1, 2] = -0.5 * np.tan(np.deg2rad(20))
    found = values_of(Volume(volume.data, affine))
    np.testing.assert_allclose(found["area_mm2"], Tube().area_mm2 * np.cos(np.deg2rad(20)), rtol=0.005)
    np.testing.assert_allclose(found["angle_RL_deg"], -20, atol=0.3)


def test_as_scikit_image_where_voxels_are_fine():
    """At 0.1 mm, where the smooth outline and the counted one are the same; then at 0.5 mm, closer than counting is."""
    fine, coarse = (draw(Tube(roll_deg=15, bean_mm=1.0), (side, side, 0.5), length_mm=2) for side in (0.1, 0.5))
    region = regionprops(binary(fine).data[:, :, 0].astype(int), spacing=(0.1, 0.1))[0]
    for volume, rtol in ((binary(fine), 1e-3), (binary(coarse), 0.015)):
        found = values_of(volume)
        np.testing.assert_allclose(found["area_mm2"][0], region.area, rtol=rtol)
        np.testing.assert_allclose(found["diameter_RL_mm"][0], region.axis_major_length, rtol=rtol)
        np.testing.assert_allclose(found["diameter_AP_mm"][0], region.axis_minor_length, rtol=rtol)
        np.testing.assert_allclose(found["orientation_deg"][0], np.rad2deg(region.orientation), atol=200 * rtol)


# The bars of a binary mask at 0.5 mm: what the smooth outline is for. An upright cord shows the same voxels in all slices, so
# that its area is known to 1 % at best.
@pytest.mark.parametrize(
    "tube", [Tube(tilt_deg=(20, 0)), Tube(tilt_deg=(30, 30)), Tube(taper=(-0.05, -0.03)), Tube(tilt_deg=(0, 30), bean_mm=3)]
)
def test_a_binary_mask_is_measured_to_a_fraction_of_a_voxel(tube):
    errors = []
    for shift in ((0, 0, 0), (0.13, 0.21, 0.07), (0.3, 0.11, 0.4)):
        volume = binary(draw(tube, length_mm=25, shift_mm=shift))
        profile = measure_cord(volume).profile
        height = profile.frame.position_mm - (volume.shape[2] - 1) / 2 * 0.5 + shift[2]
        a, b = (half + change * height for half, change in zip(tube.semi_mm, tube.taper, strict=True))
        errors.append(profile.values["area_mm2"] / (np.pi * a * b) - 1)
        np.testing.assert_allclose(profile.values["diameter_RL_mm"], 2 * a, atol=0.1)
        np.testing.assert_allclose(profile.values["angle_RL_deg"], tube.tilt_deg[1], atol=0.3)
    assert np.abs(np.concatenate(errors)).max() < 0.02
    assert abs(np.concatenate(errors).mean()) < 0.01


def test_a_dent_in_one_slice_of_a_binary_mask_stays():
    """The outline is smooth along the cord, but what a slice shows beyond its voxels' doubt is kept."""
    volume = binary(draw(Tube(tilt_deg=(10, 10)), length_mm=20))
    data = volume.data.copy()
    rows = np.flatnonzero(data[:, :, 20].any(axis=0))
    data[:, rows[:3], 20] = 0
    lost = (volume.data - data).sum() * 0.25
    before, found = (values_of(v)["volume_mm3"] for v in (volume, volume.with_data(data)))
    assert (before - found)[20] / 0.5 == pytest.approx(lost, rel=0.15)
    np.testing.assert_allclose(np.delete(found, 20), np.delete(before, 20), rtol=0.01)


def test_a_halo_and_a_less_than_full_core_do_not_count():
    volume = draw(Tube())
    hazy = volume.with_data(np.where(volume.data < 0.05, 0.04, volume.data) * 0.97)
    np.testing.assert_allclose(values_of(hazy)["area_mm2"], values_of(volume)["area_mm2"], rtol=0.01)


# Masks as they come


def test_a_single_slice():
    """Its tilt is not known, and its error says so."""
    profile = measure_cord(draw(Tube(), THICK, length_mm=5)).profile
    assert len(profile.slices) == 1
    np.testing.assert_allclose(profile.values["area_mm2"], Tube().area_mm2, rtol=0.005)
    np.testing.assert_allclose(profile.values["angle_RL_deg"], 0, atol=1e-6)
    assert profile.errors["angle_RL_deg"] > 5
    assert profile.errors["area_mm2"] > 0.01 * Tube().area_mm2


def test_two_pieces_along_the_cord():
    volume = draw(Tube(tilt_deg=(0, 20)), length_mm=30)
    data = volume.data.copy()
    data[:, :, 20:40] = 0
    profile = measure_cord(volume.with_data(data)).profile
    assert not set(range(20, 40)) & set(profile.slices)
    np.testing.assert_allclose(profile.values["area_mm2"], Tube().area_mm2, rtol=0.005)
    assert profile.whole.all()
    step = 0.5 / np.cos(np.deg2rad(20))
    np.testing.assert_allclose(profile.values["length_mm"].sum(), len(profile.slices) * step, rtol=0.002)
    np.testing.assert_allclose(profile.distance_mm, (volume.shape[2] - profile.slices - 0.5) * step, rtol=0.002, atol=0.02)


def test_the_largest_piece_in_a_slice_counts():
    volume = binary(draw(Tube(), length_mm=5))
    data = volume.data.copy()
    data[2:5, 2:5, 3] = 1
    profile = measure_cord(volume.with_data(data)).profile
    assert profile.flags == tuple("several_pieces" if k == 3 else "" for k in profile.slices)
    np.testing.assert_allclose(profile.values["volume_mm3"], values_of(volume)["volume_mm3"], rtol=1e-6)


def test_holes_are_filled_and_reported():
    volume = draw(Tube(), length_mm=5)
    data = volume.data.copy()
    middle = np.array(data.shape[:2]) // 2
    data[middle[0] - 2 : middle[0] + 2, middle[1] - 2 : middle[1] + 2, 4] = 0
    profile = measure_cord(volume.with_data(data)).profile
    assert profile.flags == tuple("holes_filled" if k == 4 else "" for k in profile.slices)
    np.testing.assert_allclose(profile.values["area_mm2"], values_of(volume)["area_mm2"], rtol=1e-6)


def test_an_end_across_an_oblique_cord_is_reported_and_not_averaged():
    """The cut is perpendicular to the cord, so several slices at either end show a part of the section."""
    tube = Tube(tilt_deg=(0, 40))
    volume = draw(tube, length_mm=40)
    _, y, z = np.indices(volume.shape) - np.reshape([(n - 1) / 2 for n in volume.shape], (3, 1, 1, 1))
    along = (y * np.sin(np.deg2rad(40)) + z * np.cos(np.deg2rad(40))) * 0.5
    profile = measure_cord(volume.with_data(np.where(np.abs(along) < 15, volume.data, 0))).profile
    assert {profile.flags[0], profile.flags[-1]} == {"incomplete_end"}
    np.testing.assert_allclose(profile.values["area_mm2"][profile.whole].mean(), tube.area_mm2, rtol=0.02)
    np.testing.assert_allclose(profile.values["angle_RL_deg"][profile.whole], 40, atol=1.5)


def test_a_cord_cut_by_the_edge_of_the_image():
    volume = draw(Tube(), length_mm=10)
    middle = volume.shape[0] // 2
    profile = measure_cord(Volume(volume.data[middle:], volume.affine)).profile
    assert set(profile.flags) == {"at_border"}
    assert not profile.whole.any()


def test_labels_count_as_inside(caplog):
    volume = binary(draw(Tube(), length_mm=5))
    labels = volume.with_data(volume.data * (1 + np.arange(volume.shape[2]) % 3).astype(np.uint8))
    np.testing.assert_array_equal(values_of(labels)["area_mm2"], values_of(volume)["area_mm2"])
    assert caplog.messages == ["the cord mask holds the labels 1-3: all are measured as one"]
    values_of(volume.with_data(volume.data * np.uint8(255)))
    assert len(caplog.messages) == 1, "one label is a mask"


@pytest.mark.parametrize("factor", [2.4, 255 / 254.5])
def test_fractions_beyond_one_are_refused_or_rounding(factor):
    volume = draw(Tube(), length_mm=5)
    scaled = volume.with_data(volume.data * np.float32(factor))
    if factor > 2:
        with pytest.raises(InputError, match="fractions up to 2.4"):
            measure_cord(scaled)
    else:
        np.testing.assert_allclose(values_of(scaled)["area_mm2"], values_of(volume)["area_mm2"], rtol=0.005)


def test_gray_and_white_matter():
    tube, inner = Tube(tilt_deg=(0, 30)), Tube(semi_mm=(3, 2), tilt_deg=(0, 30))
    cord = draw(tube, length_mm=10)
    gray = draw(inner, length_mm=10, margin_mm=9)
    assert gray.shape == cord.shape
    found = values_of(cord, gray=gray)
    np.testing.assert_allclose(found["area_gray_mm2"], inner.area_mm2, rtol=0.01)
    np.testing.assert_allclose(found["area_white_mm2"], tube.area_mm2 - inner.area_mm2, rtol=0.01)
    np.testing.assert_allclose(found["gray_cord_ratio"], inner.area_mm2 / tube.area_mm2, rtol=0.01)


@pytest.mark.parametrize("is_binary", [False, True])
def test_a_mask_of_the_rest_of_the_cord_gives_the_white_matter_of_cord_less_gray_matter(is_binary):
    cord, gray = draw(Tube(), length_mm=20), draw(Tube(semi_mm=(3, 2)), length_mm=20, margin_mm=9)
    if is_binary:
        cord, gray = (volume.with_data((volume.data >= 0.5).astype(np.uint8)) for volume in (cord, gray))
    data = gray.data.copy()
    data[:, :, -10:] = 0  # where it was not segmented, the rest of the cord is all of it
    gray = gray.with_data(data)
    white = gray.with_data(np.clip(cord.data - gray.data.astype(float), 0, 1))
    found, derived = values_of(cord, gray=gray, white=white), values_of(cord, gray=gray)
    np.testing.assert_allclose(found["area_white_mm2"], derived["area_white_mm2"], rtol=1e-6)
    total = found["area_white_mm2"] + found["area_gray_mm2"]
    np.testing.assert_allclose(total, np.where(np.arange(40) < 30, found["area_mm2"], np.nan), rtol=1e-6)
    column = white.with_data(np.where(np.arange(cord.shape[0])[:, None, None] < cord.shape[0] // 2 - 3, white.data, 0))
    part = measure_cord(cord, white=column).profile
    voxels = column.data[:, :, part.slices].sum(axis=(0, 1)) * part.grid.pixel_mm2 / part.frame.stretch
    np.testing.assert_allclose(part.values["area_white_mm2"], voxels, rtol=0.02)


def test_the_direction_from_another_mask():
    """A mask of half the cord would lean; the cord's own line does not."""
    tube = Tube(tilt_deg=(0, 30))
    whole = draw(tube, length_mm=20)
    data = whole.data.copy()
    data[:, :, 20] = 0
    data[20:26, 20:26, 20] = 1  # one slice drawn in the wrong place
    found = values_of(whole.with_data(data), centerline=whole)
    np.testing.assert_allclose(found["angle_RL_deg"], 30, atol=0.3)
