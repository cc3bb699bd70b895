"""Simulated subjects for the estimate of spinal segments: each with lengths, sizes and shapes of its own."""

from dataclasses import dataclass

import numpy as np

from spineseg_cli.morphometry.segments import AREA_MM2, BOUNDARIES, LENGTHS_PCT, MIDDLES, RATIO


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


def simulate_subject(rng: np.random.Generator) -> SimulatedSubject:
    """Return a subject whose cord is 430 +- 30 mm long, its segments 8 % longer or shorter each, its area 10 % larger or smaller,
    and 7 % larger or smaller again from place to place (over 30 mm)."""
    length = rng.normal(430, 30)
    lengths = LENGTHS_PCT * np.exp(rng.normal(0, 0.08, len(LENGTHS_PCT)))
    boundaries = np.concatenate([[0], np.cumsum(lengths)]) / lengths.sum() * length
    place = np.arange(0, length, 1.0)
    u = np.interp(place, boundaries, BOUNDARIES)

    def wander(sd):
        knots = np.arange(0, length + 30, 30.0)
        return sd * np.interp(place, knots, rng.normal(size=len(knots)))

    at = np.concatenate([[0], MIDDLES, [1]])
    area = np.interp(u, at, [AREA_MM2[0], *AREA_MM2, 0]) * np.exp(rng.normal(0, 0.1) + wander(0.07))
    ratio = np.interp(u, at, [RATIO[0], *RATIO, RATIO[-1]]) + rng.normal(0, 0.04) + wander(0.04)
    noise = rng.normal(0, 0.02, (2, len(place)))
    return SimulatedSubject(place, area * np.exp(noise[0]) + 0.5, ratio + noise[1], boundaries)
