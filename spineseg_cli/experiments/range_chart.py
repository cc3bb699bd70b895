"""The range test of an arm, on the scans that it is trained on."""

from __future__ import annotations

from spineseg_cli.experiments.plan import ArmPlan
from spineseg_cli.training.data.datasets import load_material
from spineseg_cli.training.device import training_device
from spineseg_cli.training.lr_range_test import range_test, write_range_test

CHART = "range_test.svg"


def write_range_chart(plan: ArmPlan, device: str, verbose: int = 0) -> None:
    """Write `range_test.svg` and `range_test.csv` to an arm's folder, unless they are there."""
    path, run = plan.folder / CHART, plan.run
    if path.is_file():
        return
    with training_device(device, run.recipe.gpus):
        batches, _ = load_material(run.recipe, run.scans, run.split, run.folder, run.finder)
        found = range_test(run.recipe, batches, run.start and run.start.path, verbose=verbose)
    write_range_test(path, found, plan.arm.name)
