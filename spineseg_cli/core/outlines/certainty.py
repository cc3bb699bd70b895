"""How sure a network is of the gray matter of a scan, and whether the image shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from spineseg_cli.core.outlines.tissue_evidence import TissueSection

# The network is sure of a scan's gray matter if the median of its slices' expected Dice coefficients is at least this. It is 0.91
# or more in nine scans as they are, and less in all with noise of 0.3 standard deviations of the intensities around the cord.
SURE_DICE = 0.9

# Gray matter can be seen if the median over slices of its contrast to white matter, in standard deviations of the noise, is at
# least this. Where the network sees slices averaged with their neighbors, so that it does not follow the noise of one, it is 0.85
# or more in nine scans with noise of 0.6 standard deviations, and -0.14 to 0.42 in six T1w and T2w scans of 1 mm.
LEAST_CONTRAST = 0.55


@dataclass(frozen=True)
class Certainty:
    """The certainty of a network in n slices."""

    # The Dice coefficient that each slice's mask has by the network's own probabilities: see `expected_dice`.
    expected_dice: list[float] = field(default_factory=list)
    # The contrast of gray to white matter in each slice (`TissueSection.contrast`); empty if intensities are not used.
    contrasts: list[float] = field(default_factory=list)

    def add(self, gray: np.ndarray, tissues: Sequence[TissueSection | None], outline: float) -> None:
        """Add slices: a network's probabilities of gray matter, shape (n, height, width), and the tissues of each if used."""
        self.expected_dice.extend(expected_dice(gray, outline).tolist())
        self.contrasts.extend(section.contrast for section in tissues if section is not None)

    @property
    def median_dice(self) -> float:
        """The median of the slices' expected Dice coefficients."""
        return float(np.median(self.expected_dice))

    @property
    def is_sure(self) -> bool:
        """Whether the network is sure of the gray matter in half of the slices or more."""
        return self.median_dice >= SURE_DICE

    @property
    def is_visible(self) -> bool:
        """Whether gray and white matter differ in intensity; True if intensities are not used."""
        return not self.contrasts or abs(float(np.median(self.contrasts))) >= LEAST_CONTRAST


def expected_dice(probability: np.ndarray, outline: float) -> np.ndarray:
    """Return the Dice coefficient to be expected of the masks inside an outline, if probabilities are right; shape (n,).

    `probability` has the shape (n, height, width), and is `outline` on the outline. The coefficient is 0 without any probability.
    """
    inside = probability > outline
    sums = probability.sum(axis=(1, 2), dtype=float)
    both = np.where(inside, probability, 0).sum(axis=(1, 2), dtype=float)
    return 2 * both / np.maximum(sums + inside.sum(axis=(1, 2)), np.finfo(float).tiny)
