"""The fit of the confidence's coefficients, and their use."""

import numpy as np

from spineseg_cli.core.confidence.assessment import _apply_model
from testing.benchmarks.confidence.model import Rows, area_under_curve, fitted

SIGNS, NAMES = np.array([1, -1, 1]), ["sharpness", "vague_mm", "area"]


def drawn_rows(rng: np.random.Generator, count: int) -> Rows:
    """Slices that are good where the first feature is high and the second low; the third speaks the other way than it may."""
    features = rng.normal(size=(count, 3))
    score = 1 + 2 * features[:, 0] - np.maximum(features[:, 1], 0) - 0.5 * features[:, 2]
    return Rows(features, rng.random(count) < 1 / (1 + np.exp(-score)), np.ones(count))


def test_effects_have_their_signs_and_the_stored_model_is_the_fitted_one():
    rng = np.random.default_rng(0)
    rows, damaged = drawn_rows(rng, 2000), Rows(rng.normal(size=(60, 3)) + [0, 9, 0], np.zeros(60, bool), np.ones(60))
    model, without = (fitted(rows, SIGNS, np.zeros(3, bool), *more) for more in ((damaged,), ()))
    for column, sign in enumerate(SIGNS):
        along = np.zeros((50, 3))
        along[:, column] = np.linspace(-4, 12, 50)
        assert (sign * np.diff(model.score(along)) >= 0).all()
        assert np.ptp(model.score(along)) > 1 if column < 2 else np.ptp(model.score(along)) < 0.1
    far = np.array([[0.0, 9.0, 0.0]])
    assert model.predicted(far) < 0.2 < without.predicted(far)
    assert area_under_curve(model.score(rows.features), rows.good, rows.weight) > 0.8
    found, _ = _apply_model(model.stored(NAMES), dict(zip(NAMES, rows.features.T, strict=True)))
    np.testing.assert_allclose(found, model.predicted(rows.features), atol=1e-3)
