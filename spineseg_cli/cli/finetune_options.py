"""Options of `finetune`: the data and their split, and the fields of the training configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from spineseg_cli.cli.options import COUNT, option, with_options
from spineseg_cli.errors import InputError
from spineseg_cli.training.choices import LABEL_COVERAGE, PRECISIONS, SCHEDULES

FRACTION = click.FloatRange(0, 1, max_open=True)
PATH = click.Path(path_type=Path, resolve_path=True)

DATA_HELP = (
    "BIDS folder with derivatives; TSV with the columns image, gray_matter, cord, subject, label_coverage; folder of --images "
    "and --masks."
)
IMAGES_HELP = "Scans by a pattern from --data: 'scans/*_T2w.nii.gz'. What sub-NAME or the first * stands for is the subject."
MASKS_HELP = "Their masks, of gray matter for --task gm, else of the cord: 'masks/*_cord.nii.gz'."
COVERAGE_HELP = (
    "The labels end with the cord: slices above, below or beyond both ends are trained on as without cord. (--complete is its "
    "old name.)"
)
KERNEL_HELP = "Of the cord: slice by slice, or in 3-D stacks. [default: 2d, or that of --init]"
OVERLAP_HELP = "Overlap of neighboring 3-D patches, in training and test. [default: the configuration's, 0.5]"
CENTERLINE_HELP = "Center crops from scans on the labels, or where the cord is found. [default: the configuration's, exact]"
FLIPS_HELP = "Mirror half of the crops from scans, or none. [default: as the configuration's augmentation does]"
NYUL_HELP = "Learn a Nyul scale of intensities from the training scans; the weights apply it. [default: the configuration's, no]"
CONFIG_HELP = (
    "A training configuration of the package by name, or a YAML file. [default: finetune_TASK] (--recipe is its old name.)"
)
INIT_HELP = "Weights to start from: a file, a published HDF5 file, a model's name, or scratch. [default: the task's model]"
SPLIT_HELP = "TSV with the columns participant_id and subset (train, validation, test). [default: drawn by the seed]"
STRATIFY_HELP = "Column of participants.tsv, or of the TSV of --data, to balance the subsets by."
PERSON_HELP = "Column of participants.tsv, or of the TSV of --data, whose equal entries are one person, who is never split."


def data_options(function):
    """Add the options of the data, the split, the configuration and the initial weights."""
    centers = {"exact": "labels", "auto": "network"}
    fifth: dict[str, Any] = {"type": FRACTION, "default": 0.2, "show_default": True}
    return with_options(
        function,
        option("data", type=PATH, help=DATA_HELP),
        option("images", metavar="GLOB", help=IMAGES_HELP),
        option("masks", metavar="GLOB", help=MASKS_HELP),
        option("label-coverage", "complete", type=click.Choice(LABEL_COVERAGE), help=COVERAGE_HELP),
        option("out", type=PATH, required=True, help="Folder of the run; an unfinished run in it goes on."),
        option("config", "recipe", help=CONFIG_HELP),
        option("init", help=INIT_HELP),
        option("kernel", type=click.Choice(["2d", "3d"]), help=KERNEL_HELP),
        option("overlap", dest="sampling__patch_overlap", type=FRACTION, help=OVERLAP_HELP),
        option("centerline", dest="data__crop_centers", type=_Mapped(centers), help=CENTERLINE_HELP),
        click.option("-flips/-no-flips", "--flips/--no-flips", "augmentation__mirror", default=None, help=FLIPS_HELP),
        click.option("-nyul/-no-nyul", "--nyul/--no-nyul", "data__learn_nyul", default=None, help=NYUL_HELP),
        option("split", dest="split_file", type=PATH, help=SPLIT_HELP),
        option("test-fraction", "test-share", help="Of the subjects. (--test-share is its old name.)", **fifth),
        option("validation-fraction", "validation-share", help="The same. (--validation-share is its old name.)", **fifth),
        option("stratify", metavar="COLUMN", help=STRATIFY_HELP),
        option("person", metavar="COLUMN", help=PERSON_HELP),
        option("folds", type=click.IntRange(min=2), help="Test on each subject once, in so many runs."),
    )


# The subnetworks by their names in the options, which are those of de Broux 2021, and in configurations.
PARTS = {"contraction": "encoder", "expansion": "decoder"}
SURGERY = {"none": None, **PARTS, "both": "both", "bottleneck": "bottleneck", "all": "all"}
# The subnetworks that are frozen in the second phase.
UNFREEZE = {"all": None, "keep-contraction": "encoder", "keep-expansion": "decoder"}

SCHEDULE_HELP = f"How the rate changes. {SCHEDULES.in_words()}. [default: the configuration's, poly]"
UNFREEZE_HELP = "Train the part of --surgery with the rest frozen, then, in the same run, all but what is kept."
SECOND_HELP = "Of that second phase. [default: {}]"
PRECISION_HELP = "Of activations; mixed ones are faster on most GPUs. [default: the configuration's, float32]"
GPUS_HELP = "Spread each batch over so many GPUs. [default: 1]"
EPOCHS_HELP = "Epochs at most; training stops before, when the validation subjects no longer gain."
SET_HELP = "Change a field of the configuration: optimizer.learning_rate=1e-4. May be repeated."

# Stands for the value null of a field; None stands for an option that was not given.
NULL = object()


class _Mapped(click.Choice):
    """A choice of names that stand for values in a configuration; old names are accepted, too."""

    def __init__(self, names: dict[str, Any], old: dict[str, str] | None = None):
        super().__init__(list(names))
        self.names, self.old = names, old or {}

    def convert(self, value, param, ctx):
        name = super().convert(self.old.get(value, value), param, ctx)
        return NULL if self.names[name] is None else self.names[name]


def training_options(function):
    """Add options for fields of the configuration; the name of a parameter is that of the field, with `__` for a dot."""
    schedules = _Mapped({name: name for name in SCHEDULES}, old={"halve": "reduce_on_plateau"})
    return with_options(
        function,
        option("lr", dest="optimizer__learning_rate", type=float, help="Learning rate, the highest."),
        option("schedule", dest="optimizer__schedule", type=schedules, help=SCHEDULE_HELP),
        option("batch", dest="optimizer__batch_size", type=COUNT, help="Crops in a batch."),
        option("epochs", dest="optimizer__epochs", type=COUNT, help=EPOCHS_HELP),
        option("steps", dest="optimizer__steps_per_epoch", type=COUNT, help="Batches in an epoch."),
        option("freeze", dest="surgery__freeze", type=_Mapped({"none": None, **PARTS}), help="Part to leave as it is."),
        option("surgery", dest="surgery__reinitialize", type=_Mapped(SURGERY), help="Part to start untrained."),
        option("unfreeze", dest="surgery__second_phase__freeze", type=_Mapped(UNFREEZE), help=UNFREEZE_HELP),
        option("second-lr", dest="surgery__second_phase__learning_rate", type=float, help=SECOND_HELP.format("1e-5")),
        option("second-epochs", dest="surgery__second_phase__epochs", type=COUNT, help=SECOND_HELP.format("--epochs")),
        option("precision", dest="optimizer__precision", type=click.Choice(PRECISIONS), help=PRECISION_HELP),
        option("gpus", dest="optimizer__gpus", metavar="N|all", callback=_gpus, help=GPUS_HELP),
        option("seed", type=click.IntRange(min=0), help="Of the split and of the training."),
        option("set", dest="assignments", multiple=True, metavar="FIELD=VALUE", help=SET_HELP),
    )


def _gpus(_ctx, _param, value: str | None):
    if value is None or value == "all":
        return value
    if not value.isdigit() or not int(value):
        raise InputError(f"expected a positive whole number of GPUs, or all; got {value!r}")
    return int(value)


def config_changes(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of the options that were given, as the changes of `training.config_files.load_config`."""
    assignments = fields.pop("assignments", ())
    changes = {name.replace("__", "."): None if v is NULL else v for name, v in fields.items() if v is not None}
    if assignments:
        from spineseg_cli.core.yaml_files import parse_changes

        changes |= parse_changes(assignments)
    return changes
