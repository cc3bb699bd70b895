"""Evidence that the found edge is not the cord's: other steps near it that could be, and a shape unlike the mask's.

Where cord and fluid are nearly as gray as each other, the step from fluid to dura has the sign of the cord's and is stronger. The
edge then follows the dura on some of the rays, so that its shape is unlike the mask's, whatever the mask's size.
"""

from __future__ import annotations

import numpy as np

from spineseg_cli.morphometry.edge.steps import COARSE_STEP_MM, EdgeSteps, offsets_within
from spineseg_cli.morphometry.outline.polar import RAYS, trace_outline
from spineseg_cli.morphometry.profile import Profile

# A rival is a step of the same sign between these distances from the edge, mm.
RIVAL_MM = (0.8, 3.0)

# The least strength of a rival, as a share of that of the step at the edge.
RIVAL_STEP = 0.5

# Distance within which the step at the edge itself is searched for, mm.
AT_EDGE_MM = 0.4

# Highest harmonic of the difference between the outlines of edge and mask; the mean difference, the mask's size, does not count.
HARMONICS = 4

# An edge is taken for that of something else if its outline differs from the mask's by more than this, mm, and rivals are on more
# than `MOST_RIVALS` of the rays. Experts' masks of 1 mm differ from a right edge by 0.3 to 0.5 mm, without rivals. The three
# thresholds were chosen on 39 scans of 17 subjects; of the slices of subjects left out, 77 % of the edges that are more than 12 %
# off in area are found, and 0.6 % of the others are taken for such.
LEAST_DIFFERENCE_MM = 0.45
MOST_RIVALS = 0.1

# It is taken for that of something else, whatever the rivals, if it differs by more than this, mm.
MOST_DIFFERENCE_MM = 0.8


def is_another_edge(profile: Profile, steps: EdgeSteps, sign: float, outline_mm: np.ndarray) -> np.ndarray:
    """Return whether the found outline, shape (n, RAYS), is probably that of something else than the cord, shape (n,)."""
    difference = shape_difference_mm(profile, steps, outline_mm)
    rivals = share_of_rivals(steps, sign, outline_mm) > MOST_RIVALS
    return (difference > MOST_DIFFERENCE_MM) | (rivals & (difference > LEAST_DIFFERENCE_MM))


def share_of_rivals(steps: EdgeSteps, sign: float, outline_mm: np.ndarray) -> np.ndarray:
    """Return the share of rays, shape (n,), on which another step near the edge, shape (n, RAYS), is about as strong."""
    offsets = offsets_within(RIVAL_MM[1] + COARSE_STEP_MM, COARSE_STEP_MM)
    rise = sign * steps.derivative(outline_mm, offsets)
    here = rise[:, :, np.abs(offsets) <= AT_EDGE_MM + 1e-6].max(axis=2)
    peak = np.zeros(rise.shape, bool)
    peak[:, :, 1:-1] = (rise[:, :, 1:-1] >= rise[:, :, :-2]) & (rise[:, :, 1:-1] >= rise[:, :, 2:])
    away = (np.abs(offsets) >= RIVAL_MM[0] - 1e-6) & (np.abs(offsets) <= RIVAL_MM[1] + 1e-6)
    rival = np.where(peak & away, rise, 0).max(axis=2)
    return (rival > RIVAL_STEP * np.maximum(here, 0)).mean(axis=1)


def shape_difference_mm(profile: Profile, steps: EdgeSteps, outline_mm: np.ndarray) -> np.ndarray:
    """Return the root mean square over the rays of the smooth difference between the edge's outline and the mask's, shape (n,).

    Rays begin at the edge's center. Slices that the mask does not show whole count as like it.
    """
    apart = outline_mm - trace_outline(profile.mask, steps.rays)
    known = profile.whole & np.isfinite(apart).all(axis=1)
    weight = steps.averaged(np.repeat(known[:, None].astype(float), RAYS, axis=1))
    apart = steps.averaged(np.where(known[:, None], apart, 0)) / np.maximum(weight, 1e-9)
    waves = np.abs(np.fft.rfft(apart, axis=1))[:, 1 : HARMONICS + 1] / RAYS
    return np.where(known, np.sqrt(2 * (waves**2).sum(axis=1)), 0)
