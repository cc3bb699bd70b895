"""What tests look at in a segmented cord."""

import numpy as np

from spineseg_cli.core.image.orientation import box_from_rpi, to_rpi


def slices_of(mask):
    """Whether there is any mask in each axial slice."""
    return to_rpi(mask).data.any(axis=(0, 1))


def assert_the_same_between_empty_ends(result, expected, below, above):
    """The result is what is expected in RPI, with empty slices below and above, in any storage order."""
    ends = ((0, 0), (0, 0), (below, above))
    x, y, z = expected.crop_box_vx
    assert result.crop_box_vx == box_from_rpi([x, y, [below + k for k in z]], result.mask)
    for name in ("mask", "probability"):
        np.testing.assert_array_equal(to_rpi(getattr(result, name)).data, np.pad(to_rpi(getattr(expected, name)).data, ends))
    np.testing.assert_array_equal(result.confidence.slices, np.pad(expected.confidence.slices, ends[2], constant_values=1))
    np.testing.assert_array_equal(result.confidence.area_mm2, np.pad(expected.confidence.area_mm2, ends[2]))
    assert result.confidence.scan == expected.confidence.scan
    assert result.confidence.reasons == ("",) * below + expected.confidence.reasons + ("",) * above
