"""Tests for `core.localization.conus`: above a conus in view there is cord, and what only fades is no conus."""

from __future__ import annotations

import numpy as np
import pytest

from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.localization.conus import SHORTEST_CORD_MM, with_cord_above_conus
from spineseg_cli.core.localization.presence import FEATURES, NETWORK, RADIUS
from spineseg_cli.core.log_odds import log_odds


class Lumbar:
    """A scan of 200 mm with the tip of the conus 40 mm above its lowest slice; the topmost cord is hardly seen."""

    def __init__(self, distance_mm=1.0, *, seen_mm=80.0, hardly_seen_mm=160.0, tip_mm=40.0):
        height_mm = np.arange(0, 200, distance_mm) - tip_mm
        self.distance_mm = distance_mm
        self.present = (height_mm >= 0) & (height_mm < seen_mm)
        self.lost = np.zeros(len(height_mm), bool)
        self.radius = np.where(self.present, np.clip(0.3 + 0.4 * height_mm / 40, 0.3, 0.7), 0)
        self.confidence = np.where(self.present, 0.98, np.where(height_mm < hardly_seen_mm, 0.35, 0.02))
        self.signal = np.ones(len(height_mm))

    def continued(self):
        """Return the slices with cord, its continuation included."""
        rng, nz = np.random.default_rng(0), len(self.present)
        scan = Volume(self.signal * rng.standard_normal((30, 30, nz)), np.diag([1, 1, self.distance_mm, 1]))
        features = np.zeros((nz, len(FEATURES)))
        features[:, NETWORK], features[:, RADIUS] = log_odds(self.confidence) / 4, self.radius
        return with_cord_above_conus(scan, np.full((nz, 2), 15.0), self.present, self.lost, features)


@pytest.mark.parametrize("distance_mm", [0.5, 1.0, 4.0])
def test_a_cord_above_a_conus_goes_on_to_the_top(distance_mm):
    scan = Lumbar(distance_mm)
    continued = scan.continued()
    first = int(np.flatnonzero(scan.present)[0])
    assert continued.sum() * distance_mm == pytest.approx(SHORTEST_CORD_MM, abs=distance_mm)
    assert continued[first : first + continued.sum()].all()


def test_where_nothing_is_seen_there_is_no_cord():
    scan = Lumbar(hardly_seen_mm=100.0)
    scan.confidence[130] = 0.02
    assert np.flatnonzero(scan.continued()).tolist() == list(range(40, 140))


def test_gaps_are_filled_and_slices_without_signal_are_not():
    scan = Lumbar()
    scan.present[70:80] = False
    scan.lost[150:155] = True
    assert np.flatnonzero(scan.continued()).tolist() == [k for k in range(40, 190) if not 150 <= k < 155]


def no_taper(scan):
    """The cord is as large at its end as above."""
    scan.radius[:] = 0.7


def less_sure_and_not_smaller(scan):
    """The network is less sure toward the end, and sees less for that."""
    scan.confidence = np.where(scan.present, scan.radius, 0.35)
    scan.radius = 0.7 * np.sqrt(scan.confidence)


def fading_signal(scan):
    """The cord ends where the signal fades."""
    scan.signal[:48] = 0.2


def too_short_to_tell(scan):
    """Only the lowest 18 mm are seen."""
    scan.present[58:] = False


def no_cord(scan):
    """Nothing is found."""
    scan.present[:] = False


@pytest.mark.parametrize("change", [no_taper, less_sure_and_not_smaller, fading_signal, too_short_to_tell, no_cord])
def test_what_is_no_conus_changes_nothing(change):
    scan = Lumbar()
    change(scan)
    np.testing.assert_array_equal(scan.continued(), scan.present)


def test_a_cord_that_may_go_on_below_the_scan_is_no_conus():
    scan = Lumbar(tip_mm=2.0)
    np.testing.assert_array_equal(scan.continued(), scan.present)
