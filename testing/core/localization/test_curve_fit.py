"""Centerlines in millimeters: what every algorithm keeps, and what it smooths away."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spineseg_cli.core.localization.choices import CURVES
from spineseg_cli.core.localization.curve_fit import ALGORITHMS, SMOOTH_MM, fit_curve

SMOOTHING = [name for name in ALGORITHMS if name != "linear"]
algorithms = st.sampled_from(list(ALGORITHMS))


def test_every_curve_that_can_be_chosen_can_be_fitted():
    assert set(ALGORITHMS) == set(CURVES)


seeds = st.integers(0, 2**32 - 1)

# Rounding, of coordinates of some 100 mm.
EXACT_MM = 1e-9


def line(z):
    return np.stack([3 + 0.3 * z, 50 - 0.4 * z], axis=-1)


def spine(z):
    """Curves as long as those of the neck and chest."""
    return np.stack([2 * np.sin(2 * np.pi * z / 250), 15 * np.cos(2 * np.pi * z / 220)], axis=-1)


def points_of(shape, z, noise_mm=0.0, seed=0):
    noise = np.random.default_rng(seed).normal(0, 1, (len(z), 2))
    return np.column_stack([shape(z) + noise_mm * noise, z])


def rms(difference):
    return np.sqrt((difference**2).sum(axis=-1).mean())


@given(algorithm=algorithms, seed=seeds, n=st.integers(2, 80), length_mm=st.sampled_from([5.0, 100.0, 500.0]))
def test_a_straight_line_is_kept(algorithm, seed, n, length_mm):
    """Wherever the points are on it, however they are weighted, and beyond its ends."""
    rng = np.random.default_rng(seed)
    z = np.cumsum(rng.uniform(0.2, 1, n))
    z = z / z[-1] * length_mm - 200
    curve = fit_curve(points_of(line, z), rng.uniform(0.01, 1, n), algorithm, extrapolate=True)
    at = np.linspace(z[0] - 20, z[-1] + 20, 200)
    np.testing.assert_allclose(curve.at(at), line(at), atol=EXACT_MM)
    direction = np.array([0.3, -0.4, 1]) / np.linalg.norm([0.3, -0.4, 1])
    np.testing.assert_allclose(curve.tangent(at), np.broadcast_to(direction, (200, 3)), atol=EXACT_MM)


@pytest.mark.parametrize("n", [3, 4, 6])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_few_slices_are_not_made_worse(algorithm, n):
    z = 4.0 * np.arange(n)
    curve = fit_curve(points_of(line, z, noise_mm=0.3), algorithm=algorithm)
    assert rms(curve.at(z) - line(z)) <= rms(points_of(line, z, 0.3)[:, :2] - line(z)) + EXACT_MM, "not worse than the points"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("step_mm", [1.0, 5.0])
def test_the_spine_is_kept(algorithm, step_mm):
    z = np.arange(-100, 200, step_mm)
    curve = fit_curve(points_of(spine, z), algorithm=algorithm)
    assert rms(curve.at(z) - spine(z)) < 0.1
    assert np.abs(curve.at(z) - spine(z)).max() < 0.5, "at the ends, where a smoothing spline is straight"


@pytest.mark.parametrize(("wavelength", "kept"), [(0.25, (0, 0.05)), (0.5, (0, 0.1)), (1, (0.15, 0.75)), (2, (0.9, 1.01))])
@pytest.mark.parametrize("algorithm", SMOOTHING)
def test_smooth_mm_is_where_waves_are_halved(algorithm, wavelength, kept):
    z = np.arange(0, 300, 1.0)
    phase = 2 * np.pi * z / (wavelength * SMOOTH_MM)
    curve = fit_curve(np.column_stack([np.sin(phase), np.cos(phase), z]), algorithm=algorithm)
    amplitude = rms(curve.at(np.linspace(75, 225, 500)))
    assert kept[0] <= amplitude <= kept[1]
    if algorithm == "bspline":
        assert amplitude == pytest.approx(1 / (1 + wavelength**-4), abs=0.01), "the formula of its docstring"


@given(seed=seeds, algorithm=st.sampled_from(SMOOTHING))
def test_noise_is_reduced(seed, algorithm):
    z = np.arange(0, 200, 2.0)
    curve = fit_curve(points_of(spine, z, noise_mm=0.5, seed=seed), algorithm=algorithm)
    assert rms(curve.at(z) - spine(z)) < 0.7 * rms(points_of(spine, z, 0.5, seed)[:, :2] - spine(z))


@given(seed=seeds, algorithm=algorithms, scale=st.sampled_from([1e-3, 0.1, 25.4]))
def test_the_unit_does_not_matter(seed, algorithm, scale):
    points = points_of(spine, np.arange(0, 120, 3.0), 0.5, seed)
    weights = np.random.default_rng(seed).uniform(0.1, 1, len(points))
    at = np.linspace(0, 117, 50)
    curve = fit_curve(points, weights, algorithm)
    scaled = fit_curve(scale * points, 7 * weights, algorithm, smooth_mm=scale * SMOOTH_MM)
    # The nanometer that "nurbs" adds to its limit is a micrometer of the smallest unit.
    np.testing.assert_allclose(scaled.at(scale * at) / scale, curve.at(at), atol=2e-3)
    np.testing.assert_allclose(scaled.tangent(scale * at), curve.tangent(at), atol=2e-3)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_an_outlier_of_little_weight_hardly_counts(algorithm):
    z = np.arange(0, 150, 3.0)
    points, weights = points_of(spine, z, 0.1), np.ones(50)
    calm = fit_curve(points, weights, algorithm)
    points[25, 0] += 100
    weights[25] = 0 if algorithm == "linear" else 1e-4
    assert np.abs(fit_curve(points, weights, algorithm).at(z) - calm.at(z)).max() < 0.5


def test_nurbs_resists_an_outlier_that_nobody_announced():
    z = np.arange(0, 150, 3.0)
    points = points_of(spine, z, 0.3)
    points[25, 0] += 30
    moved = {name: np.abs(fit_curve(points, algorithm=name).at(z) - spine(z)).max() for name in ("bspline", "nurbs")}
    assert moved["nurbs"] < 0.4 * moved["bspline"]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_wide_gap_is_bridged(algorithm):
    z = np.concatenate([np.arange(0, 80, 2.0), np.arange(160, 240, 2.0)])
    curve = fit_curve(points_of(spine, z, 0.5), algorithm=algorithm)
    assert np.abs(curve.at(np.arange(0, 238)) - spine(np.arange(0, 238))).max() < (12 if algorithm == "linear" else 6)


@given(seed=seeds, algorithm=algorithms)
def test_tangents_are_those_of_the_curve(seed, algorithm):
    z = np.arange(0, 150, 5.0)
    curve = fit_curve(points_of(spine, z, 0.3, seed), algorithm=algorithm, extrapolate=True)
    at, step = np.arange(-23.5, 170, 3.0), 1e-4  # neither on a point, where "linear" has a corner, nor at an end
    tangent = curve.tangent(at)
    np.testing.assert_allclose(np.linalg.norm(tangent, axis=1), 1)
    difference = (curve.at(at + step) - curve.at(at - step)) / (2 * step)
    np.testing.assert_allclose(tangent[:, :2] / tangent[:, 2:], difference, atol=1e-6)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_beyond_its_ends_a_curve_goes_straight_on(algorithm):
    """On a slope that one bad end point does not turn around: from the first point to the second it is 0.3."""
    z = np.arange(0, 151, 3.0)
    points = np.column_stack([0.3 * np.abs(z - 75), np.zeros(51), z])
    points[0, 0] -= 1.8
    curve = fit_curve(points, algorithm=algorithm, extrapolate=True)
    assert np.abs(curve.at(z[[0, -1]] + [-1e-9, 1e-9]) - curve.at(z[[0, -1]])).max() < 1e-8, "without a jump"
    np.testing.assert_allclose(np.diff(curve.at(np.array([-30, -20, -10, 0])), n=2, axis=0), 0, atol=1e-9)
    tangent = curve.tangent(np.array([-10.0, 160.0]))
    np.testing.assert_allclose(tangent[:, 0] / tangent[:, 2], [-0.3, 0.3], atol=0.08)


def test_points_without_weight_are_left_out_of_the_range():
    points = points_of(line, np.arange(8.0))
    points[[0, 3, 7], :2] = 1000
    before = points.copy()
    for algorithm in ALGORITHMS:
        curve = fit_curve(points, np.array([0, 1, 1, 0, 1, 1, 1, 0]), algorithm)
        assert (curve.start_mm, curve.stop_mm) == (1, 6)
        np.testing.assert_allclose(curve.at(np.arange(1.0, 7)), line(np.arange(1.0, 7)), atol=EXACT_MM)
    np.testing.assert_array_equal(points, before)
