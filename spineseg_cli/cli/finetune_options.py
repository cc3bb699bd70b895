"""Options of `finetune`: how it trains."""

from __future__ import annotations

import click

from spineseg_cli.cli.options import COUNT, with_options
from spineseg_cli.training.choices import FROZEN, PRECISIONS, SCHEDULES, SURGERIES

NOTHING = "none"
# What is kept in the second phase.
UNFREEZE = {"all": NOTHING, "keep-contraction": "contraction", "keep-expansion": "expansion"}

SCHEDULE_HELP = "The rate falls to 0, stays, goes up and down, or is halved on a plateau. [default: the recipe's, poly]"
UNFREEZE_HELP = "Train the part of --surgery with the rest frozen, then, in the same run, all but what is kept."
SECOND_HELP = "Of that second phase. [default: {}]"
PRECISION_HELP = "Of activations; mixed ones are faster on most GPUs. [default: the recipe's, float32]"
GPUS_HELP = "Part each batch over so many GPUs. [default: 1]"
EPOCHS_HELP = "Epochs at most; training stops before, when the validation subjects no longer gain."


def training_options(function):
    """Add the fields of the recipe that may be changed."""
    return with_options(
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
    """Return the training options that were given, as `training.configs.files.load_config` takes them."""
    given = {name.replace("__", "."): value for name, value in fields.items() if value is not None}
    return [f"{name}={_in_yaml(value)}" for name, value in given.items()]


def _in_yaml(value) -> str:
    if isinstance(value, float):
        return f"{value:.12f}".rstrip("0")  # YAML takes 1e-05, as Python writes it, for text
    return "null" if value == NOTHING else str(value)
