"""Contact sheets: many images in one picture, to look at what a network is trained on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

GRAY_MATTER_COLOR = (255, 60, 60)
CORD_COLOR = (80, 200, 255)


def contact_sheet(images: Sequence[np.ndarray], targets: Sequence[np.ndarray], columns: int = 8) -> np.ndarray:
    """Return images side by side with the contours of their labels.

    Parameters
    ----------
    images : sequence of ndarray, shape (n, n)
        First axis from right to left, second from posterior to anterior; each is windowed to its own 1st and 99.5th percentile.
    targets : sequence of ndarray, shape (n, n, 2)
        Fractions of gray matter and of cord.
    columns : int
        Images a row.

    Returns
    -------
    ndarray, shape (rows * n, columns * n, 3), uint8
        Anterior is up. Empty places are black.
    """
    side = images[0].shape[0]
    rows = -(-len(images) // columns)
    sheet = np.zeros((rows * side, columns * side, 3), np.uint8)
    for index, (image, target) in enumerate(zip(images, targets, strict=True)):
        row, column = divmod(index, columns)
        sheet[row * side : (row + 1) * side, column * side : (column + 1) * side] = _tile(image, target)
    return sheet


def _tile(image: np.ndarray, target: np.ndarray) -> np.ndarray:
    low, high = np.percentile(image, (1, 99.5))
    gray = np.clip((image - low) / max(float(high - low), 1e-6), 0, 1) * 255
    tile = np.repeat(gray[..., None], 3, axis=-1).astype(np.uint8)
    for channel, color in ((1, CORD_COLOR), (0, GRAY_MATTER_COLOR)):
        mask = target[..., channel] > 0.5
        tile[mask & ~ndimage.binary_erosion(mask)] = color
    return tile[:, ::-1].transpose(1, 0, 2)
