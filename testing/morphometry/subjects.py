"""Simulated subjects for the estimate of spinal segments: each with lengths, sizes and shapes of its own."""

from dataclasses import dataclass

import numpy as np

from spineseg_cli.morphometry.levels.segments import AREA_MM2, BOUNDARIES, LENGTHS_PCT, MIDDLES, RATIO


@dataclass(frozen=True)
class SimulatedSubject:
    """Area and compression ratio along a cord, from its top, shape (n,), and the boundaries of its segments, shape (31,), mm."""

    place_mm: np.ndarray
    area_mm2: np.ndarray
    ratio: np.ndarray
    boundaries_mm: np.ndarray

    def in_view(self, first: float, last: float) -> "SimulatedSubject":
        """Return the part of the cord between two shares of its length, with distances from the top of that part."""
        length = self.boundaries_mm[-1]
        seen = (self.place_mm >= first * length) & (self.place_mm <= last * length)
        top = self.place_mm[seen][0]
        return SimulatedSubject(self.place_mm[seen] - top, self.area_mm2[seen], self.ratio[seen], self.boundaries_mm - top)

    @property
    def inside(self) -> np.ndarray:
        """Whether each boundary is in view, shape (31,)."""
        return (self.boundaries_mm >= 0) & (self.boundaries_mm <= self.place_mm[-1])

    @property
    def profile(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """What the estimate is made from: distance, area, ratio, and that all slices are whole."""
        return self.place_mm, self.area_mm2, self.ratio, np.ones(len(self.place_mm), bool)


# Standard deviations of the logarithm of the area and of the compression ratio from the average adult's: common to the whole
# cord, varying along it over 20 mm, and at the tip of the conus; each is twice as large in three of ten subjects. They are those
# of masks of people: see `spineseg_cli.morphometry.levels.deviation`.
DEVIATIONS = ((0.12, 0.075, 0.7), (0.04, 0.053, 0.13))
ALIKE_MM = 20.0
UNUSUAL, UNUSUAL_SHARE = 2.0, 0.3


def simulate_subject(rng: np.random.Generator) -> SimulatedSubject:
    """Return a subject with a cord of 430 +- 30 mm, segments 8 % longer or shorter each, and area and shape of its own."""
    length = rng.normal(430, 30)
    lengths = LENGTHS_PCT * np.exp(rng.normal(0, 0.08, len(LENGTHS_PCT)))
    boundaries = np.concatenate([[0], np.cumsum(lengths)]) / lengths.sum() * length
    place = np.arange(0, length, 1.0)
    u = np.interp(place, boundaries, BOUNDARIES)
    knots = np.arange(0, length + 5, 5.0)
    alike = np.linalg.cholesky(np.exp(-0.5 * ((knots[:, None] - knots) / ALIKE_MM) ** 2) + 1e-6 * np.eye(len(knots)))

    def deviation(common, along, tip):
        scale = UNUSUAL if rng.random() < UNUSUAL_SHARE else 1.0
        wander = np.interp(place, knots, alike @ rng.normal(0, along, len(knots)))
        conus = rng.normal(0, tip) * np.clip((u - 0.88) / 0.12, 0, 1)
        return scale * (rng.normal(0, common) + wander + conus) + rng.normal(0, 0.02, len(place))

    at = np.concatenate([[0], MIDDLES, [1]])
    area, ratio = (np.interp(u, at, [values[0], *values, end]) for values, end in ((AREA_MM2, 0), (RATIO, RATIO[-1])))
    return SimulatedSubject(place, area * np.exp(deviation(*DEVIATIONS[0])) + 0.5, ratio + deviation(*DEVIATIONS[1]), boundaries)
