"""Log-odds are finite, whatever the probability."""

import numpy as np

from spineseg_cli.core.log_odds import log_odds


def test_log_odds_are_bounded():
    odds = log_odds(np.array([0.0, 0.5, 1.0]))
    assert odds[1] == 0
    assert odds[0] == -odds[2]
    assert np.isfinite(odds).all()
