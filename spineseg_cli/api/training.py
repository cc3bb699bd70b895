"""`finetune`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from spineseg_cli.api.segmentation import Device


@dataclass(frozen=True)
class FinetunedModel:
    """Weights that were trained on a user's own labeled scans, and what they are worth.

    Attributes
    ----------
    weights : tuple of Path
        The weights files, one for each fold: for the `weights` of the other functions.
    report : Path
        The page with the split, the learning curves and every metric before and after.
    verdict : str
        A sentence that says whether they are better than the weights that training started from, and on what evidence.
    """

    weights: tuple[Path, ...]
    report: Path
    verdict: str


def finetune(
    task: Literal["gm", "cord", "centerline"],
    data: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    config: str | None = None,
    changes: Mapping[str, Any] | None = None,
    weights: str | os.PathLike[str] | None = None,
    kernel: Literal["2d", "3d"] | None = None,
    folds: int | None = None,
    device: Device = "auto",
) -> FinetunedModel:
    """Train weights on your own labeled scans, as the command `finetune` does; needs TensorFlow.

    Parameters
    ----------
    task : {"gm", "cord", "centerline"}
        What the labels show.
    data : path
        A BIDS folder with masks under `derivatives/labels`, or a table (.tsv) of images and masks.
    out : path
        The run's folder. Called again with the same folder, a run that was stopped continues.
    config : str, optional
        A training configuration: its name, or a YAML file. By default that of the task.
    changes : mapping of str to object, optional
        Fields of the configuration that are to be different: {"optimizer.epochs": 5}.
    weights : path or str, optional
        The weights to start from: a file, a shipped model's name, or "scratch". By default the shipped model.
    kernel : {"2d", "3d"}, optional
        Whether the network sees slices or stacks of them.
    folds : int, optional
        Test on every subject once, in so many runs.
    device : {"auto", "cpu", "gpu"}
        The device that the network is trained on.

    Raises
    ------
    SpinesegError
        If the data, the configuration or the weights cannot be used; the message says what to do.
    """
    from spineseg_cli.training.config_files import load_config
    from spineseg_cli.training.finetune import finetune as run_plans
    from spineseg_cli.training.plan import config_for, find_start, make_plans

    start = find_start(task, None if weights is None else str(weights), kernel)
    chosen = load_config(config or config_for(task, start, kernel), changes)
    plans = make_plans(task, Path(data), Path(out), chosen, start, folds=folds)
    report = run_plans(plans, Path(out), device)
    files = tuple(plan.folder / f"{plan.config.name}.weights.h5" for plan in plans)
    return FinetunedModel(tuple(path for path in files if path.is_file()), Path(out) / "report.html", report.verdict)
