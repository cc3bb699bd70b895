"""Why no cord was found; networks are stand-ins."""

import numpy as np
import pytest

from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.localization.absence import explain_absence
from spineseg_cli.core.localization.location import CordLocation


def location(present, confidence=0.2):
    n = len(present)
    return CordLocation(np.zeros((n, 2)), np.full(n, confidence), np.array(present, bool))


@pytest.mark.parametrize(
    ("shape", "turned", "said"),
    [
        ((50, 60, 40), {0: 50}, "runs along what the header calls the right-left axis"),
        ((50, 60, 40), {1: 60}, "runs along what the header calls the back-front axis"),
        ((50, 60, 40), {1: 20}, "have no cord"),
        ((9, 60, 40), {}, "Axial slices of 9 x 60 mm hardly hold a cord"),
    ],
)
def test_why_nothing_was_found(shape, turned, said):
    scan = Volume(np.random.default_rng(0).random(shape, np.float32), np.diag([-1.0, 1, 1, 1]))
    axis_of = {shape[0]: 0, shape[1]: 1}

    def locate(volume):
        return location([1] * turned.get(axis_of[volume.shape[2]], 0) + [0])

    reason = explain_absence(scan, location([0] * shape[2]), locate)
    assert said in reason
    assert reason.startswith("40 axial slices over 40 mm were looked at; the likeliest, slice 0 from below")
