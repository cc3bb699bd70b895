"""Overlap of two masks from their confusion counts.

`pct` in a name says per cent; the others are fractions. The empty cases are those of `spineseg_cli.metrics`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Confusion:
    """Voxels that are foreground in both masks (`tp`), in the prediction only (`fp`), in the reference only (`fn`), in
    neither (`tn`)."""

    tp: int
    fp: int
    fn: int
    tn: int

    @property
    def both_empty(self) -> bool:
        """True if neither mask has a foreground voxel: nothing is defined."""
        return self.tp + self.fp + self.fn == 0


def confusion(prediction: np.ndarray, reference: np.ndarray) -> Confusion:
    """Count the voxels of two bool masks of one shape, any number of dimensions; raise ValueError if shapes differ."""
    if prediction.shape != reference.shape:
        raise ValueError(f"masks must have one shape; got {prediction.shape} and {reference.shape}")
    tp = int(np.count_nonzero(prediction & reference))
    fp = int(np.count_nonzero(prediction)) - tp
    fn = int(np.count_nonzero(reference)) - tp
    return Confusion(tp, fp, fn, prediction.size - tp - fp - fn)


def dice(c: Confusion) -> float:
    """Dice similarity coefficient, DSC = 2 TP / (2 TP + FP + FN), in [0, 1]; NaN if both masks are empty (Dice 1945)."""
    return math.nan if c.both_empty else 2 * c.tp / (2 * c.tp + c.fp + c.fn)


def jaccard(c: Confusion) -> float:
    """Jaccard index, JI = TP / (TP + FP + FN), in [0, 1]; NaN if both masks are empty (Jaccard 1912)."""
    return math.nan if c.both_empty else c.tp / (c.tp + c.fp + c.fn)


def conformity_pct(c: Confusion) -> float:
    """Conformity, CC = 100 (3 DSC - 2) / DSC = 100 (1 - (FP + FN) / TP), in [-inf, 100] (Chang et al. 2009).

    -inf if the masks do not meet, one being empty or not; NaN if both are empty.
    """
    if c.both_empty:
        return math.nan
    return 100 * (1 - (c.fp + c.fn) / c.tp) if c.tp else -math.inf


def tpr_pct(c: Confusion) -> float:
    """True positive rate (sensitivity, recall), 100 TP / (TP + FN); 0 if the reference alone is empty, NaN if both are."""
    return math.nan if c.both_empty else _pct(c.tp, c.tp + c.fn, 0.0)


def ppv_pct(c: Confusion) -> float:
    """Positive predictive value (precision), 100 TP / (TP + FP); 0 if the prediction alone is empty, NaN if both are."""
    return math.nan if c.both_empty else _pct(c.tp, c.tp + c.fp, 0.0)


def tnr_pct(c: Confusion) -> float:
    """True negative rate (specificity), 100 TN / (TN + FP); NaN if both masks are empty or the reference is full."""
    return math.nan if c.both_empty else _pct(c.tn, c.tn + c.fp, math.nan)


def accuracy_pct(c: Confusion) -> float:
    """Accuracy, 100 (TP + TN) / (TP + TN + FP + FN); NaN if both masks are empty."""
    return math.nan if c.both_empty else 100 * (c.tp + c.tn) / (c.tp + c.tn + c.fp + c.fn)


def mcc(c: Confusion) -> float:
    """Matthews correlation coefficient, in [-1, 1] (Matthews 1975).

    (TP TN - FP FN) / sqrt((TP + FP)(TP + FN)(TN + FP)(TN + FN)). Where the square root is 0 (a mask is empty or fills the
    image) it is 1 if the masks are equal and 0 otherwise; NaN if both are empty.
    """
    if c.both_empty:
        return math.nan
    if c.fp == c.fn == 0:
        return 1.0
    # Python's integers do not overflow: the product of four counts needs more than 64 bits.
    product = (c.tp + c.fp) * (c.tp + c.fn) * (c.tn + c.fp) * (c.tn + c.fn)
    return (c.tp * c.tn - c.fp * c.fn) / math.sqrt(product) if product else 0.0


def volume_difference_mm3(c: Confusion, voxel_mm3: float) -> float:
    """Volume of the prediction minus that of the reference, mm3: negative if too little was found; NaN if both are empty."""
    return math.nan if c.both_empty else (c.fp - c.fn) * voxel_mm3


def volume_difference_pct(c: Confusion) -> float:
    """Volume difference in per cent of the reference, 100 (FP - FN) / (TP + FN).

    +inf if the reference alone is empty, -100 if the prediction alone is, NaN if both are.
    """
    return math.nan if c.both_empty else _pct(c.fp - c.fn, c.tp + c.fn, math.inf)


def _pct(part: int, whole: int, if_nothing: float) -> float:
    return 100 * part / whole if whole else if_nothing
