"""Evaluation of predictions against one or more references, which gives a table of metrics."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from spineseg_cli.core.image.grid import check_same_grid
from spineseg_cli.core.image.mask_check import LABEL_TOLERANCE, check_is_mask
from spineseg_cli.core.image.orientation import to_rpi
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.errors import InputError
from spineseg_cli.metrics.agreement import agreement
from spineseg_cli.metrics.table import MAJORITY, Table

log = logging.getLogger(__name__)

DEFAULT_THRESHOLD = 0.5

Item = TypeVar("Item")


@dataclass(frozen=True)
class Case:
    """One prediction and the references of one or more raters, each with its name in the table."""

    prediction_name: str
    prediction: Volume
    reference_names: tuple[str, ...]
    references: tuple[Volume, ...]


def pair_up(predictions: Sequence[Item], references: Sequence[Item], raters: int | None = None) -> list[tuple[Item, ...]]:
    """Return the references of each prediction, one per rater.

    N predictions and N references pair in order. One prediction and M references are M raters. N predictions by M raters
    need `raters=M`: first all references of the first rater, in the order of the predictions, then all of the second.

    Raises InputError if the numbers do not fit.
    """
    n, m = len(predictions), len(references)
    if raters is None:
        raters = m if n == 1 else 1
    if n == 0 or raters < 1 or m != n * raters:
        advice = "give one reference for each prediction, in the same order"
        if n > 0 and m > n and m % n == 0:
            advice += f", or say that there are {m // n} raters"
        raise InputError(f"expected {n * raters} references ({n} predictions, raters: {raters}); got {m}: {advice}")
    return [tuple(references[i::n]) for i in range(n)]


def binarize(volume: Volume, name: str, label: int | None = None, threshold: float = DEFAULT_THRESHOLD) -> np.ndarray:
    """Return the voxels above `threshold`, or equal to `label` if one is given: a bool array, shape (nx, ny, nz).

    Raises InputError if `label` is given and the image holds values that are not whole numbers, or the image is a scan and no
    mask.
    """
    if label is None:
        if threshold <= 1:
            check_is_mask(volume, name)
        return volume.data > threshold
    whole = np.rint(volume.data)
    worst = float(np.abs(volume.data - whole).max(initial=0))
    if worst > LABEL_TOLERANCE:
        raise InputError(
            f"expected whole numbers, to choose label {label}; {name} holds values {worst:.2g} away from one: use a "
            f"threshold instead"
        )
    return whole == label


def evaluate(
    cases: Iterable[Case], *, per_slice: bool = False, label: int | None = None, threshold: float = DEFAULT_THRESHOLD
) -> Table:
    """Compare each case's prediction with each of its references and, if they are several, with their majority.

    Raises GridMismatchError if a reference is not on its prediction's voxel grid (the order in which axes are stored may differ);
    InputError if the threshold is not finite or a label is asked for in an image that is not a label image.

    Parameters
    ----------
    cases : iterable of Case
        The cases, which are consumed one by one, so that a generator that reads files holds one case in memory.
    per_slice : bool
        Whether to compare axial slices, too: those across the axis closest to inferior-superior, in any storage order. Slice 0
        is the most inferior.
    label, threshold
        The options of `binarize`.

    Returns
    -------
    Table
        Rows in the order of the cases: a case's volume against each rater ("1", "2", ...) and "majority", each followed by
        its slices.
    """
    if not np.isfinite(threshold):
        raise InputError(f"expected a finite threshold; got {threshold}")
    return Table(tuple(row for case in cases for row in _rows(case, per_slice, label, threshold)))


def _rows(case: Case, per_slice: bool, label: int | None, threshold: float) -> Iterable[dict[str, Any]]:
    grid = to_rpi(case.prediction)
    prediction = binarize(grid, case.prediction_name, label, threshold)
    masks = {}
    for rater, (name, volume) in enumerate(zip(case.reference_names, case.references, strict=True), start=1):
        reference = to_rpi(volume)
        check_same_grid(grid, reference, case.prediction_name, name)
        masks[str(rater)] = (name, binarize(reference, name, label, threshold))
    if len(masks) > 1:
        masks[MAJORITY] = (MAJORITY, _majority([mask for _, mask in masks.values()]))
    if not prediction.any():
        log.warning("%s: the mask is empty", case.prediction_name)
    for key, (name, mask) in masks.items():
        if not mask.any():
            log.warning("%s: the mask is empty", name)
        keys = {"statistic": "value", "prediction": case.prediction_name, "reference": name, "rater": key}
        yield from _compare(keys, prediction, mask, grid, per_slice)


def _majority(masks: Sequence[np.ndarray]) -> np.ndarray:
    """Return the voxels that at least half of the raters marked, a bool array of the masks' common shape.

    A tie is foreground: horns of gray matter are a voxel or two thin, and would be lost where two of four raters agree. For
    two raters this is the union.
    """
    votes = sum(mask.astype(np.uint16) for mask in masks)
    return np.asarray(2 * votes >= len(masks))


def _compare(
    keys: dict[str, Any], prediction: np.ndarray, reference: np.ndarray, grid: Volume, per_slice: bool
) -> Iterable[dict[str, Any]]:
    voxel_mm3 = float(abs(np.linalg.det(grid.affine[:3, :3])))
    whole = agreement(prediction, reference, grid.spacing_mm, voxel_mm3)
    yield {"level": "volume", **keys, "slice": None, **whole}
    for k in range(prediction.shape[2] if per_slice else 0):
        one = agreement(prediction[:, :, k : k + 1], reference[:, :, k : k + 1], grid.spacing_mm, voxel_mm3)
        yield {"level": "slice", **keys, "slice": k, **one}
