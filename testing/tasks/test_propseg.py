"""The cord without a network: found by the Hough transform, or from a given place, and followed as far as there is an edge."""

import numpy as np
import pytest

from spineseg_cli.core.image.orientation import to_rpi
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.localization.localizer import MaskLocalizer
from spineseg_cli.synthesis.phantom import make_phantom
from spineseg_cli.tasks.propseg import propagate_cord
from testing.disturbances import empty_ends
from testing.overlap import dice_of


@pytest.fixture(scope="module")
def phantom():
    return make_phantom(region=(40, 70), spacing_mm=(0.8, 0.8, 3.0), fov_mm=(80.0, 80.0), seed=2, contrast="t2")


def test_it_finds_the_cord_by_itself(phantom):
    result = propagate_cord(phantom.image)
    assert dice_of(result.mask.data, phantom.cord.data) > 0.95
    assert (result.model, result.sha256, result.runtime, result.confidence) == ("propseg", None, "none", None)


def test_it_starts_where_it_is_told(phantom):
    """From a centerline in three slices, it goes on to the ends of the scan."""
    line = phantom.cord.data.copy()
    along = int(np.argmin(phantom.image.spacing_mm != max(phantom.image.spacing_mm)))
    middle = line.shape[along] // 2
    line[tuple(slice(None) if axis != along else np.abs(np.arange(line.shape[along]) - middle) > 1 for axis in range(3))] = 0
    result = propagate_cord(phantom.image, MaskLocalizer(mask=phantom.cord.with_data(line)))
    assert dice_of(result.mask.data, phantom.cord.data) > 0.95


@pytest.mark.parametrize("guided", [False, True])
def test_empty_slices_at_the_ends_change_nothing(phantom, guided):
    image, cord = to_rpi(phantom.image), to_rpi(phantom.cord)
    below, above = 23, 7
    padded, line = empty_ends(below, above, -32768)(image, cord.data)
    expected = propagate_cord(image, MaskLocalizer(mask=cord) if guided else None)
    result = propagate_cord(padded, MaskLocalizer(mask=padded.with_data(line)) if guided else None)
    for name in ("mask", "probability"):
        data = np.pad(getattr(expected, name).data, ((0, 0), (0, 0), (below, above)))
        np.testing.assert_array_equal(getattr(result, name).data, data)
    x, y, z = expected.crop_box_vx
    assert result.crop_box_vx == [x, y, [z[0] + below, z[1] + below]]


def test_there_is_nothing_to_follow_in_noise():
    noise = np.random.default_rng(0).normal(100, 20, (60, 60, 6)).astype(np.float32)
    result = propagate_cord(Volume(noise, np.diag([-1.0, 1, 3, 1])))
    assert not result.mask.data.any()
    assert result.notes
