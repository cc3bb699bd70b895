"""Whether an image looks more like a cord in another orientation; the networks are stand-ins that know a mark and where it is."""

import numpy as np
import pytest

from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.localization.header_check import header_notes, other_orientation
from spineseg_cli.core.localization.location import CordLocation

SHAPE, SPACING_MM = (40, 50, 60), (1.0, 1.0, 2.0)


def marked(axis, side):
    """A scan of noise with a bright rod along an axis, at the low or the high end of the last other axis."""
    data = np.random.default_rng(0).random(SHAPE).astype(np.float32)
    at = [SHAPE[0] // 2, SHAPE[1] // 2, SHAPE[2] // 2]
    others = [other for other in range(3) if other != axis]
    at[others[-1]] = 8 if side == "low" else SHAPE[others[-1]] - 9
    rod = [slice(center - 2, center + 3) for center in at]
    rod[axis] = slice(None)
    data[tuple(rod)] = 5
    return Volume(data, np.diag([-SPACING_MM[0], *SPACING_MM[1:], 1.0]))


def locate(volume):
    """A cord is where the brightest rod is, if it lies behind the middle."""
    rod = volume.data.mean(axis=2)
    center = np.unravel_index(rod.argmax(), rod.shape)
    is_cord = rod.max() > 3 and center[1] < volume.shape[1] / 3 and abs(center[0] - volume.shape[0] / 2) < 6
    confidence = np.full(volume.shape[2], 0.95 if is_cord else 0.05)
    return CordLocation(np.tile(center, (volume.shape[2], 1)), confidence, confidence > 0.5)


@pytest.mark.parametrize(
    ("axis", "side", "phrase"),
    [
        (2, "low", ""),
        (2, "high", "with front and back exchanged"),
        (0, "low", "that runs along what the header calls the right-left axis"),
        (0, "high", "that runs along what the header calls the right-left axis"),
        (1, "high", "that runs along what the header calls the back-front axis"),
    ],
)
def test_the_orientation_in_which_there_is_more_cord(axis, side, phrase):
    assert other_orientation(marked(axis, side), locate) == phrase


@pytest.mark.parametrize("is_present", [False, True])
def test_an_orientation_in_which_the_networks_are_not_sure_is_not_reported(is_present):
    def locate_something(volume):
        """In other parts of the body, much is like cord from a side, but no slice is cord, or none is surely."""
        found = locate(volume)
        return CordLocation(found.centers_vx, 0.9 * found.confidence, found.present & is_present)

    assert other_orientation(marked(0, "low"), locate_something) == ""
    assert other_orientation(marked(2, "high"), locate_something) == ""


def test_the_sentence_for_a_doubtful_scan():
    def notes(scan, confidence):
        count = scan.shape[2]
        found = CordLocation(np.zeros((count, 2)), np.full(count, confidence), np.ones(count, bool))
        return header_notes(scan, found, locate)

    (note,) = notes(marked(2, "high"), 0.8)
    assert note == "the image looks more like a scan of a cord with front and back exchanged: check the header's orientation"
    assert notes(marked(2, "high"), 0.95) == (), "the networks are sure of what they see"
    assert notes(marked(2, "low"), 0.8) == ()
    assert notes(marked(0, "low"), 0.8) == (), "along another axis nothing is segmented that could be in doubt"


def test_few_slices_are_looked_at():
    seen = []
    other_orientation(marked(2, "low"), lambda volume: seen.append(volume) or locate(volume))
    assert max(volume.shape[2] for volume in seen) <= 12
    assert len(seen) <= 12
