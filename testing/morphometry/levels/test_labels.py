"""Levels from maps and from discs, and their names and lists."""

import numpy as np
import pytest

from spineseg_cli.core.image.volume import Volume
from spineseg_cli.errors import InputError
from spineseg_cli.morphometry import measure_cord
from spineseg_cli.morphometry.levels.names import format_list, level_name, level_number, parse_levels, parse_list
from spineseg_cli.morphometry.tables.rows import peak_row
from testing.morphometry.shapes import Tube, binary, draw

TILT = 20.0


@pytest.fixture(scope="module")
def cord():
    return binary(draw(Tube(tilt_deg=(0, TILT)), length_mm=40, margin_mm=14))


def point(cord, height_vx, label, data, ahead_mm=8.0):
    """Put a label so far ahead of the cord's center, at a right angle to the cord, from the place at that height."""
    along = np.array([0, np.sin(np.deg2rad(TILT)), np.cos(np.deg2rad(TILT))])
    front = np.array([0, np.cos(np.deg2rad(TILT)), -np.sin(np.deg2rad(TILT))])
    middle = (np.array(cord.shape) - 1) / 2
    place = middle + along * (height_vx - middle[2]) / along[2] + front * ahead_mm / 0.5
    data[tuple(np.round(place).astype(int))] = label


def test_discs_are_carried_to_the_nearest_place_of_the_cord(cord):
    """At a right angle to the cord, not within the slice: on a tilt of 20 degrees, a disc 8 mm ahead is 3 mm lower."""
    data = np.zeros(cord.shape, np.uint8)
    for height, label in ((60, 3), (40, 4), (20, 5)):
        point(cord, height, label, data)
    measures = measure_cord(cord, discs=Volume(data, cord.affine))
    assert measures.level_kind == "vertebral"
    slices = measures.profile.slices
    expected = np.select([(slices <= 60) & (slices > 40), (slices <= 40) & (slices > 20)], [3, 4], 0)
    wrong = slices[measures.levels != expected]
    assert all(min(abs(k - edge) for edge in (20, 40, 60)) <= 1 for k in wrong)


def test_the_labels_of_totalspineseg(cord):
    """Discs C2-C3 (63), C3-C4 (64) and C7-T1 (71), with the vertebra C1 (11) above and a cord of label 1."""
    data = (cord.data > 0).astype(np.uint8)
    for height, label in ((70, 11), (50, 63), (30, 64), (10, 71)):
        point(cord, height, label, data)
    measures = measure_cord(cord, levels=Volume(data, cord.affine))
    at = dict(zip(measures.profile.slices, measures.levels, strict=True))
    assert [at[k] for k in (75, 60, 40, 20, 5)] == [0, 2, 3, 0, 0], "C4 to C7 have no disc between them, so no level is told"


def test_a_map_of_levels_goes_by_the_cord(cord):
    data = np.zeros(cord.shape, np.uint8)
    data[..., 40:] = 9  # of something else in the slice
    data = np.where(cord.data > 0, np.where(np.arange(cord.shape[2]) < 30, 5, 4), data).astype(np.uint8)
    measures = measure_cord(cord, levels=Volume(data, cord.affine), level_kind="spinal")
    assert measures.level_kind == "spinal"
    np.testing.assert_array_equal(measures.levels, np.where(measures.profile.slices < 30, 5, 4))


def test_a_map_of_levels_and_labels_of_discs_are_not_taken_for_each_other(cord):
    discs = np.zeros(cord.shape, np.uint8)
    for height, label in ((60, 3), (40, 4), (20, 5)):
        point(cord, height, label, discs)
    levels = np.where(cord.data > 0, 3 + (np.arange(cord.shape[2]) < 30), 0).astype(np.uint8)
    with pytest.raises(InputError, match="give it as --discs"):
        measure_cord(cord, levels=Volume(discs, cord.affine))
    with pytest.raises(InputError, match="give it as --levels"):
        measure_cord(cord, discs=Volume(levels, cord.affine))


def test_fractions_and_scans_are_refused(cord):
    with pytest.raises(InputError, match="values up to 1200, as scans have"):
        measure_cord(cord, levels=Volume(cord.data * 1200.0, cord.affine))
    with pytest.raises(InputError, match="whole numbers in the levels"):
        measure_cord(cord, levels=Volume(cord.data * 0.5, cord.affine))


def test_names():
    assert [level_name(n, "vertebral") for n in (1, 7, 8, 19, 20, 24, 25, 26)] == ["C1", "C7", "T1", "T12", "L1", "L5", "S1", ""]
    assert [level_name(n, "spinal") for n in (8, 9, 21, 26, 30)] == ["C8", "T1", "L1", "S1", "S5"]
    assert level_number("t1", "vertebral") == 8
    assert parse_levels("C7:T2", "vertebral") == [7, 8, 9]
    with pytest.raises(InputError, match="got 'C7-T2': a range has a colon"):
        parse_levels("C7-T2", "vertebral")
    with pytest.raises(InputError, match="C8"):
        level_number("C8", "vertebral")


def test_lists():
    assert parse_list("3,5:7, 9") == [3, 5, 6, 7, 9]
    assert parse_list("7:5") == [5, 6, 7]
    assert format_list([9, 3, 5, 6, 7]) == "3;5:7;9"
    for wrong in ("", "a", "1:2:3", "1;2"):
        with pytest.raises(InputError, match="expected numbers"):
            parse_list(wrong)


def test_no_lumbar_peak_is_given_where_none_is_in_view():
    assert peak_row(measure_cord(draw(Tube(), length_mm=20))) is None
