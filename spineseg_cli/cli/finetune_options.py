"""Options of `finetune`."""

from __future__ import annotations

from functools import reduce
from pathlib import Path

import click

from spineseg_cli.training.choices import FROZEN, PRECISIONS, SCHEDULES, SURGERIES

SHARE = click.FloatRange(0, 1, max_open=True)
PLACE = click.Path(path_type=Path, resolve_path=True)
COUNT = click.IntRange(min=1)
NOTHING = "none"
# What is kept in the second phase.
UNFREEZE = {"all": NOTHING, "keep-contraction": "contraction", "keep-expansion": "expansion"}
COMPLETE = ("above", "below", "both")

DATA_HELP = (
    "BIDS folder with derivatives; TSV with the columns image, gray, cord, subject, complete; folder of --images and --masks."
)
IMAGES_HELP = "Scans by a pattern from --data: 'scans/*_T2w.nii.gz'. What sub-NAME or the first * stands for is the subject."
MASKS_HELP = "Their masks, of gray matter for --task gm, else of the cord: 'masks/*_cord.nii.gz'."
COMPLETE_HELP = "The labels end with the cord: slices above, below or beyond both ends are trained on as without cord."
KERNEL_HELP = "Of the cord: slice by slice, or in 3-D stacks. [default: 2d, or that of --init]"
OVERLAP_HELP = "Of neighbouring 3-D patches, in training and test. [default: the recipe's, 0.5]"
FLIPS_HELP = "Mirror half of the crops from scans, or none. [default: as the recipe's augmentation does]"
NYUL_HELP = "Learn a standard scale of intensities from the training scans; the weights apply it. [default: the recipe's, no]"
OUT_HELP = "Folder of the run; an unfinished run in it goes on."
RECIPE_HELP = "A recipe of the package by name, or a YAML file. [default: finetune_TASK]"
INIT_HELP = "Weights to start from: a file, a published HDF5 file, a model's name, or scratch. [default: the task's model]"
SPLIT_HELP = "TSV with the columns participant_id and part (train, validation, test). [default: drawn by the seed]"
STRATIFY_HELP = "Column of participants.tsv, or of the TSV of --data, to balance the parts by."
SCHEDULE_HELP = "The rate falls to 0, stays, goes up and down, or is halved on a plateau. [default: the recipe's, poly]"
UNFREEZE_HELP = "Train the part of --surgery with the rest frozen, then, in the same run, all but what is kept."
SECOND_HELP = "Of that second phase. [default: {}]"
PRECISION_HELP = "Of activations; mixed ones are faster on most GPUs. [default: the recipe's, float32]"
GPUS_HELP = "Part each batch over so many GPUs. [default: 1]"
EPOCHS_HELP = "Epochs at most; training stops before, when the validation subjects no longer gain."


def data_options(function):
    """Add what is trained on, from where, and how it is parted."""
    return _with(
        function,
        click.option("-data", "--data", type=PLACE, required=True, help=DATA_HELP),
        click.option("-images", "--images", metavar="GLOB", help=IMAGES_HELP),
        click.option("-masks", "--masks", metavar="GLOB", help=MASKS_HELP),
        click.option("-complete", "--complete", type=click.Choice(COMPLETE), help=COMPLETE_HELP),
        click.option("-out", "--out", type=PLACE, required=True, help=OUT_HELP),
        click.option("-recipe", "--recipe", help=RECIPE_HELP),
        click.option("-init", "--init", help=INIT_HELP),
        click.option("-kernel", "--kernel", type=click.Choice(["2d", "3d"]), help=KERNEL_HELP),
        click.option("-overlap", "--overlap", type=SHARE, help=OVERLAP_HELP),
        click.option("-flips/-no-flips", "--flips/--no-flips", "flips", default=None, help=FLIPS_HELP),
        click.option("-nyul/-no-nyul", "--nyul/--no-nyul", "nyul", default=None, help=NYUL_HELP),
        click.option("-split", "--split", "split_file", type=PLACE, help=SPLIT_HELP),
        click.option("-test-share", "--test-share", type=SHARE, default=0.2, show_default=True, help="Of the subjects."),
        click.option("-validation-share", "--validation-share", type=SHARE, default=0.2, show_default=True, help="The same."),
        click.option("-stratify", "--stratify", metavar="COLUMN", help=STRATIFY_HELP),
        click.option("-folds", "--folds", type=click.IntRange(min=2), help="Test on each subject once, in so many runs."),
    )


def training_options(function):
    """Add the fields of the recipe that may be changed."""
    return _with(
        function,
        click.option("-lr", "--lr", "learning_rate", type=float, help="Learning rate, the highest."),
        click.option("-schedule", "--schedule", type=click.Choice(list(SCHEDULES)), help=SCHEDULE_HELP),
        click.option("-batch", "--batch", type=COUNT, help="Crops a batch."),
        click.option("-epochs", "--epochs", type=COUNT, help=EPOCHS_HELP),
        click.option("-freeze", "--freeze", type=click.Choice([NOTHING, *FROZEN]), help="Part of the network to leave as it is."),
        click.option("-surgery", "--surgery", type=click.Choice([NOTHING, *SURGERIES]), help="Part to start untrained."),
        click.option(
            "-unfreeze",
            "--unfreeze",
            "unfreeze__keep",
            type=click.Choice(list(UNFREEZE)),
            callback=lambda _ctx, _param, value: UNFREEZE.get(value),
            help=UNFREEZE_HELP,
        ),
        click.option("-second-lr", "--second-lr", "unfreeze__learning_rate", type=float, help=SECOND_HELP.format("1e-5")),
        click.option("-second-epochs", "--second-epochs", "unfreeze__epochs", type=COUNT, help=SECOND_HELP.format("--epochs")),
        click.option("-precision", "--precision", type=click.Choice(PRECISIONS), help=PRECISION_HELP),
        click.option("-gpus", "--gpus", metavar="N|all", help=GPUS_HELP),
        click.option("-seed", "--seed", type=click.IntRange(min=0), help="Of the split and of the training."),
    )


def recipe_changes(fields) -> list[str]:
    """Return the training options that were given, as `recipe_files.load_recipe` takes them."""
    given = {name.replace("__", "."): value for name, value in fields.items() if value is not None}
    return [f"{name}={'null' if value == NOTHING else value}" for name, value in given.items()]


def _with(function, *options):
    return reduce(lambda decorated, option: option(decorated), reversed(options), function)
