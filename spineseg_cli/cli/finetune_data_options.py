"""Options of `finetune`: what it trains, on which scans, from where."""

from __future__ import annotations

from pathlib import Path

import click

from spineseg_cli.cli.options import with_options
from spineseg_cli.training.choices import LABEL_COVERAGE

FRACTION = click.FloatRange(0, 1, max_open=True)
PATH = click.Path(path_type=Path, resolve_path=True)
# What the flag calls the values of `data.crop_centers`.
CROP_CENTERS = {"exact": "labels", "auto": "network"}

DATA_HELP = (
    "BIDS folder with derivatives; TSV with the columns image, gray_matter, cord, subject, label_coverage; folder of --images "
    "and --masks."
)
IMAGES_HELP = "Scans by a pattern from --data: 'scans/*_T2w.nii.gz'. What sub-NAME or the first * stands for is the subject."
MASKS_HELP = "Their masks, of gray matter for --task gm, else of the cord: 'masks/*_cord.nii.gz'."
COVERAGE_HELP = "The labels end with the cord: slices above, below or beyond both ends are trained on as without cord."
KERNEL_HELP = "Of the cord: slice by slice, or in 3-D stacks. [default: 2d, or that of --init]"
OVERLAP_HELP = "Overlap of neighboring 3-D patches, in training and test. [default: the configuration's, 0.5]"
CENTERLINE_HELP = "Center crops from scans on the labels, or where the cord is found. [default: the configuration's, exact]"
FLIPS_HELP = "Mirror half of the crops from scans, or none. [default: as the configuration's augmentation does]"
NYUL_HELP = "Learn a Nyul scale of intensities from the training scans; the weights apply it. [default: the configuration's, no]"
OUT_HELP = "Folder of the run; an unfinished run in it goes on."
CONFIG_HELP = "A training configuration of the package by name, or a YAML file. [default: finetune_TASK]"
INIT_HELP = "Weights to start from: a file, a published HDF5 file, a model's name, or scratch. [default: the task's model]"
SPLIT_HELP = "TSV with the columns participant_id and subset (train, validation, test). [default: drawn by the seed]"
STRATIFY_HELP = "Column of participants.tsv, or of the TSV of --data, to balance the subsets by."
PERSON_HELP = "Column of participants.tsv, or of the TSV of --data, whose equal entries are one person, who is never split."
FOLDS_HELP = "Test on each subject once, in so many runs."


def data_options(function):
    """Add what is trained on, from where, and how it is split."""
    return with_options(
        function,
        click.option("-data", "--data", type=PATH, help=DATA_HELP),
        click.option("-images", "--images", metavar="GLOB", help=IMAGES_HELP),
        click.option("-masks", "--masks", metavar="GLOB", help=MASKS_HELP),
        click.option(
            "-label-coverage", "--label-coverage", "-complete", "--complete", "label_coverage", type=click.Choice(LABEL_COVERAGE),
            help=f"{COVERAGE_HELP} (--complete is its old name.)",
        ),
        click.option("-out", "--out", type=PATH, required=True, help=OUT_HELP),
        click.option(
            "-config", "--config", "-recipe", "--recipe", "config", help=f"{CONFIG_HELP} (--recipe is its old name.)"
        ),
        click.option("-init", "--init", help=INIT_HELP),
        click.option("-kernel", "--kernel", type=click.Choice(["2d", "3d"]), help=KERNEL_HELP),
        click.option("-overlap", "--overlap", "sampling__patch_overlap", type=FRACTION, help=OVERLAP_HELP),
        click.option(
            "-centerline", "--centerline", "data__crop_centers", type=click.Choice(list(CROP_CENTERS)),
            callback=lambda _ctx, _param, value: CROP_CENTERS.get(value), help=CENTERLINE_HELP,
        ),
        click.option("-flips/-no-flips", "--flips/--no-flips", "augmentation__mirror", default=None, help=FLIPS_HELP),
        click.option("-nyul/-no-nyul", "--nyul/--no-nyul", "data__learn_nyul", default=None, help=NYUL_HELP),
        click.option("-split", "--split", "split_file", type=PATH, help=SPLIT_HELP),
        click.option(
            "-test-fraction", "--test-fraction", "-test-share", "--test-share", "test_fraction", type=FRACTION, default=0.2,
            show_default=True, help="Of the subjects. (--test-share is its old name.)",
        ),
        click.option(
            "-validation-fraction", "--validation-fraction", "-validation-share", "--validation-share", "validation_fraction",
            type=FRACTION, default=0.2, show_default=True, help="The same. (--validation-share is its old name.)",
        ),
        click.option("-stratify", "--stratify", metavar="COLUMN", help=STRATIFY_HELP),
        click.option("-person", "--person", metavar="COLUMN", help=PERSON_HELP),
        click.option("-folds", "--folds", type=click.IntRange(min=2), help=FOLDS_HELP),
    )  # fmt: skip
