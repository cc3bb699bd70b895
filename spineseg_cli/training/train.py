"""Training by a configuration alone, on the data that it names."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from spineseg_cli.errors import InputError
from spineseg_cli.training.config import TrainingConfig
from spineseg_cli.training.data.datasets import ConfiguredData
from spineseg_cli.training.data.sources import find_labeled_scans
from spineseg_cli.training.evaluation import CommandValidation, Evaluator
from spineseg_cli.training.run import Run
from spineseg_cli.training.state import selection_of
from spineseg_cli.training.trainer import fit
from spineseg_cli.weights.files import read_model


def train(
    config: TrainingConfig,
    data: Path,
    out: Path,
    *,
    leave_out: Iterable[str] = (),
    init: Path | None = None,
    evaluator: Evaluator | None = None,
    processes: int = 0,
    verbose: int = 0,
) -> Path:
    """Train a network on the data that its configuration names, and return the path of its weights: see `fit`.

    Globs are relative to the folder `data`. The subjects `leave_out` are neither trained nor validated on: see
    `data.sources.is_of_any`. `init` is a file of initial weights; without it, they are untrained. `evaluator` is the complete
    command that chooses the best epoch, if the configuration has `validation.select_by: command`. Crops are made by a thread, or
    by a number of `processes`; they are the same.

    Raises InputError if data is missing or unreadable, `out` holds a run with other settings, or a second phase has no initial
    weights.
    """
    leave_out, start = tuple(leave_out), read_model(init) if init else None
    by_command = config.validation.select_by == "command"
    if by_command and evaluator is None:
        raise InputError("validation.select_by: command needs to know whose command: give --task too")
    started_with = {"leave_out": sorted(leave_out), "init": init and str(init)}
    run = Run(out, config, started_with, selection_of(config, evaluator.task if evaluator else None))
    command = None
    if by_command and evaluator:
        validated_on = find_labeled_scans(config.data.labeled_scans, data, leave_out, config.validation.subjects)
        scans = [scan for scan, _ in validated_on]
        command = CommandValidation(evaluator, config, start, scans, scans)
    return fit(run, ConfiguredData(config, data, leave_out, processes), start, command, verbose=verbose).path
