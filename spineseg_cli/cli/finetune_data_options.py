"""Options of `finetune`: what it trains, on which scans, from where."""

from __future__ import annotations

from pathlib import Path

import click

from spineseg_cli.cli.options import with_options
from spineseg_cli.training.configs.choices import CENTERLINES, COMPLETE

SHARE = click.FloatRange(0, 1, max_open=True)
PLACE = click.Path(path_type=Path, resolve_path=True)

DATA_HELP = (
    "BIDS folder with derivatives; TSV with the columns image, gray, cord, subject, complete; folder of --images and --masks."
)
IMAGES_HELP = "Scans by a pattern from --data: 'scans/*_T2w.nii.gz'. What sub-NAME or the first * stands for is the subject."
MASKS_HELP = "Their masks, of gray matter for --task gm, else of the cord: 'masks/*_cord.nii.gz'."
COMPLETE_HELP = "The labels end with the cord: slices above, below or beyond both ends are trained on as without cord."
KERNEL_HELP = "Of the cord: slice by slice, or in 3-D stacks. [default: 2d, or that of --init]"
OVERLAP_HELP = "Of neighboring 3-D patches, in training and test. [default: the recipe's, 0.5]"
CENTERLINE_HELP = "Center crops from scans on the labels, or where the cord is found. [default: the recipe's, exact]"
FLIPS_HELP = "Mirror half of the crops from scans, or none. [default: as the recipe's augmentation does]"
NYUL_HELP = "Learn a standard scale of intensities from the training scans; the weights apply it. [default: the recipe's, no]"
OUT_HELP = "Folder of the run; an unfinished run in it goes on."
RECIPE_HELP = "A recipe of the package by name, or a YAML file. [default: finetune_TASK]"
INIT_HELP = "Weights to start from: a file, a published HDF5 file, a model's name, or scratch. [default: the task's model]"
SPLIT_HELP = "TSV with the columns participant_id and part (train, validation, test). [default: drawn by the seed]"
STRATIFY_HELP = "Column of participants.tsv, or of the TSV of --data, to balance the parts by."


def data_options(function):
    """Add what is trained on, from where, and how it is parted."""
    return with_options(
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
        click.option("-centerline", "--centerline", type=click.Choice(CENTERLINES), help=CENTERLINE_HELP),
        click.option("-flips/-no-flips", "--flips/--no-flips", "flips", default=None, help=FLIPS_HELP),
        click.option("-nyul/-no-nyul", "--nyul/--no-nyul", "nyul", default=None, help=NYUL_HELP),
        click.option("-split", "--split", "split_file", type=PLACE, help=SPLIT_HELP),
        click.option("-test-share", "--test-share", type=SHARE, default=0.2, show_default=True, help="Of the subjects."),
        click.option("-validation-share", "--validation-share", type=SHARE, default=0.2, show_default=True, help="The same."),
        click.option("-stratify", "--stratify", metavar="COLUMN", help=STRATIFY_HELP),
        click.option("-folds", "--folds", type=click.IntRange(min=2), help="Test on each subject once, in so many runs."),
    )
