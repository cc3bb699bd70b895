"""What a recipe may name, in one place that imports nothing slow."""

from __future__ import annotations

# What an output channel may be, and its name in the scores of a history, as in "dice_gray".
OUTPUTS = {"gray_matter": "gray", "cord": "cord"}

# Scores that are watched while a network trains: see `training.scores`.
SCORES = ("dice", "mcc")

# Losses: class in `training.losses`, and its options.
LOSSES = {
    "dice": ("Dice", ("epsilon",)),
    "dice_cross_entropy": ("DiceCrossEntropy", ("weight",)),
    "cross_entropy": ("CrossEntropy", ()),
    "tversky": ("Tversky", ("alpha", "beta", "epsilon")),
    "focal_tversky": ("FocalTversky", ("alpha", "beta", "gamma", "epsilon")),
}

# How crops from scans are augmented: see `training.data.augmentation`; and the ways that leave intensities on the scale they
# came in, and so keep the standardization of a whole stack.
AUGMENTATIONS = ("default", "recolored", "perone", "kumar", "none")
KEEP_SCALE = ("perone", "kumar", "none")

# Sources of labels that come from no file: slices, and stacks of neighboring ones. See `training.data.phantoms`.
GENERATED_MAPS = ("phantom", "cauda_equina", "conus", "brainstem")
GENERATED_STACKS = ("phantom_stacks",)

# How several raters' masks of a scan are used: one drawn for each crop, or their mean as a soft label.
RATERS = ("each", "mean")

# What crops from scans are centered on: the labels' cord, or where a network finds it.
CENTERLINES = ("exact", "auto")

# What schedules count: steps of the optimizer, or whole epochs.
DECAYS = ("step", "epoch")

# How the learning rate changes: options and their defaults; see `training.schedule`.
SCHEDULES = {
    "poly": {},
    "constant": {},
    "triangular": {"lowest": 1e-5, "half_cycle": 2, "by": "epoch"},
    "halve": {"factor": 0.5, "patience": 10},
}

PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")

# Parts of a network, and what fine-tuning may replace by untrained layers and leave as it is: see `training.surgery`.
PARTS = ("contraction", "bottleneck", "expansion")
SURGERIES = {
    "contraction": ("contraction",),
    "expansion": ("expansion",),
    "both": ("contraction", "expansion"),
    "bottleneck": ("bottleneck",),
    "all": PARTS,
}
FROZEN = ("contraction", "expansion")

# The second phase of a run, in which all is trained but what is kept: options and their defaults; see `training.phases`.
UNFREEZING = {"keep": "none", "learning_rate": 1e-5, "epochs": None}
KEPT = ("none", *FROZEN)

# Where labels may end with the cord, so that slices beyond show none.
COMPLETE = ("above", "below", "both")
