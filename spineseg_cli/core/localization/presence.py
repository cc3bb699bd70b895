"""The evidence that each slice holds cord, by small networks that read the outputs of the other networks along the whole path.

A single slice is often ambiguous: fluid and roots below the conus look like cord, and a cord in an unfamiliar contrast may not be
recognized. Its neighbors resolve this. Each network is a chain of dilated convolutions over a sequence of positions 2 mm apart
(as in van den Oord et al., WaveNet, 2016, but in both directions). The mean of several networks is taken, which were trained from
different initial weights. The weights are stored beside this module and made by `testing/benchmarks/cord_presence.py`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from spineseg_cli.core.localization.extent import CHANGE_PENALTIES, independent_evidence, slices_of_cord
from spineseg_cli.core.localization.location import CordView
from spineseg_cli.core.localization.lost_signal import between_lost_ends
from spineseg_cli.core.log_odds import log_odds, probability_of

WEIGHTS = Path(__file__).with_name("presence.npz")

# The networks read positions this far apart along the path.
STEP_MM = 2.0

# Number of samples of a convolution, and the dilation of each layer; the last layer reads single positions.
TAPS = 5
DILATIONS = (1, 2, 4, 8, 1)

# Log-odds that a slice, judged alone, holds cord: weights of the first three features, and a constant. They were fitted by
# logistic regression on development scans, with networks that had not been trained on the subject.
SLICE_WEIGHTS, SLICE_CONSTANT = (1.68, 3.60, -1.87), -0.30

# Beyond its ends, a sequence is padded with its end values over the networks' receptive field.
REACH = (TAPS // 2) * sum(DILATIONS[:-1])

# The thickness of slices is clipped to this value.
MAX_THICKNESS_MM = 6.0

# Features that the networks read at each position; see `features_of_search`.
FEATURES = ("search", "network", "mismatch", "radius", "inside", "thickness")
NETWORK, MISMATCH, RADIUS = (FEATURES.index(name) for name in ("network", "mismatch", "radius"))

# Where no slice holds cord, the mismatch is limited to this value: its reference slices may be no cord. What is found then must
# outweigh the penalty of a beginning, even at the edge of the scan: 12, where images without cord had at most 9.
DOUBTED_MISMATCH = 0.3


def features_of_search(search_confidence: np.ndarray, distance_mm: float) -> np.ndarray:
    """Return the features of slices to which only the search was applied; its log-odds also stand for those of the cord network.

    The features, scaled to the order of 1, are: a quarter of the log-odds of the search, and of the cord network; the intensity
    mismatch; the square root of the area that the cord network sees, in cm; the fraction of its window inside the image; and a
    quarter of the slice thickness in mm.

    `search_confidence`, shape (nz,), is the confidence of the search that each slice holds cord, 0 to 1; neighboring slices
    are `distance_mm` apart. The result has shape (nz, 6), float32.
    """
    features = np.zeros((len(search_confidence), len(FEATURES)), np.float32)
    features[:, :2] = log_odds(search_confidence)[:, None] / 4
    features[:, 5] = min(distance_mm, MAX_THICKNESS_MM) / 4
    return features


def features_in_view(
    features: np.ndarray, view: CordView, looked_at: np.ndarray, mismatch: np.ndarray, spacing_mm: float
) -> np.ndarray:
    """Return the features of slices after the cord network was applied, too.

    `features`, shape (nz, 6), are those of `features_of_search`. `view` holds the cord network's predictions in n slices, in
    windows with samples of `spacing_mm`, and `mismatch`, shape (n,), is their `intensity_mismatch.intensity_mismatch`. These
    are interpolated to the slices `looked_at`, int, shape (m,); in the others, the network's confidence is taken as 0. The
    result has shape (nz, 6), float32.
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
    """Return the confidence that each slice, judged alone, holds cord, 0 to 1, from which users learn which slices to check.

    `features`, shape (nz, 6), are those of `features_of_search`.
    """
    return probability_of(features[:, :3].astype(float) @ SLICE_WEIGHTS + SLICE_CONSTANT)


def confidence_of_network(features: np.ndarray) -> np.ndarray:
    """Return the cord network's confidence in each slice, 0.02 to 0.98, shape (nz,), from `features_of_search`."""
    return probability_of(4 * features[:, NETWORK].astype(float))


def slices_that_hold_cord(features: np.ndarray, lost: np.ndarray, distance_mm: float, weights: Path = WEIGHTS) -> np.ndarray:
    """Return which slices hold cord, bool, shape (nz,).

    `features`, shape (nz, 6), are those of `features_of_search`, from inferior to superior; `lost`, bool, shape (nz,), says
    which slices have no signal; neighboring slices are `distance_mm` apart; `weights` are those of the networks.
    """
    limited = features.copy()
    limited[:, MISMATCH] = np.minimum(features[:, MISMATCH], DOUBTED_MISMATCH)
    present, inner = np.zeros(len(lost), bool), between_lost_ends(lost)
    for seen, least in ((features, 0.0), (limited, CHANGE_PENALTIES[0])):
        evidence = np.where(lost[inner], 0, evidence_of_cord(seen[inner], distance_mm, weights))
        is_cord = slices_of_cord(evidence, distance_mm) & ~lost[inner]
        if independent_evidence(evidence, distance_mm)[is_cord].sum() > least:
            present[inner] = is_cord
            break
    return present


def evidence_of_cord(features: np.ndarray, distance_mm: float, weights: Path = WEIGHTS) -> np.ndarray:
    """Return the log-odds that each slice holds cord.

    Parameters are those of `slices_that_hold_cord`; the result has shape (nz,), float64.
    """
    positions_mm, nearest = sequence_of(len(features), distance_mm)
    sequence = np.pad(features[nearest], ((REACH, REACH), (0, 0)), mode="edge")
    evidence = np.mean([_apply(layers, sequence) for layers in _members(weights)], axis=0)[REACH:-REACH]
    return np.interp(np.arange(len(features)) * distance_mm, positions_mm, evidence)


def sequence_of(count: int, distance_mm: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions that the networks read along `count` slices, in mm above the lowest one's center, and their slices."""
    positions = max(1, round(count * distance_mm / STEP_MM))
    positions_mm = (np.arange(positions) + 0.5) * STEP_MM - distance_mm / 2
    return positions_mm, np.clip(np.round(positions_mm / distance_mm).astype(int), 0, count - 1)


def _convolve(values: np.ndarray, kernel: np.ndarray, dilation: int) -> np.ndarray:
    """Return the zero-padded convolution of a sequence, shape (n, channels), by a kernel, shape (taps, channels, filters)."""
    taps = len(kernel)
    padded = np.pad(values, ((dilation * (taps // 2),) * 2, (0, 0)))
    return sum(padded[tap * dilation : tap * dilation + len(values)] @ kernel[tap] for tap in range(taps))


def _apply(layers: list[tuple[np.ndarray, np.ndarray]], values: np.ndarray) -> np.ndarray:
    """Return the output of a network at each position of a sequence; each of its layers is a kernel and a bias."""
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
