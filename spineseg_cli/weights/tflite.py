"""The TFLite export of a weights file that a user has trained: the same network for LiteRT, in a file beside it.

The checksums of both are in the weights file, so that an export of other weights, or one that was changed, is not used for them.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from spineseg_cli.core.files import file_sha256

# The checksums, as JSON; files of version 0.9 call it so too.
CHECKSUMS_ATTRIBUTE = "spineseg_twin"


def tflite_path(path: Path) -> Path:
    """Return where the TFLite export of the weights NAME.weights.h5 lies: NAME.tflite beside it."""
    return path.with_name(path.name.removesuffix(".weights.h5") + ".tflite")


def attach_tflite(file: Any, tflite: Path) -> None:
    """Enter the checksums of a TFLite export into an open weights file, whose weights and metadata are written already."""
    file.attrs[CHECKSUMS_ATTRIBUTE] = json.dumps(_checksums(file, tflite))


def attached_tflite(path: Path, file: Any) -> Path | None:
    """Return the TFLite export of an open weights file; None if there is none, or either was changed since it was attached."""
    tflite = tflite_path(path)
    if CHECKSUMS_ATTRIBUTE not in file.attrs or not tflite.is_file():
        return None
    return tflite if file.attrs[CHECKSUMS_ATTRIBUTE] == json.dumps(_checksums(file, tflite)) else None


def _checksums(file: Any, tflite: Path) -> dict[str, str]:
    """Return the sha256 of the export, and of the attributes and every array, with its name and type, of a weights file."""
    import h5py

    metadata = {name: str(value) for name, value in file.attrs.items() if name != CHECKSUMS_ATTRIBUTE}
    digest = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())

    def add(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            digest.update(f"{name} {item.shape} {item.dtype}".encode())
            digest.update(np.asarray(item[()]).tobytes())

    file.visititems(add)
    return {"weights": digest.hexdigest(), "twin": file_sha256(tflite)}
