"""The training options of `finetune`, as changes of its recipe."""

import click
import pytest
from click.testing import CliRunner

from spineseg_cli.cli.finetune_options import recipe_changes, training_options


@pytest.mark.parametrize(
    ("arguments", "changes"),
    [
        ("--surgery all --gpus all", ["surgery=all", "gpus=all"]),
        ("--freeze none --gpus 2", ["freeze=null", "gpus=2"]),
        ("--lr 1e-5", ["learning_rate=0.00001"]),
        ("--lr 2", ["learning_rate=2."]),
        ("--unfreeze all", ["unfreeze.keep=null"]),
        ("--unfreeze keep-contraction --second-lr 1e-4", ["unfreeze.keep=contraction", "unfreeze.learning_rate=0.0001"]),
        ("-unfreeze keep-expansion -second-epochs 3", ["unfreeze.keep=expansion", "unfreeze.epochs=3"]),
        ("--schedule halve --precision mixed_float16", ["schedule=halve", "precision=mixed_float16"]),
    ],
)
def test_changes(arguments, changes):
    @click.command()
    @training_options
    def command(**fields):
        click.echo("\n".join(recipe_changes(fields)))

    result = CliRunner().invoke(command, arguments.split())
    assert result.exit_code == 0, result.output
    assert sorted(result.stdout.split()) == sorted(changes)
