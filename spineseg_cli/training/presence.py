"""Training of the networks that predict which slices contain cord; `core.localization.presence` runs them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spineseg_cli.core.files import atomic_path
from spineseg_cli.core.localization.intensity_mismatch import LARGEST
from spineseg_cli.core.localization.presence import DILATIONS, FEATURES, REACH, TAPS
from spineseg_cli.core.log_odds import log_odds

FILTERS = 24
DROPOUT = 0.1

# Sequences in a batch, the largest number of positions of a sequence, and the number of training steps.
BATCH_SIZE = 16
LENGTH = 64
STEPS = 2000
LEARNING_RATE = 2e-3

# Probability of a short crop, and the largest number of its positions.
SHORT_PROB, SHORT_LENGTH = 0.1, 12

# Logarithm of the largest factor by which a sequence is stretched along the cord.
LOG_STRETCH = 0.2

# Probability that a part of a sequence shows no cord, as behind metal or a saturation slab, that everything but this part shows
# none, and the range of the length of the part in positions.
GAP_PROB, PIECE_PROB, GAP_LENGTH = 0.25, 0.05, (3, 20)

# Standard deviations of the errors of features: of a whole sequence, and of each position. Probability that one of the first
# three features is missing, and that only the search network has been run.
SHIFT, NOISE = 0.1, 0.08
MISSING_PROB, SEARCH_ALONE_PROB = 0.15, 0.1


@dataclass(frozen=True)
class LabeledSequence:
    """The features and labels at the positions along the path through a scan."""

    features: np.ndarray  # shape (n, 6), float32: see `core.localization.presence.features_of_search`
    cord: np.ndarray  # shape (n,), float32: 1 where there is cord, 0 where there is none
    known: np.ndarray  # shape (n,), float32: 1 where the label is known, 0 elsewhere
    share: float  # how often crops of the sequence are drawn, relative to other sequences


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
    """Write networks in the format of `core.localization.presence`, with their log-odds reduced by `caution`."""
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
    """Return the untrained network, from features of shape (n, length, 6) to log-odds of shape (n, length, 1)."""
    import keras
    from keras import layers

    network = keras.Sequential([keras.Input((None, len(FEATURES)))])
    for dilation in DILATIONS[:-1]:
        network.add(layers.Conv1D(FILTERS, TAPS, padding="same", dilation_rate=dilation, activation="relu"))
        network.add(layers.Dropout(DROPOUT))
    network.add(layers.Conv1D(1, 1))
    return network


def _batch(sequences: Sequence[LabeledSequence], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return crops of features, cord and known. Crops are padded by their last values, where labels are unknown."""
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
        if len(positions) <= SHORT_LENGTH:  # this feature is relative to the best slice of the scan, here of the crop
            cropped[:, 2] -= cropped[:, 2].min()
        beyond = (REACH, whole - REACH - len(positions))
        features[row] = np.pad(_augmented(cropped, hidden, rng), (beyond, (0, 0)), mode="edge")
        cord[row, inside] = np.where(hidden, 0, sequence.cord[positions])
        known[row, inside] = np.where(hidden, 1, sequence.known[positions])
    return features, cord, known


def _crop(count: int, rng: np.random.Generator) -> np.ndarray:
    """Return the positions of a random, randomly stretched part of a sequence."""
    short = min(count, SHORT_LENGTH)
    least, most = (1, short) if rng.random() < SHORT_PROB else (short, min(count, LENGTH))
    length = int(rng.integers(least, most + 1))
    first = int(rng.integers(count - length + 1))
    stretch = np.exp(rng.uniform(-LOG_STRETCH, LOG_STRETCH))
    positions = np.round(first + np.arange(max(1, int(length / stretch))) * stretch).astype(int)
    return np.clip(positions[:LENGTH], 0, count - 1)


def _hidden(length: int, rng: np.random.Generator) -> np.ndarray:
    """Return which positions are hidden, shape (length,)."""
    hidden = np.zeros(length, bool)
    chance = rng.random()
    if chance < GAP_PROB + PIECE_PROB:
        first = int(rng.integers(length))
        hidden[first : first + int(rng.integers(*GAP_LENGTH))] = True
        if chance < PIECE_PROB:
            hidden = ~hidden
    return hidden


def _augmented(features: np.ndarray, hidden: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return features, changed in place, with random errors, and with the values of an empty image at hidden positions."""
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
