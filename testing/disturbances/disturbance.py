"""What a disturbance is."""

from collections.abc import Callable

import numpy as np

from spineseg_cli.core.image.volume import Volume

Disturbance = Callable[[Volume, np.ndarray], tuple[Volume, np.ndarray]]
