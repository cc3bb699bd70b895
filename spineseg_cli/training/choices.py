"""The names that a training configuration may contain: the registries of training, and fixed choices.

This module imports nothing slow, since commands need it for their help.
"""

from __future__ import annotations

from spineseg_cli.core.registry import Entry, Registry

_LOSSES = "spineseg_cli.training.losses"
_METRICS = "spineseg_cli.training.metrics"
_SCHEDULES = "spineseg_cli.training.schedules"
_PROFILES = "spineseg_cli.training.data.augmentation"

# Each is a `keras.losses.Loss`, made from its options.
LOSSES = Registry(
    "losses",
    {
        "dice": Entry(f"{_LOSSES}:Dice", "Dice loss", {"epsilon": 1.0}),
        "dice_cross_entropy": Entry(f"{_LOSSES}:DiceCrossEntropy", "Dice loss and weighted cross-entropy", {"weight": 0.3}),
        "cross_entropy": Entry(f"{_LOSSES}:CrossEntropy", "binary cross-entropy", {}),
        "tversky": Entry(f"{_LOSSES}:Tversky", "Tversky loss", {"alpha": 0.6, "beta": 0.4, "epsilon": 1.0}),
        "focal_tversky": Entry(
            f"{_LOSSES}:FocalTversky", "focal Tversky loss", {"alpha": 0.6, "beta": 0.4, "gamma": 1.33, "epsilon": 1.0}
        ),
    },
)

# Each is a `keras.metrics.Metric`, made from the channel that it watches and its name.
TRAINING_METRICS = Registry(
    "training_metrics",
    {
        "dice": Entry(f"{_METRICS}:SoftDice", "soft Dice"),
        "mcc": Entry(f"{_METRICS}:MatthewsCorrelation", "Matthews correlation coefficient"),
    },
)

# Each is a function of a `schedules.Span` and its options: see `training.schedules`. The fact `in_words` describes it in reports.
SCHEDULES = Registry(
    "schedules",
    {
        "poly": Entry(
            f"{_SCHEDULES}:poly", "falls to 0", {"power": 0.9, "per": "step"}, {"in_words": "falling to 0 (power {power:g})"}
        ),
        "constant": Entry(f"{_SCHEDULES}:constant", "stays", {}, {"in_words": "constant"}),
        "triangular": Entry(
            f"{_SCHEDULES}:triangular",
            "goes up and down",
            {"lowest": 1e-5, "half_cycle": 2, "per": "epoch"},
            {"in_words": "up from {lowest:g} and down, each in {half_cycle} {per}s"},
        ),
        "reduce_on_plateau": Entry(
            f"{_SCHEDULES}:ReduceOnPlateau",
            "is multiplied by a factor when the validation loss no longer falls",
            {"factor": 0.5, "patience": 10},
            {"in_words": "times {factor:g} after {patience} epochs without a lower validation loss", "needs_validation": True},
        ),
    },
)

# Each is a function: see `training.data.augmentation`. The fact `keeps_intensities` says that intensities keep their scale, and
# so the standardization of a whole scan; the fact `mirrors` says that the profile itself mirrors half of the crops.
AUGMENTATIONS = Registry(
    "augmentations",
    {
        "default": Entry(f"{_PROFILES}:default", "wide geometry, contrast, resolution and noise", None, {"mirrors": True}),
        "recolored": Entry(
            f"{_PROFILES}:recolored", "default, and tissues in another order of brightness", None, {"mirrors": True}
        ),
        "perone": Entry(f"{_PROFILES}:perone", "Perone et al. 2018", None, {"mirrors": True, "keeps_intensities": True}),
        "kumar": Entry(f"{_PROFILES}:kumar", "Kumar 2022", None, {"keeps_intensities": True}),
        "none": Entry(f"{_PROFILES}:unchanged", "crops as they are", None, {"keeps_intensities": True}),
    },
)

# The channels of the target of `synthesis.generator.synthesize`, in order.
SYNTHETIC_OUTPUTS = ("gray_matter", "cord")

# The ends of a scan at which the labels end because the cord ends, so that the slices beyond show no cord.
LABEL_COVERAGE = ("above", "below", "both")

PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")

# The subnetworks of a network, the choices of those to reinitialize, and those that can be frozen: see
# `training.network_surgery`.
SUBNETWORKS = ("encoder", "bottleneck", "decoder")
REINITIALIZED = {
    "encoder": ("encoder",),
    "decoder": ("decoder",),
    "both": ("encoder", "decoder"),
    "bottleneck": ("bottleneck",),
    "all": SUBNETWORKS,
}
FROZEN = ("encoder", "decoder")
