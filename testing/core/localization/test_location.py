"""The slices of a location, and the outline of a cord in doubt."""

import numpy as np

from spineseg_cli.core.localization.location import CordView


def test_a_cord_in_doubt_as_a_whole_has_an_outline():
    probability = np.array([[[0.2, 0.4]], [[0.1, 0.2]], [[0.5, 1.0]]])
    view = CordView(None, np.arange(3), probability, np.array([0.4, 0.2, 1.0]), "none")
    np.testing.assert_allclose(view.probability_given_cord, [[[0.5, 1]], [[1 / 3, 2 / 3]], [[0.5, 1]]])
