"""Windows as one straightened stack through a 3-D network, with stand-ins for the network."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spineseg_cli.core.inference.config import InferenceConfig
from spineseg_cli.core.inference.stack import predict_stack

SIDE = 6
STEPS = InferenceConfig(spacing_mm=0.5, window=SIDE, depth=8)


class Same:
    """A network that gives back what it sees, twice, and keeps the shapes."""

    def __init__(self):
        self.shapes = []

    def predict(self, patches):
        self.shapes.append(patches.shape)
        return np.stack([patches, -patches], axis=-1)


class Place:
    """A network whose answer is the place in its patch, 0 to 1 along the cord: what overlapping patches disagree about."""

    def predict(self, patches):
        return np.broadcast_to(np.linspace(0, 1, patches.shape[-1]), patches.shape)[..., None].astype(np.float32)


def smooth_windows(n, distance_mm):
    """Windows that change along the cord in waves of 40 mm, each sample with a phase of its own."""
    phase = np.random.default_rng(0).uniform(0, 2 * np.pi, (SIDE, SIDE))
    z_mm = np.arange(n) * distance_mm
    return np.sin(2 * np.pi * z_mm[:, None, None] / 40 + phase).astype(np.float32)


@given(st.integers(1, 30), st.floats(0.1, 12), st.floats(0, 0.95), st.floats(-5, 5, width=32))
def test_a_constant_stack_stays_what_it_is(n, distance_mm, overlap, value):
    """Also a single slice, and stacks shorter than a patch."""
    prediction = predict_stack(Same(), np.full((n, SIDE, SIDE), value, np.float32), distance_mm, STEPS, overlap)
    assert prediction.shape == (n, SIDE, SIDE, 2)
    assert prediction.dtype == np.float32
    np.testing.assert_allclose(prediction[..., 0], value, atol=1e-5)
    np.testing.assert_array_equal(prediction[..., 1], -prediction[..., 0])


@pytest.mark.parametrize("distance_mm", [0.2, 0.5, 0.8, 3.0])
@pytest.mark.parametrize("overlap", [0.0, 0.5, 0.9])
def test_what_changes_slowly_comes_back(distance_mm, overlap):
    windows = smooth_windows(int(40 / distance_mm), distance_mm)
    back = predict_stack(Same(), windows, distance_mm, STEPS, overlap)[..., 0]
    tolerance = 1e-6 if distance_mm == 0.5 else 0.08  # there and back is exact on one grid, and else interpolates twice
    np.testing.assert_allclose(back, windows, atol=tolerance)


@pytest.mark.parametrize(
    ("n", "distance_mm", "overlap", "patches"), [(1, 5.0, 0.5, 2), (5, 0.5, 0.5, 1), (40, 0.5, 0.0, 5), (40, 0.5, 0.5, 9)]
)
def test_the_network_sees_patches_of_its_size_at_its_spacing(n, distance_mm, overlap, patches):
    network = Same()
    predict_stack(network, np.zeros((n, SIDE, SIDE), np.float32), distance_mm, STEPS, overlap)
    assert network.shapes == [(1, SIDE, SIDE, STEPS.depth)] * patches


def test_own_slices_are_read_as_they_are():
    """Slices that have nothing in common come back, whatever their distance."""
    windows = np.random.default_rng(0).normal(size=(11, SIDE, SIDE)).astype(np.float32)
    own = replace(STEPS, resample_slices=False)
    for distance_mm in (0.3, 5.0, 17.0):
        np.testing.assert_allclose(predict_stack(Same(), windows, distance_mm, own)[..., 0], windows, atol=1e-6)


def test_a_mirror_image_gets_the_mirrored_prediction():
    class Sided(Same):
        def predict(self, patches):
            return super().predict(patches * np.arange(SIDE, dtype=np.float32)[:, None, None])

    windows = np.random.default_rng(0).normal(size=(8, SIDE, SIDE)).astype(np.float32)
    for mirror in (False, True):
        one, other = (predict_stack(Sided(), w, 0.5, replace(STEPS, mirror=mirror)) for w in (windows, windows[:, ::-1]))
        assert np.allclose(one, other[:, ::-1]) == mirror


def test_patches_are_blended_where_they_overlap_and_each_time_alike():
    windows = np.zeros((32, SIDE, SIDE), np.float32)
    apart, blended, again = (predict_stack(Place(), windows, 0.5, STEPS, overlap)[:, 0, 0, 0] for overlap in (0.0, 0.75, 0.75))
    assert abs(np.diff(apart)).max() == 1, "patches side by side: a seam"
    assert abs(np.diff(blended)).max() < 0.3
    assert blended.tobytes() == again.tobytes()
