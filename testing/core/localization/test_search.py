"""The whole search for the cord, with a network that is a formula."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.inference.config import InferenceConfig
from spineseg_cli.core.inference.predictor import Predictor
from spineseg_cli.core.localization.search import search_cord

CONFIG = InferenceConfig(spacing_mm=1.0, window=64)


class BrightIsCord:
    """A runtime that calls every sample well above its window's mean cord, and counts the windows."""

    def __init__(self):
        self.windows = 0

    def predict(self, windows):
        self.windows += len(windows)
        return (windows > 3).astype(np.float32)[..., None]


def predictor_of(runtime, config=CONFIG):
    return Predictor("bright", "0" * 64, ("cord",), config, lambda: runtime)


def scan_with_cord(shape, spacing_mm, center_of, radius_mm=5.0):
    """A bright disc in each slice, at `center_of(z)`, voxels, in dim tissue."""
    x, y, z = np.meshgrid(*[np.arange(n) for n in shape], indexing="ij")
    cx, cy = center_of(z)
    disc = ((x - cx) * spacing_mm[0]) ** 2 + ((y - cy) * spacing_mm[1]) ** 2 < radius_mm**2
    return Volume(10.0 * disc.astype(np.float32) + 1, np.diag([*spacing_mm, 1.0])), np.stack([cx[0, 0], cy[0, 0]], axis=-1)


@pytest.mark.parametrize("globally", [True, False])
@pytest.mark.parametrize("thickness_mm", [0.7, 4.0])
def test_a_slanted_cord_far_from_the_center_is_found(globally, thickness_mm):
    scan, truth = scan_with_cord((120, 150, 15), (1.6, 1.2, thickness_mm), lambda z: (85 + 0.5 * (z - 7), 45 - 0.4 * (z - 7)))
    found = search_cord(scan, predictor_of(BrightIsCord()), globally=globally)
    error_mm = np.hypot(*((found.centers_vx - truth) * scan.spacing_mm[:2]).T)
    assert error_mm.max() < 1.0
    assert found.confidence.min() > 0.9


@pytest.mark.parametrize("align", ["edges", "centers"])
def test_a_center_does_not_depend_on_how_grids_are_aligned(align):
    """A shift of half a sample would be 0.5 mm here."""
    scan, truth = scan_with_cord((40, 44, 3), (2.0, 2.0, 3.0), lambda z: (20 + 0 * z, 23 + 0 * z))
    found = search_cord(scan, predictor_of(BrightIsCord(), replace(CONFIG, align=align, reduce="linear")))
    np.testing.assert_allclose(found.centers_vx, truth, atol=0.05)


@pytest.mark.parametrize(("every", "thickness_mm"), [(2, 1.0), (3, 5.0), (4, 1.0)])
def test_slices_that_are_empty_in_turn_hide_no_cord(every, thickness_mm):
    """The slices that are looked at lie as evenly as these."""
    scan, truth = scan_with_cord((160, 160, 22), (1.0, 1.0, thickness_mm), lambda z: (40 + 0.2 * z, 50 + 0 * z))
    data = scan.data.copy()
    data[:, :, ::every] = 0
    found = search_cord(scan.with_data(data), predictor_of(BrightIsCord()))
    assert np.hypot(*(found.centers_vx - truth).T).max() < 1.0
    empty = np.arange(22) % every == 0
    assert found.confidence[~empty].min() > 0.9
    assert not found.confidence[empty].any()


def test_air_is_not_looked_at():
    scan, _ = scan_with_cord((300, 300, 6), (1.0, 1.0, 4.0), lambda z: (60 + 0 * z, 60 + 0 * z))
    data = scan.data.copy()
    data[120:] = data[:, 120:] = 0
    dark, lit = BrightIsCord(), BrightIsCord()
    search_cord(scan.with_data(data), predictor_of(dark))
    search_cord(scan, predictor_of(lit))
    assert dark.windows < 0.4 * lit.windows


def test_memory_does_not_grow_with_the_field_of_view():
    """400 mm: a path over all of its cells would take a gigabyte."""
    data = np.zeros((512, 512, 2), np.float32)
    data[250:258, 250:258] = 1
    scan = Volume(data, np.diag([-0.8, 0.8, 4.0, 1.0]))
    tracemalloc.start()
    assert search_cord(scan, predictor_of(BrightIsCord())).confidence.min() > 0.5
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100e6
