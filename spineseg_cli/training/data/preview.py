"""A picture of the training data of a configuration: crops of its batches with the outlines of their targets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from spineseg_cli.tasks.registry import TASKS
from spineseg_cli.training.data.crops import CropBatches


def preview_batches(batches: CropBatches, count: int) -> np.ndarray:
    """Return an RGB picture of crops of the first batches, uint8: see `picture_crops`. Of stacks, it shows the middle slice."""
    images: list[np.ndarray] = []
    targets: list[np.ndarray] = []
    step = 0
    while len(images) < count:
        for image, target in zip(*batches.make(0, step), strict=True):
            middle = image.shape[2] // 2 if image.ndim == 4 else None
            images.append(image[..., 0] if middle is None else image[:, :, middle, 0])
            targets.append(target if middle is None else target[:, :, middle])
        step += 1
    return picture_crops(images[:count], targets[:count], batches.config.outputs)


def picture_crops(
    images: Sequence[np.ndarray], targets: Sequence[np.ndarray], outputs: Sequence[str], columns: int = 8
) -> np.ndarray:
    """Return a picture of images side by side with the outlines of their targets.

    `images`, each of shape (n, n), have a first axis from right to left and a second from posterior to anterior; gray values
    range from the 1st to the 99.5th percentile of each, and images that are smaller than the largest get a black frame.
    `targets`, each of shape (n, n, len(outputs)), are fractions of tissue. The picture has shape (rows * n, columns * n, 3),
    uint8; anterior is up, and empty tiles are black.
    """
    side = max(image.shape[0] for image in images)
    rows = -(-len(images) // columns)
    sheet = np.zeros((rows * side, columns * side, 3), np.uint8)
    for index, (image, target) in enumerate(zip(images, targets, strict=True)):
        row, column = divmod(index, columns)
        tile, margin = _tile(image, target, outputs), (side - image.shape[0]) // 2
        top, left = row * side + margin, column * side + margin
        sheet[top : top + len(tile), left : left + len(tile)] = tile
    return sheet


def _tile(image: np.ndarray, target: np.ndarray, outputs: Sequence[str]) -> np.ndarray:
    low, high = np.percentile(image, (1, 99.5))
    gray = np.clip((image - low) / max(float(high - low), 1e-6), 0, 1) * 255
    tile = np.repeat(gray[..., None], 3, axis=-1).astype(np.uint8)
    colors = {task.outputs[0]: task.color for task in reversed(list(TASKS.values()))}  # of several tasks of one output, the first
    for channel, output in sorted(enumerate(outputs), key=lambda item: item[1] != "cord"):  # the cord first, others on top
        mask = target[..., channel] > 0.5
        tile[mask & ~ndimage.binary_erosion(mask)] = colors[output]
    return tile[:, ::-1].transpose(1, 0, 2)
