"""What a training configuration may name: the registries of training, and a few fixed choices. Nothing slow is imported here."""

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

# Each is a function of a `schedules.Span` and its options: see `training.schedules`. The fact `in_words` tells the options.
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

# Each is a function: see `training.data.augmentation`. The fact `keeps_intensities` says that intensities stay on the scale that
# they came in, and so keep the standardization of a whole scan; `mirrors`, that half of the crops are mirrored already.
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

# The channels of synthesized images, in the order in which `synthesis.generator.synthesize` gives them.
SYNTHETIC_OUTPUTS = ("gray_matter", "cord")

# Label maps that come from no file, by what generates them: slices, and stacks of neighboring ones.
GENERATED_SLICES = ("phantom", "cauda_equina", "conus", "brainstem")
GENERATED_STACKS = ("phantom_stacks",)

# How the masks of several raters are used: one is drawn for each crop, or their mean is a soft label.
RATERS = ("each", "mean")

# What crops from scans are centered on: the cord in the labels, or the place where a network finds it.
CROP_CENTERS = ("labels", "network")

# Where labels may end with the cord, so that the slices beyond show none.
LABEL_COVERAGE = ("above", "below", "both")

PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")

# The subnetworks of a network, and what fine-tuning may reinitialize or freeze: see `training.network_surgery`.
SUBNETWORKS = ("encoder", "bottleneck", "decoder")
REINITIALIZED = {
    "encoder": ("encoder",),
    "decoder": ("decoder",),
    "both": ("encoder", "decoder"),
    "bottleneck": ("bottleneck",),
    "all": SUBNETWORKS,
}
FROZEN = ("encoder", "decoder")

# What chooses the best epoch: the primary metric of the task, by the complete command on the validation subjects; or the loss on
# crops of them.
SELECTED_BY = ("command", "crops")
