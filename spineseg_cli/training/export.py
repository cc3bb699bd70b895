"""The weights that training writes: a network's variables with their metadata, and for the CPU the same network for LiteRT."""

from __future__ import annotations

from pathlib import Path

import keras

from spineseg_cli.core.files import atomic_path
from spineseg_cli.core.inference.runtime import native_stderr_muted
from spineseg_cli.training.config import TrainingConfig
from spineseg_cli.weights.model import Model, write_model
from spineseg_cli.weights.tflite import attach_tflite, tflite_path


def write_weights(path: Path, network: keras.Model, config: TrainingConfig) -> None:
    """Write weights with the metadata of a configuration."""
    with atomic_path(path) as temporary:
        write_model(network, temporary, config.network.as_dict, config.outputs, config.inference)


def write_trained(
    path: Path, network: keras.Model, config: TrainingConfig, kept: Model | None = None, light: bool = False
) -> Path:
    """Write the weights that a run ends with, and return their path.

    Parameters
    ----------
    path : Path
        NAME.weights.h5.
    network : keras.Model
    config : TrainingConfig
    kept : Model, optional
        The weights that the run started from, if these are what it ends with: their thresholds stay theirs.
    light : bool
        Also write NAME.tflite, if the network's windows have one size and one slice.
    """
    inference = kept.config if kept else config.inference
    with atomic_path(path) as temporary:
        write_model(network, temporary, config.network.as_dict, config.outputs, inference)
        if light and inference.pad and not inference.depth:
            from spineseg_cli.networks.export import write_tflite

            with native_stderr_muted():
                write_tflite(network, inference.window, tflite_path(path))
            attach_tflite(temporary, tflite_path(path))
    return path
