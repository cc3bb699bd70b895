"""The network that reads along the path which slices hold cord."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spineseg_cli.core.localization.extent import slices_of_cord
from spineseg_cli.core.localization.presence import (
    FEATURES,
    REACH,
    STEP_MM,
    evidence_of_cord,
    features_of_search,
    sequence_of,
    slices_that_hold_cord,
)


def features_like(confidence, distance_mm):
    """Features of slices that both networks see with the same confidence: a cord of 70 mm2, or as much less of it."""
    confidence = np.asarray(confidence, float)
    features = features_of_search(confidence, distance_mm)
    features[:, 2] = 1.2 * (confidence < 0.5)
    features[:, 3] = np.sqrt(70 * confidence) / 10
    features[:, 4] = 1
    return features


@given(st.integers(1, 60), st.floats(0.3, 20))
def test_what_is_sure_needs_no_length(count, distance_mm):
    """One slice or sixty, thin or thick: where both networks are sure there is cord, and where they see nothing there is none."""
    assert (evidence_of_cord(features_like(np.full(count, 0.99), distance_mm), distance_mm) > 0).all()
    assert (evidence_of_cord(features_like(np.full(count, 0.02), distance_mm), distance_mm) < 0).all()


@pytest.mark.parametrize("distance_mm", [0.5, 1.0, 2.0, 5.0])
def test_the_cord_ends_where_the_networks_lose_it(distance_mm):
    count = round(200 / distance_mm)
    confidence = np.where(np.arange(count) * distance_mm < 100, 0.05, 0.97)
    lowest = int(np.argmax(evidence_of_cord(features_like(confidence, distance_mm), distance_mm) > 0))
    assert abs(lowest * distance_mm - 100) <= 8 + distance_mm


@pytest.mark.parametrize("distance_mm", [0.5, 1.0])
def test_a_doubtful_slice_is_what_its_neighbors_are(distance_mm):
    confidence = np.full(round(150 / distance_mm), 0.97)
    middle = len(confidence) // 2
    confidence[middle : middle + round(4 / distance_mm)] = 0.3
    assert slices_of_cord(evidence_of_cord(features_like(confidence, distance_mm), distance_mm), distance_mm).all()


@pytest.mark.parametrize(("network", "found"), [(0.93, True), (0.8, False)])
def test_intensities_unlike_the_reference_do_not_hide_what_is_cord_otherwise(network, found):
    """Of 240 mm, 60 are cord of which the search is unsure, so the reference is elsewhere; what is doubtful besides is none."""
    cord = np.isin(np.arange(60), range(30, 45))
    features = features_like(np.where(cord, network, 0.1), 4.0)
    features[:, 0] = features_of_search(np.where(cord, 0.25, 0.1), 4.0)[:, 0]
    features[:, 2:5] = np.stack([np.full(60, 1.2), np.where(cord, 0.6, 0.2), np.full(60, 0.5)], axis=1)
    assert not slices_of_cord(evidence_of_cord(features, 4.0), 4.0).any()
    present = slices_that_hold_cord(features, np.zeros(60, bool), 4.0)
    assert not present[~cord].any()
    assert (present[cord].mean() > 0.9) == found


@pytest.mark.parametrize("distance_mm", [1.0, 4.0])
def test_a_piece_beyond_a_gap_is_cord(distance_mm):
    """The networks see 60 mm of cord, nothing for 24 mm, and 20 mm of cord again."""
    at_mm = np.arange(0, 140, distance_mm)
    cord = (at_mm < 60) | ((at_mm >= 84) & (at_mm < 104))
    evidence = evidence_of_cord(features_like(np.where(cord, 0.97, 0.02), distance_mm), distance_mm)
    inside = np.abs(at_mm[:, None] - [60, 84, 104]).min(axis=1) > max(4.0, distance_mm)
    np.testing.assert_array_equal((evidence > 0)[inside], cord[inside])


@given(st.integers(1, 300), st.floats(0.1, 30))
def test_positions_cover_the_slices(count, distance_mm):
    positions_mm, nearest = sequence_of(count, distance_mm)
    assert (np.diff(nearest) >= 0).all()
    assert ((nearest >= 0) & (nearest < count)).all()
    assert np.abs(nearest * distance_mm - positions_mm).max() <= max(STEP_MM, distance_mm)


def test_it_is_the_network_that_is_trained(tmp_path):
    """What runs without TensorFlow gives what Keras gives."""
    pytest.importorskip("keras")
    from spineseg_cli.training.presence import build_network, save_presence

    network = build_network()
    rng = np.random.default_rng(0)
    network.set_weights([rng.normal(0, 0.3, weight.shape) for weight in network.get_weights()])
    save_presence([network], tmp_path / "presence.npz")
    features = rng.normal(0, 1, (70, len(FEATURES))).astype(np.float32)
    nearest = sequence_of(70, STEP_MM)[1]
    longer = np.pad(features[nearest], ((REACH, REACH), (0, 0)), mode="edge")
    expected = np.asarray(network(longer[None]))[0, REACH:-REACH, 0]
    positions_mm = sequence_of(70, STEP_MM)[0]
    np.testing.assert_allclose(
        evidence_of_cord(features, STEP_MM, tmp_path / "presence.npz"),
        np.interp(np.arange(70) * STEP_MM, positions_mm, expected),
        atol=1e-4,
    )
