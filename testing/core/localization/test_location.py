"""Where the cord is said to be, and why it is said to be nowhere; networks are stand-ins."""

from types import SimpleNamespace

import numpy as np
import pytest

from spineseg_cli.core.image.orientation import to_rpi
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.localization.absence import reason_for_absence
from spineseg_cli.core.localization.location import CordLocation, locate_cord


def location(present, confidence=0.2):
    n = len(present)
    return CordLocation(np.zeros((n, 2)), np.full(n, confidence), np.array(present, bool), None)


@pytest.mark.parametrize(
    ("brain", "runs"),
    [(None, [(0, 13), (19, 24)]), (True, [(0, 13)]), (False, [(0, 30)])],
)
def test_brain_decides_what_lies_above(cord_model, bright_finder, only_bright_is_cord, tube, brain, runs):
    """Of 30 slices of 4 mm, 13 to 18 hold no tube, nor do those from 24 on."""
    image, mask = tube((60, 60, 30), (1.0, 1.0, 4.0))
    absent = mask.data > 0
    absent[..., [*range(13), *range(19, 24)]] = False
    noise = np.random.default_rng(0).normal(0, 5, image.shape)
    scan = to_rpi(image.with_data((100 * ((mask.data > 0) & ~absent) + noise).astype(np.float32)))
    found = locate_cord(scan, bright_finder, cord_model, brain=brain)
    assert found.present.tolist() == [any(first <= k < end for first, end in runs) for k in range(30)]


def test_slices():
    found = location([0, 1, 1, 0, 0, 1, 0])
    assert found.slices == range(1, 6)
    assert location([0, 0]).slices == range(0)


def test_a_search_that_sees_nothing_is_not_followed_by_a_closer_look(bright_finder, cord_model, monkeypatch):
    scan = Volume(np.random.default_rng(0).normal(size=(40, 40, 6)).astype(np.float32), np.diag([-1.0, 1, 4, 1]))
    monkeypatch.setattr(
        type(bright_finder), "open_runtime", lambda *_: SimpleNamespace(predict=lambda w: np.zeros((*w.shape, 1)))
    )
    found = locate_cord(scan, bright_finder, cord_model)
    assert found.look is None
    assert not found.present.any()


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

    reason = reason_for_absence(scan, location([0] * shape[2]), locate)
    assert said in reason
    assert reason.startswith("40 axial slices over 40 mm were looked at; the likeliest, slice 0 from below")
