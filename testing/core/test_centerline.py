"""The cord's position from a mask."""

import numpy as np
import pytest
from scipy import ndimage

from spineseg_cli.core.centerline import centres_from_mask, filled_slices, mask_on_grid, slices_with_cord
from spineseg_cli.core.orientation import to_rpi
from spineseg_cli.core.postprocessing import keep_cord
from spineseg_cli.core.volume import Volume
from spineseg_cli.errors import InputError


def mask_of(points, shape=(20, 16, 8)):
    data = np.zeros(shape, np.float32)
    for point in points:
        data[point] = 1
    return Volume(data, np.eye(4))


def test_centre_of_mass_and_gaps():
    centres, slices = centres_from_mask(mask_of([(4, 4, 2), (6, 4, 2), (9, 10, 5)]))
    assert slices == range(2, 6), "no slice beyond the ends"
    np.testing.assert_allclose(centres[2:6], [(5, 4), (19 / 3, 6), (23 / 3, 8), (9, 10)])


def test_soft_masks_weigh_their_voxels_and_negative_values_do_not_count():
    mask = mask_of([(4, 4, 0)])
    data = mask.data.copy()
    data[8, 4, 0] = 0.6
    data[0, 0, :] = -5
    centres, slices = centres_from_mask(mask.with_data(data))
    assert slices == range(1)
    np.testing.assert_allclose(centres[0], (5.5, 4), atol=1e-6)


@pytest.mark.parametrize("rounding", [0, 2e-7, -2e-7])
def test_labels_do_not_weigh(rounding):
    """The halves of an atlas have other numbers, and a scale factor leaves them a little off."""
    data = mask_of([(4, 4, 0), (4, 4, 3)]).data.copy()
    data[8, 4, :4] = 15
    centres, slices = centres_from_mask(Volume(data * np.float32(1 + rounding), np.eye(4)))
    assert slices == range(4)
    np.testing.assert_allclose(centres[[0, 3]], [(6, 4)] * 2, atol=1e-6)


def test_the_faint_ends_of_a_blurred_mask_do_not_count():
    data = np.zeros((9, 9, 12), np.float32)
    data[3:6, 3:6, 4:8] = 1
    blurred = ndimage.gaussian_filter(data, 0.8)
    assert (blurred > 0).any(axis=(0, 1)).sum() > 8
    centres, slices = centres_from_mask(Volume(blurred, np.eye(4)))
    assert slices == range(4, 8)
    np.testing.assert_allclose(centres[4:8], 4, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_a_scan_is_no_mask(dtype):
    noise = np.random.default_rng(0).gamma(4, 12, (24, 24, 8)).clip(0, 255)
    scan = Volume(noise.astype(dtype), np.diag([-1.0, 1, 1, 1]))
    with pytest.raises(InputError, match="expected a mask; the cord mask has gray values up to"):
        mask_on_grid(scan, scan, "the cord mask")


def test_probabilities_labels_and_masks_of_255_are_masks():
    rng = np.random.default_rng(0)
    shape = (24, 24, 8)
    labels = np.kron(rng.integers(0, 200, (6, 6, 8)), np.ones((4, 4, 1)))
    points = np.zeros(shape)
    points[12, 12:20, :] = np.arange(1, 65).reshape(8, 8)
    for data in (rng.random(shape) * 1.2, labels, points, 255 * rng.integers(0, 2, shape)):
        mask = Volume(data.astype(np.float32), np.diag([-1.0, 1, 1, 1]))
        np.testing.assert_array_equal(mask_on_grid(mask, mask, "labels").data, to_rpi(mask).data)


def test_an_empty_mask_is_refused():
    with pytest.raises(InputError, match="the centerline is empty: expected at least one voxel above 0"):
        centres_from_mask(mask_of([]))


def confidence_of(runs, n=60):
    confidence = np.zeros(n)
    for first, stop in runs:
        confidence[first:stop] = 0.9
    return confidence


@pytest.mark.parametrize("spacing_mm", [4.999998, 5.0, 5.000002])
def test_headers_round_the_distance_of_slices(spacing_mm):
    """Three slices of 5 mm beyond one of doubt are 15 mm long, and so are three of 4.999998 mm; so are gaps."""
    assert slices_with_cord(confidence_of([(0, 11), (12, 15)], 15), spacing_mm) == range(15)
    assert slices_with_cord(confidence_of([(0, 11), (14, 20)], 20), spacing_mm) == range(20)


@pytest.mark.parametrize("spacing_mm", [1.0, 3.0, 4.0, 5.0, 8.0, 15.0, 20.0])
def test_the_search_and_the_mask_bridge_the_same_gaps(spacing_mm):
    """Of up to 15 mm without signal: of slices of 8 mm one, of 20 mm none."""
    bridged = int(15 / spacing_mm)
    length = int(np.ceil(15 / spacing_mm)) + 1
    for gap, goes_on in ((bridged, True), (bridged + 1, False)):
        runs = [(0, length + 1), (length + 1 + gap, 2 * length + 1 + gap)]
        confidence = confidence_of(runs, runs[1][1])
        assert (slices_with_cord(confidence, spacing_mm) == range(runs[1][1])) == goes_on
        if gap > 2:  # one or two missed slices never part a mask
            mask = np.broadcast_to(confidence > 0, (3, 3, len(confidence)))
            assert keep_cord(mask, spacing_mm).any(axis=(0, 1))[-1] == goes_on


@pytest.mark.parametrize(
    ("runs", "brain", "expected"),
    [
        ([], None, range(0)),
        ([(10, 50)], None, range(10, 50)),
        ([(10, 30), (34, 50)], None, range(10, 50)),  # 4 slices of 3 mm: a lesion
        ([(0, 4), (20, 50)], None, range(20, 50)),  # 48 mm: something else
        ([(20, 22)], None, range(0)),  # 6 mm of 180 mm
        ([(20, 25), (27, 29)], None, range(0)),  # 15 mm, when the piece at the end is dropped
        ([(10, 40), (43, 50)], True, range(10, 40)),
        ([(10, 13), (15, 40), (42, 45)], None, range(15, 40)),  # roots below, brainstem above
        ([(10, 20), (22, 40)], True, range(10, 40)),  # doubt at the lower end is not the brain
        ([(10, 40)], False, range(10, 60)),
    ],
)
def test_slices_with_cord(runs, brain, expected):
    assert slices_with_cord(confidence_of(runs), spacing_mm=3.0, brain=brain) == expected


def test_slices_that_are_padded_do_not_make_a_scan_longer():
    """Five slices of 3 mm are enough of a scan of five, and not of one of 60."""
    confidence = confidence_of([(20, 25)])
    data = np.zeros((8, 8, 60), np.float32)
    data[:, :, 20:25] = 3
    assert slices_with_cord(confidence, 3.0, filled=filled_slices(Volume(data, np.eye(4)))) == range(20, 25)
    assert slices_with_cord(confidence, 3.0, filled=filled_slices(Volume(data + 1, np.eye(4)))) == range(0)


def test_one_slice_is_enough_of_a_cord():
    assert slices_with_cord(np.array([0.9]), spacing_mm=3.0) == range(1)
