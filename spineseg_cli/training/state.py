"""How far a run has come: its history, the one definition of its best epoch, the phase that it is in, and when it stops early."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spineseg_cli.tasks.task import Task
    from spineseg_cli.training.config import TrainingConfig

# The epoch, in the history, of the weights that a run starts from.
START = -1


@dataclass(frozen=True)
class Selection:
    """What epochs are compared by.

    Parameters
    ----------
    column : str
        Of the history.
    """

    column: str = "val_loss"
    greater_is_better: bool = False

    def of(self, row: Mapping[str, float]) -> float | None:
        """Return how good an epoch is, more is better; None if it was not validated, or its value is not finite."""
        value = row.get(self.column, math.nan)
        if not math.isfinite(value):
            return None
        return value if self.greater_is_better else -value

    def best(self, rows: Sequence[Mapping[str, float]]) -> int | None:
        """Return the epoch of the best row; of equal ones the lowest validation loss counts, then the first. None without any."""
        known = [row for row in rows if self.of(row) is not None]
        if not known:
            return None
        return int(max(known, key=lambda row: (self.of(row), -row.get("val_loss", 0.0), -row["epoch"]))["epoch"])


LOSS = Selection("val_loss", greater_is_better=False)


def selection_of(config: TrainingConfig, task: Task | None) -> Selection:
    """Return what chooses the best epoch: the primary metric of the task by the complete command, or the loss on crops."""
    if config.validation.select_by == "crops" or task is None:
        return LOSS
    metrics = task.metrics
    return Selection(f"val_{metrics.primary}", not metrics.criteria[metrics.primary].lower_is_better)


# Fewer may be chance: about 95 % of chance lies within so many.
STANDARD_ERRORS = 2.0


def exceeds_error(gains: Sequence[float]) -> bool:
    """Return whether the mean of some gains is above 0 by more than twice its standard error; only finite ones count."""
    known = [gain for gain in gains if math.isfinite(gain)]
    if not known:
        return False
    error = statistics.stdev(known) / math.sqrt(len(known)) if len(known) > 1 else 0.0
    return statistics.fmean(known) > STANDARD_ERRORS * error


@dataclass
class TrainingState:
    """How far a run has come.

    Parameters
    ----------
    rows : list of dict
        What each finished epoch gave: "epoch" from 0, "learning_rate", "loss", the metrics and the validation.
    start : dict or None
        The row of the weights that the run started from, its "epoch" `START`, if they may be the best.
    phase : int
        The phase that the run is in, from 0.
    phase_start : int
        Epochs before it.
    reference : dict or None
        The row that early stopping measures the next against.
    first : dict or None
        The row that the phase's epochs are measured against from its beginning, if there is one.
    waited : int
        Epochs since `reference` was set.
    stopped : bool
        Whether early stopping has ended the phase.
    start_kept : bool
        Whether the best epoch has turned out to be no gain: see `exceeds_error`.
    gain_judged : bool
        Whether that is known.
    """

    rows: list[dict] = field(default_factory=list)
    start: dict | None = None
    phase: int = 0
    phase_start: int = 0
    reference: dict | None = None
    first: dict | None = None
    waited: int = 0
    stopped: bool = False
    start_kept: bool = False
    gain_judged: bool = False

    @property
    def history(self) -> list[dict]:
        """Every row, that of the start first."""
        return [self.start, *self.rows] if self.start else list(self.rows)

    @property
    def epoch(self) -> int:
        """The number of finished epochs."""
        return len(self.rows)

    @property
    def phase_rows(self) -> list[dict]:
        """The rows of this phase."""
        return self.rows[self.phase_start :]

    @property
    def phase_losses(self) -> list[float]:
        """The validation losses of this phase, first the one that it is measured against."""
        rows = ([self.first] if self.first else []) + self.phase_rows
        return [row["val_loss"] for row in rows if "val_loss" in row]

    def begin(self, row: dict[str, float], measured: bool) -> None:
        """Take the validation of the weights that the run starts from.

        Unless they are `measured`, early stopping begins with the first epoch.
        """
        self.start = {"epoch": START, **row}
        if measured:
            self.first = self.reference = self.start

    def begin_next_phase(self, best: int | None) -> None:
        """Begin a phase, from the epoch `best` of the one that has ended."""
        self.first = self.reference = None if best is None else self.rows[best]
        self.phase, self.phase_start, self.waited, self.stopped = self.phase + 1, self.epoch, 0, False

    def add(self, row: dict, monitor: Selection, patience: int | None, min_delta: float) -> None:
        """Add a finished epoch.

        After `patience` epochs in a row that are not better than the last good one by `min_delta`, the phase is stopped.
        """
        self.rows.append(row)
        self.start_kept = self.gain_judged = False
        value = monitor.of(row)
        if value is None and monitor.column not in row:
            return
        reference = None if self.reference is None else monitor.of(self.reference)
        if value is not None and (reference is None or value > reference + min_delta):
            self.reference, self.waited = row, 0
        else:
            self.waited += 1
            self.stopped = patience is not None and self.waited >= patience
