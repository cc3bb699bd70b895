"""The progress of a run: its history, its best epoch, its current phase, and early stopping."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spineseg_cli.tasks.task import Task
    from spineseg_cli.training.config import TrainingConfig

# The number of the epoch of the initial weights in the history.
START = -1


@dataclass(frozen=True)
class Selection:
    """A criterion by which epochs are compared."""

    column: str = "val_loss"  # a column of the history
    greater_is_better: bool = False  # whether greater values are better

    def of(self, row: Mapping[str, float]) -> float | None:
        """Return the score of a row, of which more is better; None if the row has no finite value."""
        value = row.get(self.column, math.nan)
        if not math.isfinite(value):
            return None
        return value if self.greater_is_better else -value

    def best(self, rows: Sequence[Mapping[str, float]]) -> int | None:
        """Return the epoch of the best row, None if no row has a score. Ties are broken by the validation loss, then by order."""
        known = [row for row in rows if self.of(row) is not None]
        if not known:
            return None
        return int(max(known, key=lambda row: (self.of(row), -row.get("val_loss", 0.0), -row["epoch"]))["epoch"])


LOSS = Selection("val_loss", greater_is_better=False)


def selection_of(config: TrainingConfig, task: Task | None) -> Selection:
    """Return the criterion for the best epoch: the primary metric of the task by the complete command, or the loss on crops."""
    if config.validation.select_by == "crops" or task is None:
        return LOSS
    metrics = task.metrics
    return Selection(f"val_{metrics.primary}", not metrics.criteria[metrics.primary].lower_is_better)


# A gain of fewer standard errors may be due to chance; about 95 % of random gains are within this number.
STANDARD_ERRORS = 2.0


def exceeds_error(gains: Sequence[float]) -> bool:
    """Return whether the mean of the finite gains exceeds twice its standard error."""
    known = [gain for gain in gains if math.isfinite(gain)]
    if not known:
        return False
    error = statistics.stdev(known) / math.sqrt(len(known)) if len(known) > 1 else 0.0
    return statistics.fmean(known) > STANDARD_ERRORS * error


@dataclass
class TrainingState:
    """The progress of a run."""

    # The values of each finished epoch: "epoch" from 0, "learning_rate", "loss", the metrics and the validation.
    rows: list[dict] = field(default_factory=list)
    start: dict | None = None  # the row of the initial weights, with the "epoch" `START`, if they may be the best
    phase: int = 0  # the current phase, from 0
    phase_start: int = 0  # the number of epochs before the current phase
    reference: dict | None = None  # the row that early stopping compares the next row with
    first: dict | None = None  # the row from before the phase that its first epoch is compared with, if there is one
    waited: int = 0  # the number of epochs since `reference` was set
    stopped: bool = False  # whether early stopping has ended the phase
    start_kept: bool = False  # whether the best epoch was judged not to be a gain: see `exceeds_error`
    gain_judged: bool = False  # whether the gain of the best epoch has been judged

    @property
    def history(self) -> list[dict]:
        """All rows, including that of the initial weights."""
        return [self.start, *self.rows] if self.start else list(self.rows)

    @property
    def epoch(self) -> int:
        """The number of finished epochs."""
        return len(self.rows)

    @property
    def phase_rows(self) -> list[dict]:
        """The rows of the current phase."""
        return self.rows[self.phase_start :]

    @property
    def phase_losses(self) -> list[float]:
        """The validation losses of the current phase, after that of the row that its first epoch is compared with."""
        rows = ([self.first] if self.first else []) + self.phase_rows
        return [row["val_loss"] for row in rows if "val_loss" in row]

    def begin(self, row: dict[str, float], measured: bool) -> None:
        """Record the validation of the initial weights. Early stopping and schedules use it only if it is `measured`."""
        self.start = {"epoch": START, **row}
        if measured:
            self.first = self.reference = self.start

    def begin_next_phase(self, best: int | None) -> None:
        """Begin the next phase, from the epoch `best` of the last phase."""
        self.first = self.reference = None if best is None else self.rows[best]
        self.phase, self.phase_start, self.waited, self.stopped = self.phase + 1, self.epoch, 0, False

    def add(self, row: dict, monitor: Selection, patience: int | None, min_delta: float) -> None:
        """Add a finished epoch, and stop the phase if `patience` successive epochs have not improved by `min_delta`."""
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
