"""What a recipe may name, in one place that imports nothing slow."""

from __future__ import annotations

# What an output channel may be, and its name in the scores of a history.
OUTPUTS = {"gray_matter": "dice_gray", "cord": "dice_cord"}

# Losses: class in `training.losses`, and its options.
LOSSES = {
    "dice": ("Dice", ("epsilon",)),
    "dice_cross_entropy": ("DiceCrossEntropy", ("weight",)),
    "tversky": ("Tversky", ("alpha", "beta", "epsilon")),
    "focal_tversky": ("FocalTversky", ("alpha", "beta", "gamma", "epsilon")),
}

# How several raters' masks of a scan are used: one drawn for each crop, or their mean as a soft label.
RATERS = ("each", "mean")

# What the poly schedule counts: steps of the optimizer, or whole epochs.
DECAYS = ("step", "epoch")

PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")

# What fine-tuning may replace by untrained layers, and what it may leave as it is: see `training.surgery`.
SURGERIES = ("contraction", "expansion", "both", "bottleneck", "all")
FROZEN = ("contraction", "expansion")
