"""The function `finetune`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spineseg_cli.api.choices import Device, check_choice
from spineseg_cli.core.extras import require


@dataclass(frozen=True)
class Finetuning:
    """Weights trained on labeled scans, and their metrics on subjects that were not used in training.

    Attributes
    ----------
    weights : tuple of Path
        The weights file, for the option `weights` of the functions that segment; with `folds`, that of each fold.
    report : Path
        The page with the split, the curves, and every metric before and after.
    verdict : str
        Whether the new weights are better than those that the run started from.
    stopped : bool
        Whether the user stopped the run; another call continues it.
    before, after : mapping of str to float
        The mean over the test subjects of each metric, by the names of the tables' columns.
    """

    weights: tuple[Path, ...]
    report: Path
    verdict: str
    stopped: bool
    before: Mapping[str, float]
    after: Mapping[str, float]


def finetune(
    data: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    task: str = "gm",
    init: str | None = None,
    config: str | None = None,
    changes: Mapping[str, Any] | None = None,
    fractions: tuple[float, float] = (0.2, 0.2),
    folds: int | None = None,
    stratify: str | None = None,
    person: str | None = None,
    device: Device = "auto",
    verbose: int = 0,
) -> Finetuning:
    """Train better weights on your own labeled scans, as the command `finetune` does.

    Parameters
    ----------
    data : path
        A BIDS folder with masks among its derivatives, or a table (.tsv) of scans and masks.
    out : path
        The folder of the run; an unfinished run in it is continued.
    task : str
        The task of the labels: "gm", "cord" or "centerline".
    init : str, optional
        Weights to start from: a file, the name of a model, or "scratch"; by default those of the task.
    config : str, optional
        A training configuration of the package by its name, or a YAML file; by default that of the task.
    changes : mapping of str to object, optional
        Fields of the configuration to change, such as {"optimizer.epochs": 5}.
    fractions : (float, float)
        The fractions of subjects for testing and for validation.
    folds : int, optional
        Number of cross-validation runs, in which each subject is tested once.
    stratify : str, optional
        A column of `participants.tsv`, or of the table, by which the subsets are balanced.
    person : str, optional
        A column of the same file whose equal entries are the same person, who is never split.
    device : {"auto", "cpu", "gpu"}
        The device on which the network is trained.
    verbose : int
        The level of output; 1 shows each epoch.

    Raises
    ------
    SpinesegError
        If something about the data, the weights or the configuration is wrong; the message says what to do.

    Examples
    --------
    >>> from spineseg_cli import finetune, segment_gray_matter
    >>> run = finetune("my_bids", "runs/children")                               # doctest: +SKIP
    >>> segment_gray_matter("scan.nii.gz", weights=run.weights[0])               # doctest: +SKIP
    """
    check_choice("device", device, Device)
    require("finetune", "tensorflow", "keras", "pydantic", "yaml", "skimage")
    from spineseg_cli.training.config_files import load_config
    from spineseg_cli.training.data.find_scans import ScanSource
    from spineseg_cli.training.data.split import SplitRequest
    from spineseg_cli.training.finetune import finetune as carry_out
    from spineseg_cli.training.plan import config_for, find_start, make_plans

    folder, start = Path(out).absolute(), find_start(task, init)
    settings = load_config(config or config_for(task, start), changes)
    source, request = ScanSource(Path(data).absolute(), person=person), SplitRequest(None, fractions, stratify, folds)
    plans = make_plans(task, source, folder, settings, start, request)
    report = carry_out(plans, folder, device, verbose)
    pairs = {name: report.comparison(name) for name in report.metrics.columns if report.tested}
    before, after = ({name: getattr(pair, when) for name, pair in pairs.items()} for when in ("before", "after"))
    weights = tuple(path for plan in plans if (path := plan.folder / f"{plan.config.name}.weights.h5").is_file())
    return Finetuning(weights, folder / "report.html", report.verdict, report.stopped, before, after)
