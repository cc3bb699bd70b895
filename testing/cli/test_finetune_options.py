"""The training options of `finetune`, as changes of its configuration."""

import click
import pytest
from click.testing import CliRunner

from spineseg_cli.cli.finetune_options import config_changes, data_options, training_options

FIRST, SECOND = "surgery", "surgery.second_phase"


@pytest.mark.parametrize(
    ("arguments", "changes"),
    [
        ("--surgery all --gpus all", {f"{FIRST}.reinitialize": "all", "optimizer.gpus": "all"}),
        ("--surgery contraction", {f"{FIRST}.reinitialize": "encoder"}),
        ("--freeze none --gpus 2", {f"{FIRST}.freeze": None, "optimizer.gpus": 2}),
        ("--lr 1e-5", {"optimizer.learning_rate": 1e-5}),
        ("--unfreeze all", {f"{SECOND}.freeze": None}),
        ("--unfreeze keep-contraction --second-lr 1e-4", {f"{SECOND}.freeze": "encoder", f"{SECOND}.learning_rate": 1e-4}),
        ("-unfreeze keep-expansion -second-epochs 3", {f"{SECOND}.freeze": "decoder", f"{SECOND}.epochs": 3}),
        ("--schedule halve --precision mixed_float16", {
            "optimizer.schedule": "reduce_on_plateau", "optimizer.precision": "mixed_float16",
        }),
        ("--set a.b=1e-4 --set c=[1]", {"a.b": 1e-4, "c": [1]}),
        ("--centerline auto --no-flips --nyul", {
            "data.crop_centers": "network", "augmentation.mirror": False, "data.learn_nyul": True,
        }),
        ("", {}),
    ],
)  # fmt: skip
def test_changes(arguments, changes):
    found = {}

    @click.command()
    @data_options
    @training_options
    def command(**fields):
        of_config = {name: value for name, value in fields.items() if "__" in name or name in ("assignments", "seed")}
        found.update(config_changes(of_config))

    result = CliRunner().invoke(command, ["--out", "x", *arguments.split()])
    assert result.exit_code == 0, result.output
    assert found == changes
