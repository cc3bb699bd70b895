"""How far two masks overlap."""

import numpy as np

from spineseg_cli.metrics.overlap import confusion, dice


def dice_of(mask, truth) -> float:
    """Return the Dice coefficient of two arrays of one shape, in which values above 0 are in the mask."""
    return dice(confusion(np.asarray(mask) > 0, np.asarray(truth) > 0))
