"""The Nyul scale of a run, learned from the training scans in the windows that the commands read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from spineseg_cli.core.image.nyul import foreground_landmarks, learn_scale, to_standard_scale
from spineseg_cli.core.image.standardization import standardize
from spineseg_cli.core.inference.config import InferenceConfig
from spineseg_cli.errors import InputError
from spineseg_cli.training.data.labeled_slices import ScanSlice


def learn_landmarks(scans: Sequence[Sequence[ScanSlice]], window: int) -> list[float]:
    """Return the standard landmarks of scans, from the central `window` samples of their slices.

    Raises InputError if there are no scans, or the intensity of one is constant.
    """
    of_scans = [foreground_landmarks(*_in_windows(scan, window)) for scan in scans if scan]
    landmarks = [of_scan for of_scan in of_scans if of_scan is not None]
    if not landmarks or len(landmarks) < len(of_scans):
        raise InputError("expected scans with light and dark in them, to learn a Nyul scale from; one is flat: leave it out")
    return learn_scale(landmarks)


def on_nyul_scale(scan: Sequence[ScanSlice], inference: InferenceConfig) -> list[ScanSlice]:
    """Return the slices of a scan on the Nyul scale of `inference`; unchanged if it has no landmarks.

    Scans that are standardized as a whole are standardized again afterwards.
    """
    if not inference.landmarks or not scan:
        return list(scan)
    stack, in_windows = _in_windows(scan, inference.window)
    stack = to_standard_scale(stack, inference.landmarks, in_windows)
    if not inference.per_slice:
        stack = standardize(stack, _inside(scan), per_slice=False, normalization=inference.normalization)
    return [replace(part, image=image) for part, image in zip(scan, stack, strict=True)]


def _in_windows(scan: Sequence[ScanSlice], window: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the slices of a scan as a stack, and which samples lie in the windows of the commands and inside the image."""
    central = np.zeros(scan[0].image.shape, bool)
    width, height = scan[0].image.shape
    first_x, first_y = max((width - window) // 2, 0), max((height - window) // 2, 0)
    central[first_x : first_x + window, first_y : first_y + window] = True
    return np.stack([part.image for part in scan]), _inside(scan) & central


def _inside(scan: Sequence[ScanSlice]) -> np.ndarray:
    return np.stack([np.ones(part.image.shape, bool) if part.inside is None else part.inside for part in scan])
