"""The weights that training writes: a network's variables with their metadata, and for the CPU the same network for LiteRT."""

from __future__ import annotations

from pathlib import Path

import keras

from spineseg_cli.core.files import atomic_path
from spineseg_cli.core.inference.runtime import native_stderr_muted
from spineseg_cli.training.config import TrainingConfig
from spineseg_cli.weights.model import Model, read_model, write_model
from spineseg_cli.weights.tflite import tflite_path


def write_weights(path: Path, network: keras.Model, config: TrainingConfig) -> None:
    """Write weights with the metadata of a configuration."""
    with atomic_path(path) as temporary:
        write_model(network, temporary, config.network.as_dict, config.outputs, config.inference)


def write_trained(
    path: Path, network: keras.Model, config: TrainingConfig, kept: Model | None = None, light: bool = False
) -> Model:
    """Write the weights that a run ends with, and return what their file, read again, says of itself.

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
    inference, tflite = kept.config if kept else config.inference, None
    if light and inference.pad and not inference.depth:
        from spineseg_cli.networks.export import write_tflite

        tflite = tflite_path(path)
        with native_stderr_muted():
            write_tflite(network, inference.window, tflite)
    with atomic_path(path) as temporary:
        write_model(network, temporary, config.network.as_dict, config.outputs, inference, tflite)
    return read_model(path)
