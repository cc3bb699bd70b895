"""The majority of raters."""

import numpy as np
import pytest

from spineseg_cli.metrics.raters import majority


@pytest.mark.parametrize(("raters", "needed"), [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3)])
def test_at_least_half_of_the_raters(raters, needed):
    """Voxel v is marked by v raters; a tie is foreground."""
    masks = [np.arange(raters + 1) > rater for rater in range(raters)]
    np.testing.assert_array_equal(majority(masks), np.arange(raters + 1) >= needed)


def test_needs_a_mask():
    with pytest.raises(ValueError, match="at least one"):
        majority([])
