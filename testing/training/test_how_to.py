"""The examples of the how-to pages are valid."""

from __future__ import annotations

import re
from pathlib import Path

from spineseg_cli.core.yaml_files import parse_changes
from spineseg_cli.experiments.config import load_experiment
from spineseg_cli.training.config_files import load_config

PAGES = Path(__file__).parents[2] / "docs" / "how-to"


def example(page: str, language: str) -> str:
    return re.search(rf"```{language}\n(.*?)```", (PAGES / page).read_text(encoding="utf-8"), re.DOTALL)[1]


def test_example_of_a_configuration_is_accepted(tmp_path):
    path = tmp_path / "children.yaml"
    path.write_text(example("new_recipe.md", "yaml"))
    config = load_config(str(path))
    assert config.optimizer.learning_rate == 5e-5
    assert config.augmentation.profile == "perone"
    assert config.outputs == load_config("finetune_gm").outputs


def test_example_of_an_experiment_is_accepted(tmp_path):
    path = tmp_path / "losses.yaml"
    path.write_text(example("new_experiment.md", "yaml"))
    assert [variant.name for variant in load_experiment(str(path)).variants] == ["dice", "tversky"]


def test_change_that_uses_a_network_is_accepted():
    text = re.search(r"--set '(network=[^']*)'", (PAGES / "new_network.md").read_text(encoding="utf-8"))[1]
    change = text.replace("tiny", "unet2d")
    assert load_config("finetune_gm", parse_changes([change])).network.name == "unet2d"
