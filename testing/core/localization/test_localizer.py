"""Where localizers say that the cord is; networks are stand-ins."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from spineseg_cli.core.image.orientation import to_rpi
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.localization.localizer import ImageCenterLocalizer, MaskLocalizer, NetworkLocalizer
from spineseg_cli.core.localization.location import CordLocation, ShownAs
from spineseg_cli.weights.model import Model
from testing.conftest import BrightIsCord


@pytest.mark.parametrize(("brain", "runs"), [(None, [(0, 13), (19, 24)]), (True, [(0, 13)]), (False, [(0, 30)])])
def test_brain_decides_what_lies_above(cord_model, by_search, only_bright_is_cord, tube, brain, runs):
    """Of 30 slices of 4 mm, 13 to 18 hold no tube, nor do those from 24 on."""
    image, mask = tube((60, 60, 30), (1.0, 1.0, 4.0))
    absent = mask.data > 0
    absent[..., [*range(13), *range(19, 24)]] = False
    noise = np.random.default_rng(0).normal(0, 5, image.shape)
    scan = to_rpi(image.with_data((100 * ((mask.data > 0) & ~absent) + noise).astype(np.float32)))
    found = replace(by_search, cord=cord_model.predictor(), brain=brain).locate(scan)
    assert found.present.tolist() == [any(first <= k < end for first, end in runs) for k in range(30)]


def test_a_search_that_sees_nothing_is_not_followed_by_a_closer_look(by_search, cord_model, monkeypatch):
    scan = Volume(np.random.default_rng(0).normal(size=(40, 40, 6)).astype(np.float32), np.diag([-1.0, 1, 4, 1]))
    blind = SimpleNamespace(predict=lambda windows: np.zeros((*windows.shape, 1)))
    monkeypatch.setattr(Model, "open_runtime", lambda *_: blind)
    found = replace(by_search, cord=cord_model.predictor()).locate(scan)
    assert found.view is None
    assert not found.present.any()


@pytest.mark.parametrize("looks", [False, True])
def test_the_image_center_is_every_slices_center(cord_model, bright_is_cord, looks):
    scan = Volume(np.random.default_rng(0).normal(size=(40, 41, 6)).astype(np.float32), np.diag([-1.0, 1, 4, 1]))
    found = ImageCenterLocalizer(cord=cord_model.predictor() if looks else None).locate(scan)
    assert found.centers_vx.tolist() == [[19.5, 20]] * 6
    assert (found.source, found.slices) == ("image_center", range(6))
    assert (found.view is not None) == looks


def test_a_mask_says_where_cord_begins_and_ends(tube):
    image, mask = tube((40, 40, 6), (1.0, 1.0, 4.0))
    data = mask.data.copy()
    data[..., 0] = data[..., 3] = 0
    found = MaskLocalizer(mask=mask.with_data(data)).locate(to_rpi(image))
    assert (found.source, found.slices, found.view) == ("mask", range(1, 6), None)
    assert found.present.tolist() == [False, True, True, True, True, True]


def test_a_network_is_loaded_once_for_any_number_of_scans(by_search, tube, monkeypatch):
    opened = []
    monkeypatch.setattr(Model, "open_runtime", lambda self, device, *_: opened.append(device) or BrightIsCord())
    for thickness_mm in (2.0, 4.0):
        by_search.locate(to_rpi(tube(spacing_mm=(1.0, 1.0, thickness_mm))[0]))
    assert opened == ["auto"]


@pytest.mark.parametrize(
    ("confidences", "expected"),
    [
        ((0.96, 1.0, 1.0, 1.0), ShownAs()),
        ((0.5, 1.0, 0.2, 0.97), ShownAs(voxel_factor=2.0)),
        ((0.0, 0.0, 0.96, 0.0), ShownAs(voxel_factor=0.5)),
        ((0.5, 0.1, 0.2, 1.0), ShownAs(is_averaged=True)),
        ((0.9, 0.96, 0.1, 0.96), ShownAs()),
        ((0.1, 0.85, 0.1, 0.9), ShownAs()),
    ],
)
def test_scans_are_shown_in_other_ways_where_the_networks_are_not_sure(confidences, expected):
    """As they are, with voxels twice and half as large, and averaged. The networks must then be sure, and expect more cord."""
    scan = Volume(np.ones((8, 8, 5), np.float32), np.diag([-1.0, 1, 4, 1]))

    class Stub(NetworkLocalizer):
        def locate_by_header(self, shown):
            looks = {1.0: 0, 2.0: 1, 0.5: 2}
            look = looks[shown.spacing_mm[0]] if isinstance(shown.data, np.ndarray) else 3
            confidence = np.full(shown.shape[2], confidences[look])
            return CordLocation(np.zeros((shown.shape[2], 2)), confidence, confidence > 0.3)

    found = Stub(search=None).locate(scan)
    assert found.shown_as == expected
    factor = expected.voxel_factor
    shown = found.shown_as.of(scan)
    assert shown.spacing_mm == (factor, factor, 4 * factor)
    np.testing.assert_allclose(shown.data[:, :, :], 1, rtol=1e-6)


@pytest.mark.parametrize(("glanced", "whole"), [(0.4, 1), (0.6, 1), (0.94, 4)])
def test_all_slices_are_shown_in_another_way_if_some_are_promising(glanced, whole):
    """With 0.4, the networks would not be sure; with 0.6, they would see less than in the scan as it is."""
    scan, shown_slices = Volume(np.ones((8, 8, 60), np.float32), np.diag([-1.0, 1, 2, 1])), []

    class Stub(NetworkLocalizer):
        def locate_by_header(self, shown):
            shown_slices.append(shown.shape[2])
            confidence = np.full(shown.shape[2], 0.9 if shown.shape[2] == 60 else glanced)
            return CordLocation(np.zeros((shown.shape[2], 2)), confidence, confidence > 0.3)

    assert Stub(search=None).locate(scan).shown_as == ShownAs()
    assert shown_slices.count(60) == whole
    assert all(8 <= count <= 20 for count in shown_slices if count < 60)
