"""Why no cord was found; networks are stand-ins."""

import numpy as np

from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.localization.absence import explain_absence
from spineseg_cli.core.localization.location import CordLocation


def location(present, confidence=0.2):
    n = len(present)
    return CordLocation(np.zeros((n, 2)), np.full(n, confidence), np.array(present, bool))


def test_why_nothing_was_found():
    def reason(shape, locate=lambda volume: location([0] * volume.shape[2], 0.01)):
        scan = Volume(np.random.default_rng(0).random(shape, np.float32), np.diag([-1.0, 1, 1, 1]))
        return explain_absence(scan, location([0] * shape[2]), locate)

    assert reason((50, 60, 40)).startswith("40 axial slices over 40 mm were looked at; the likeliest, slice 0 from below")
    assert "have no cord" in reason((50, 60, 40))
    assert "Axial slices of 9 x 60 mm hardly hold a cord" in reason((9, 60, 40))
    along_y = reason((50, 60, 40), lambda volume: location([1] * volume.shape[2], 0.9 if volume.shape[:2] == (50, 40) else 0.01))
    assert "runs along what the header calls the back-front axis: correct the header's orientation" in along_y
    thin = reason((9, 60, 40), lambda volume: location([1] * volume.shape[2], 0.9 if volume.shape[:2] == (9, 40) else 0.01))
    assert "correct the header's orientation" in thin, "rather than that thin slices hold no cord"
