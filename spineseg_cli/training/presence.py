"""Training of the networks that tell which slices hold cord: see `core.localization.presence`, which runs them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spineseg_cli.core.files import atomic_path
from spineseg_cli.core.localization.extent import log_odds
from spineseg_cli.core.localization.intensity_mismatch import LARGEST
from spineseg_cli.core.localization.presence import DILATIONS, FEATURES, REACH, TAPS

FILTERS = 24
DROPOUT = 0.1

# Sequences of a batch, and their positions, at most; as many steps.
BATCH_SIZE = 16
LENGTH = 64
STEPS = 2000
LEARNING_RATE = 2e-3

# How often a crop is a few slices alone, of so many positions at most.
SHORT_PROB, SHORT_LENGTH = 0.1, 12

# Sequences are stretched along the cord by up to a factor of e to this power.
LOG_STRETCH = 0.2

# How often a part of a sequence shows nothing, as where metal or a slab of saturation hides the cord, or all else does, and how
# many positions the part has.
GAP_PROB, PIECE_PROB, GAP_LENGTH = 0.25, 0.05, (3, 20)

# How far features are off: all of a sequence together, and each position. How often one of the first three is missing, and how
# often nothing but the search is known.
SHIFT, NOISE = 0.1, 0.08
MISSING_PROB, SEARCH_ALONE_PROB = 0.15, 0.1


@dataclass(frozen=True)
class LabeledSequence:
    """What is known at the positions along a scan's path, and whether there is cord.

    Parameters
    ----------
    features : ndarray, shape (n, 6), float32
        See `core.localization.presence.features_of_search`.
    cord : ndarray, shape (n,), float32
        1 where there is cord, 0 where there is none.
    known : ndarray, shape (n,), float32
        1 where that is known.
    share : float
        How often crops of it are drawn, in proportion to the others.
    """

    features: np.ndarray
    cord: np.ndarray
    known: np.ndarray
    share: float


def train_presence(sequences: Sequence[LabeledSequence], seed: int = 0, steps: int = STEPS):
    """Return a `keras.Model` trained on crops of `sequences`: see `build_network`."""
    import keras

    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    network = build_network()
    schedule = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps)
    network.compile(keras.optimizers.AdamW(schedule, weight_decay=1e-3), keras.losses.BinaryCrossentropy(from_logits=True))
    for _ in range(steps):
        features, cord, known = _batch(sequences, rng)
        network.train_on_batch(features, cord[..., None], sample_weight=known)
    return network


def save_presence(networks: Sequence, path: Path, caution: float = 0.0) -> None:
    """Write the kernels and biases of networks as `core.localization.presence` reads them, their log-odds lower by `caution`."""
    members = [[layer.get_weights() for layer in network.layers if layer.get_weights()] for network in networks]
    arrays: dict[str, Any] = {
        f"{name}{index}": np.stack([layers[index][part] for layers in members])
        for index in range(len(DILATIONS))
        for part, name in enumerate(("kernel", "bias"))
    }
    arrays[f"bias{len(DILATIONS) - 1}"] -= np.float32(caution)
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, **arrays)


def build_network():
    """Return the network: a sequence of any length, shape (n, length, 6), to log-odds, shape (n, length, 1)."""
    import keras
    from keras import layers

    network = keras.Sequential([keras.Input((None, len(FEATURES)))])
    for dilation in DILATIONS[:-1]:
        network.add(layers.Conv1D(FILTERS, TAPS, padding="same", dilation_rate=dilation, activation="relu"))
        network.add(layers.Dropout(DROPOUT))
    network.add(layers.Conv1D(1, 1))
    return network


def _batch(sequences: Sequence[LabeledSequence], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return crops of features, of cord and of what is known; beyond its ends, a crop goes on as it ends, unknown."""
    whole = LENGTH + 2 * REACH
    features = np.zeros((BATCH_SIZE, whole, len(FEATURES)), np.float32)
    cord, known = np.zeros((2, BATCH_SIZE, whole), np.float32)
    shares = np.array([sequence.share for sequence in sequences])
    for row, index in enumerate(rng.choice(len(sequences), BATCH_SIZE, p=shares / shares.sum())):
        sequence = sequences[index]
        positions = _crop(len(sequence.cord), rng)
        inside = slice(REACH, REACH + len(positions))
        hidden = _hidden(len(positions), rng)
        cropped = sequence.features[positions]
        if len(positions) <= SHORT_LENGTH:  # what is surest there is what the rest is compared with
            cropped[:, 2] -= cropped[:, 2].min()
        beyond = (REACH, whole - REACH - len(positions))
        features[row] = np.pad(_augmented(cropped, hidden, rng), (beyond, (0, 0)), mode="edge")
        cord[row, inside] = np.where(hidden, 0, sequence.cord[positions])
        known[row, inside] = np.where(hidden, 1, sequence.known[positions])
    return features, cord, known


def _crop(count: int, rng: np.random.Generator) -> np.ndarray:
    """Return positions of a random part of a sequence, stretched."""
    short = min(count, SHORT_LENGTH)
    least, most = (1, short) if rng.random() < SHORT_PROB else (short, min(count, LENGTH))
    length = int(rng.integers(least, most + 1))
    first = int(rng.integers(count - length + 1))
    stretch = np.exp(rng.uniform(-LOG_STRETCH, LOG_STRETCH))
    positions = np.round(first + np.arange(max(1, int(length / stretch))) * stretch).astype(int)
    return np.clip(positions[:LENGTH], 0, count - 1)


def _hidden(length: int, rng: np.random.Generator) -> np.ndarray:
    """Return which positions show nothing, shape (length,)."""
    hidden = np.zeros(length, bool)
    chance = rng.random()
    if chance < GAP_PROB + PIECE_PROB:
        first = int(rng.integers(length))
        hidden[first : first + int(rng.integers(*GAP_LENGTH))] = True
        if chance < PIECE_PROB:
            hidden = ~hidden
    return hidden


def _augmented(features: np.ndarray, hidden: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return features, changed in place, as networks would give them that know the scan better or worse, and see nothing where it
    is hidden.
    """
    count = int(hidden.sum())
    features[hidden, :2] = log_odds(rng.uniform(0, 0.15, (count, 2))) / 4
    features[hidden, 2] = rng.uniform(0, LARGEST) * rng.uniform(0.8, 1, count)
    features[hidden, 3] = rng.uniform(0, 0.2, count)
    features[:, :2] += SHIFT * rng.standard_normal(2) + NOISE * rng.standard_normal((len(features), 2))
    features[:, 2] += NOISE / 2 * rng.standard_normal(len(features))
    if rng.random() < SEARCH_ALONE_PROB:
        features[:, 1], features[:, 2:5] = features[:, 0], 0
    elif rng.random() < MISSING_PROB:
        features[:, rng.integers(3)] = 0
    return features
