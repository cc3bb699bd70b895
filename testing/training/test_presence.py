"""Training of the network that predicts which slices contain cord."""

import numpy as np
import pytest

from spineseg_cli.core.localization.presence import STEP_MM, evidence_of_cord, features_of_search
from spineseg_cli.training.presence import LabeledSequence, save_presence, train_presence


def sequence(rng, count=60):
    """A cord from some position upwards, which the search sees nine times of ten."""
    cord = np.arange(count) >= rng.integers(10, count - 10)
    seen = np.where(rng.random(count) < 0.1, ~cord, cord)
    features = features_of_search(np.where(seen, 0.9, 0.1), STEP_MM)
    return LabeledSequence(features, cord.astype(np.float32), np.ones(count, np.float32), 1.0)


@pytest.mark.timeout(120)
def test_it_learns_to_ask_the_neighbors(tmp_path):
    rng = np.random.default_rng(0)
    network = train_presence([sequence(rng) for _ in range(20)], steps=150)
    save_presence([network], tmp_path / "presence.npz", caution=0.0)
    save_presence([network], tmp_path / "careful.npz", caution=2.0)
    right, alone = [], []
    for _ in range(10):
        new = sequence(rng)
        evidence = evidence_of_cord(new.features, STEP_MM, tmp_path / "presence.npz")
        careful = evidence_of_cord(new.features, STEP_MM, tmp_path / "careful.npz")
        np.testing.assert_allclose(evidence - careful, 2.0, atol=1e-3)
        right.append(((evidence > 0) == new.cord.astype(bool)).mean())
        alone.append(((new.features[:, 0] > 0) == new.cord.astype(bool)).mean())
    assert np.mean(right) > 0.97 > np.mean(alone) + 0.03
