"""Options of `finetune`: how it trains."""

from __future__ import annotations

from typing import Any

import click

from spineseg_cli.cli.options import COUNT, with_options
from spineseg_cli.errors import InputError
from spineseg_cli.training.choices import PRECISIONS, SCHEDULES

# The parts of a network, in the words of the study that the flags are after, and what a configuration calls them.
PARTS = {"contraction": "encoder", "expansion": "decoder"}
FREEZE = {"none": None, **PARTS}
SURGERY = {"none": None, **PARTS, "both": "both", "bottleneck": "bottleneck", "all": "all"}
# What is frozen in the second phase.
UNFREEZE = {"all": None, "keep-contraction": "encoder", "keep-expansion": "decoder"}
# Old names of schedules.
OLD_SCHEDULES = {"halve": "reduce_on_plateau"}

SCHEDULE_HELP = f"How the rate changes. {SCHEDULES.in_words()}. [default: the configuration's, poly]"
UNFREEZE_HELP = "Train the part of --surgery with the rest frozen, then, in the same run, all but what is kept."
SECOND_HELP = "Of that second phase. [default: {}]"
PRECISION_HELP = "Of activations; mixed ones are faster on most GPUs. [default: the configuration's, float32]"
GPUS_HELP = "Spread each batch over so many GPUs. [default: 1]"
EPOCHS_HELP = "Epochs at most; training stops before, when the validation subjects no longer gain."
SET_HELP = "Change a field of the configuration: optimizer.learning_rate=1e-4. May be repeated."

# Stands for the value null, which None, an option that was not given, is not.
NULL = object()


class _Mapped(click.Choice):
    """A choice whose names stand for values of a configuration; old names are taken too."""

    def __init__(self, names: dict[str, Any], old: dict[str, str] | None = None):
        super().__init__(list(names))
        self.names, self.old = names, old or {}

    def convert(self, value, param, ctx):
        name = super().convert(self.old.get(value, value), param, ctx)
        return NULL if self.names[name] is None else self.names[name]


def training_options(function):
    """Add the fields of the configuration that may be changed; a parameter's name is a field's, with `__` for a dot."""
    return with_options(
        function,
        click.option("-lr", "--lr", "optimizer__learning_rate", type=float, help="Learning rate, the highest."),
        click.option(
            "-schedule", "--schedule", "optimizer__schedule", type=_Mapped({name: name for name in SCHEDULES}, OLD_SCHEDULES),
            help=SCHEDULE_HELP,
        ),
        click.option("-batch", "--batch", "optimizer__batch_size", type=COUNT, help="Crops in a batch."),
        click.option("-epochs", "--epochs", "optimizer__epochs", type=COUNT, help=EPOCHS_HELP),
        click.option("-steps", "--steps", "optimizer__steps_per_epoch", type=COUNT, help="Batches in an epoch."),
        click.option("-freeze", "--freeze", "surgery__freeze", type=_Mapped(FREEZE), help="Part to leave as it is."),
        click.option("-surgery", "--surgery", "surgery__reinitialize", type=_Mapped(SURGERY), help="Part to start untrained."),
        click.option("-unfreeze", "--unfreeze", "surgery__second_phase__freeze", type=_Mapped(UNFREEZE), help=UNFREEZE_HELP),
        click.option(
            "-second-lr", "--second-lr", "surgery__second_phase__learning_rate", type=float, help=SECOND_HELP.format("1e-5")
        ),
        click.option(
            "-second-epochs", "--second-epochs", "surgery__second_phase__epochs", type=COUNT,
            help=SECOND_HELP.format("--epochs"),
        ),
        click.option("-precision", "--precision", "optimizer__precision", type=click.Choice(PRECISIONS), help=PRECISION_HELP),
        click.option("-gpus", "--gpus", "optimizer__gpus", metavar="N|all", callback=_gpus, help=GPUS_HELP),
        click.option("-seed", "--seed", "seed", type=click.IntRange(min=0), help="Of the split and of the training."),
        click.option("-set", "--set", "assignments", multiple=True, metavar="FIELD=VALUE", help=SET_HELP),
    )  # fmt: skip


def _gpus(_ctx, _param, value: str | None):
    if value is None or value == "all":
        return value
    if not value.isdigit() or not int(value):
        raise InputError(f"expected a positive whole number of GPUs, or all; got {value!r}")
    return int(value)


def config_changes(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the training options that were given, as `training.config_files.load_config` takes them."""
    assignments = fields.pop("assignments", ())
    changes = {name.replace("__", "."): None if v is NULL else v for name, v in fields.items() if v is not None}
    if assignments:
        from spineseg_cli.training.config_files import parse_changes

        changes |= parse_changes(assignments)
    return changes
