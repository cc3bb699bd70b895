"""Options of `finetune`."""

from __future__ import annotations

from functools import reduce
from pathlib import Path

import click

from spineseg_cli.training.choices import FROZEN, SURGERIES

SHARE = click.FloatRange(0, 1, max_open=True)
PLACE = click.Path(path_type=Path, resolve_path=True)
COUNT = click.IntRange(min=1)
NOTHING = "none"

DATA_HELP = "BIDS folder with derivatives, or a TSV with the columns image, gray, cord, subject."
OUT_HELP = "Folder of the run; an unfinished run in it goes on."
RECIPE_HELP = "A recipe of the package by name, or a YAML file. [default: finetune_TASK]"
INIT_HELP = "Weights to start from: a file, a published HDF5 file, a model's name, or scratch. [default: the task's model]"
SPLIT_HELP = "TSV with the columns participant_id and part (train, validation, test). [default: drawn by the seed]"
STRATIFY_HELP = "Column of participants.tsv, or of the TSV of --data, to balance the parts by."
EPOCHS_HELP = "Epochs at most; training stops before, when the validation subjects no longer gain."


def data_options(function):
    """Add what is trained on, from where, and how it is parted."""
    return _with(
        function,
        click.option("-data", "--data", type=PLACE, required=True, help=DATA_HELP),
        click.option("-out", "--out", type=PLACE, required=True, help=OUT_HELP),
        click.option("-recipe", "--recipe", help=RECIPE_HELP),
        click.option("-init", "--init", help=INIT_HELP),
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
        click.option("-lr", "--lr", "learning_rate", type=float, help="Learning rate at the start."),
        click.option("-batch", "--batch", type=COUNT, help="Crops a batch."),
        click.option("-epochs", "--epochs", type=COUNT, help=EPOCHS_HELP),
        click.option("-freeze", "--freeze", type=click.Choice([NOTHING, *FROZEN]), help="Part of the network to leave as it is."),
        click.option("-surgery", "--surgery", type=click.Choice([NOTHING, *SURGERIES]), help="Part to start untrained."),
        click.option("-seed", "--seed", type=click.IntRange(min=0), help="Of the split and of the training."),
    )


def recipe_changes(fields) -> list[str]:
    """Return the training options that were given, as `recipe_files.load_recipe` takes them."""
    return [f"{name}={'null' if value == NOTHING else value}" for name, value in fields.items() if value is not None]


def _with(function, *options):
    return reduce(lambda decorated, option: option(decorated), reversed(options), function)
