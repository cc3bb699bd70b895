"""How likely each slice holds cord, by small networks that read what the search and the cord network say along the whole path.

A slice by itself is often in doubt: fluid and roots below the conus look like cord, and a cord in a contrast that the networks
hardly know looks like nothing. Its neighbors tell. A network is a chain of dilated convolutions over a sequence of positions
2 mm apart (as in van den Oord et al., WaveNet, 2016, but looking both ways). There are a few, trained alike from other starts,
and their mean is taken, which depends less on chance. The weights lie beside this module; `testing/benchmarks/cord_presence.py`
makes them.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from spineseg_cli.core.localization.extent import log_odds
from spineseg_cli.core.localization.location import CordView

WEIGHTS = Path(__file__).with_name("presence.npz")

# The networks read positions this far apart along the path.
STEP_MM = 2.0

# Samples of a convolution, and positions between them, layer by layer; the last layer reads single positions.
TAPS = 5
DILATIONS = (1, 2, 4, 8, 1)

# Log-odds that a slice, judged by itself, holds cord: weights of the first three features, and a constant. A logistic regression
# on development scans by weights that had not seen the subject.
SLICE_WEIGHTS, SLICE_CONSTANT = (1.68, 3.60, -1.87), -0.30

# Beyond its ends, a sequence goes on as it ends, for as many positions as can matter.
REACH = (TAPS // 2) * sum(DILATIONS[:-1])

# Slices of this thickness, or of more, weigh alike.
MAX_THICKNESS_MM = 6.0

# What the networks read of each position: see `features_of_search`.
FEATURES = ("search", "network", "mismatch", "radius", "inside", "thickness")


def features_of_search(search_confidence: np.ndarray, distance_mm: float) -> np.ndarray:
    """Return what is known of each slice where only the search has looked: it speaks for the cord network too.

    In numbers of the order of 1: the log-odds of the search and of the cord network, a quarter of each; the mismatch of
    intensity; the root of the area that the cord network sees, in cm; how much of its window lies inside the image; and the
    thickness, a quarter of it in mm.

    Parameters
    ----------
    search_confidence : ndarray, shape (nz,)
        How sure the search is that each slice holds cord, 0 to 1.
    distance_mm : float
        The distance of neighboring slices.

    Returns
    -------
    ndarray, shape (nz, 6), float32
    """
    features = np.zeros((len(search_confidence), len(FEATURES)), np.float32)
    features[:, :2] = log_odds(search_confidence)[:, None] / 4
    features[:, 5] = min(distance_mm, MAX_THICKNESS_MM) / 4
    return features


def features_in_view(
    features: np.ndarray, view: CordView, looked_at: np.ndarray, mismatch: np.ndarray, spacing_mm: float
) -> np.ndarray:
    """Return what is known of each slice where the cord network has looked too.

    Parameters
    ----------
    features : ndarray, shape (nz, 6)
        See `features_of_search`.
    view : CordView
        What the network sees in n slices.
    looked_at : ndarray of int, shape (m,)
        The slices that those n stand for; of the others, it sees nothing.
    mismatch : ndarray, shape (n,)
        The `intensity_mismatch.intensity_mismatch` of the n slices.
    spacing_mm : float
        The distance of the samples of its windows.

    Returns
    -------
    ndarray, shape (nz, 6), float32
    """
    features, network = features.copy(), np.zeros(len(features))
    in_image = view.windows.inside(view.slices)
    area_mm2 = np.einsum("nxy,nxy->n", view.probability, in_image) * spacing_mm**2
    seen = (mismatch, np.sqrt(area_mm2) / 10, in_image.mean(axis=(1, 2)))
    features[looked_at, 2:5] = np.stack([np.interp(looked_at, view.slices, values) for values in seen], axis=1)
    network[looked_at] = np.interp(looked_at, view.slices, view.confidence)
    features[:, 1] = log_odds(network) / 4
    return features


def confidence_of_slices(features: np.ndarray) -> np.ndarray:
    """Return how sure it is that each slice holds cord, judged by itself, 0 to 1: what is doubtful here, users should look at.

    Parameters
    ----------
    features : ndarray, shape (nz, 6)
        What is known of each slice: see `features_of_search`.
    """
    return 1 / (1 + np.exp(-(features[:, :3].astype(float) @ SLICE_WEIGHTS + SLICE_CONSTANT)))


def evidence_of_cord(features: np.ndarray, distance_mm: float, weights: Path = WEIGHTS) -> np.ndarray:
    """Return the log-odds that each slice holds cord.

    Parameters
    ----------
    features : ndarray, shape (nz, 6)
        What is known of each slice, from inferior to superior: see `features_of_search`.
    distance_mm : float
        The distance of neighboring slices.
    weights : Path
        The networks' weights.

    Returns
    -------
    ndarray, shape (nz,), float64
    """
    positions_mm, nearest = sequence_of(len(features), distance_mm)
    sequence = np.pad(features[nearest], ((REACH, REACH), (0, 0)), mode="edge")
    evidence = np.mean([_apply(layers, sequence) for layers in _members(weights)], axis=0)[REACH:-REACH]
    return np.interp(np.arange(len(features)) * distance_mm, positions_mm, evidence)


def sequence_of(count: int, distance_mm: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions that the networks read along `count` slices, in mm from the lowest one's center, and their slices."""
    positions = max(1, round(count * distance_mm / STEP_MM))
    positions_mm = (np.arange(positions) + 0.5) * STEP_MM - distance_mm / 2
    return positions_mm, np.clip(np.round(positions_mm / distance_mm).astype(int), 0, count - 1)


def _convolve(values: np.ndarray, kernel: np.ndarray, dilation: int) -> np.ndarray:
    """Return the convolution of a sequence, shape (n, channels), by a kernel of shape (taps, channels, filters); 0 beyond it."""
    taps = len(kernel)
    padded = np.pad(values, ((dilation * (taps // 2),) * 2, (0, 0)))
    return sum(padded[tap * dilation : tap * dilation + len(values)] @ kernel[tap] for tap in range(taps))


def _apply(layers: list[tuple[np.ndarray, np.ndarray]], values: np.ndarray) -> np.ndarray:
    """Return what a network of these layers, each a kernel and a bias, says of each position of a sequence."""
    for index, ((kernel, bias), dilation) in enumerate(zip(layers, DILATIONS, strict=True)):
        values = _convolve(values, kernel, dilation) + bias
        if index < len(layers) - 1:
            values = np.maximum(values, 0)
    return values[:, 0]


@cache
def _members(path: Path) -> list[list[tuple[np.ndarray, np.ndarray]]]:
    """Return the layers of each network."""
    with np.load(path) as stored:
        arrays = [(stored[f"kernel{index}"], stored[f"bias{index}"]) for index in range(len(DILATIONS))]
    return [[(kernel[member], bias[member]) for kernel, bias in arrays] for member in range(len(arrays[0][0]))]
