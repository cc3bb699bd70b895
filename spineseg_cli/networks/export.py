"""The TFLite export of a network: the same weights in LiteRT's format, for windows of one size."""

from __future__ import annotations

import tempfile
from pathlib import Path

from spineseg_cli.core.files import atomic_path


def write_tflite(network, window: int, path: Path) -> None:
    """Write `network`, a `keras.Model` on TensorFlow, to `path` (`.tflite`) for windows of `window` x `window` samples."""
    import keras
    import tensorflow

    inputs = keras.Input((window, window, 1), batch_size=1)
    fixed = keras.Model(inputs, network(inputs))
    with tempfile.TemporaryDirectory() as folder:
        fixed.export(folder, format="tf_saved_model", verbose=False)
        converted = tensorflow.lite.TFLiteConverter.from_saved_model(folder).convert()
    with atomic_path(path) as temporary:
        temporary.write_bytes(converted)
