"""The light twin of a weights file that a user has trained: the same network for LiteRT, beside it.

The sums of both are in the weights file, so that a twin of other weights, or one that was changed, is not taken for it.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from spineseg_cli.core.files import file_sha256

# The sums, as JSON.
TWIN_ATTRIBUTE = "spineseg_twin"


def twin_path(path: Path) -> Path:
    """Return where the light twin of the weights NAME.weights.h5 lies: NAME.tflite beside it."""
    return path.with_name(path.name.removesuffix(".weights.h5") + ".tflite")


def attach_twin(path: Path) -> Path:
    """Enter the light twin beside a weights file into that file, and return the twin's path."""
    import h5py

    twin = twin_path(path)
    with h5py.File(path, "a") as file:
        file.attrs[TWIN_ATTRIBUTE] = json.dumps(_sums(file, twin))
    return twin


def twin_of(path: Path, file: Any) -> Path | None:
    """Return the light twin of an open weights file; None if there is none, or either was changed since it was attached."""
    twin = twin_path(path)
    if TWIN_ATTRIBUTE not in file.attrs or not twin.is_file():
        return None
    return twin if file.attrs[TWIN_ATTRIBUTE] == json.dumps(_sums(file, twin)) else None


def _sums(file: Any, twin: Path) -> dict[str, str]:
    """Return the sha256 of the twin, and of the attributes and every array, with its place and type, of a weights file."""
    import h5py

    cards = {name: str(value) for name, value in file.attrs.items() if name != TWIN_ATTRIBUTE}
    digest = hashlib.sha256(json.dumps(cards, sort_keys=True).encode())

    def add(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            digest.update(f"{name} {item.shape} {item.dtype}".encode())
            digest.update(np.asarray(item[()]).tobytes())

    file.visititems(add)
    return {"weights": digest.hexdigest(), "twin": file_sha256(twin)}
