"""How far a run has come: its history, its best epoch, the phase that it is in, and when it stops early."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class RunProgress:
    """How far a run has come.

    Parameters
    ----------
    rows : list of dict
        What each finished epoch gave: "epoch" from 0, "learning_rate", "loss" and the scores.
    best_epoch : int or None
        The epoch of the lowest validation loss; -1 if the weights that the run started from are not beaten.
    reference_loss : float or None
        The validation loss that early stopping measures the next against.
    waited : int
        Epochs since it was set.
    stopped : bool
        Whether early stopping has ended the phase.
    start : dict or None
        The row of the weights that the run started from, its "epoch" -1, if they were validated.
    phase : int
        The phase that the run is in, from 0.
    phase_start : int
        Epochs before it.
    first_loss : float or None
        The validation loss that the phase's epochs are measured against from its beginning, if there is one.
    """

    rows: list[dict] = field(default_factory=list)
    best_epoch: int | None = None
    reference_loss: float | None = None
    waited: int = 0
    stopped: bool = False
    start: dict | None = None
    phase: int = 0
    phase_start: int = 0
    first_loss: float | None = None

    @property
    def epoch(self) -> int:
        """The number of finished epochs."""
        return len(self.rows)

    @property
    def phase_epoch(self) -> int:
        """The number of finished epochs of this phase."""
        return self.epoch - self.phase_start

    @property
    def phase_losses(self) -> list[float]:
        """The validation losses of this phase, first the one that it is measured against."""
        losses = [row["val_loss"] for row in self.rows[self.phase_start :] if "val_loss" in row]
        return losses if self.first_loss is None else [self.first_loss, *losses]

    @property
    def best_of_phase(self) -> int | None:
        """The epoch of the lowest validation loss of this phase."""
        validated = [row for row in self.rows[self.phase_start :] if "val_loss" in row]
        return min(validated, key=lambda row: row["val_loss"])["epoch"] if validated else None

    def begin(self, scores: dict[str, float], measured: bool) -> None:
        """Take the validation of the weights that the run starts from, as the best so far.

        Unless they are `measured`, early stopping begins with the first epoch.
        """
        self.start, self.best_epoch = {"epoch": -1, **scores}, -1
        if measured:
            self.first_loss = self.reference_loss = scores["val_loss"]

    def begin_next_phase(self) -> None:
        """Begin a phase, from the best weights of the one that has ended."""
        best = self.best_of_phase
        self.first_loss = self.reference_loss = None if best is None else self.rows[best]["val_loss"]
        self.phase, self.phase_start, self.waited, self.stopped = self.phase + 1, self.epoch, 0, False

    def add(self, row: dict, patience: int | None, min_delta: float) -> bool:
        """Add a finished epoch and return whether its validation loss is the lowest so far.

        After `patience` epochs in a row that are not better than the last good one by `min_delta`, the phase is stopped.
        """
        self.rows.append(row)
        loss = row.get("val_loss")
        if loss is None:
            return False
        former = self.start if self.best_epoch == -1 else None if self.best_epoch is None else self.rows[self.best_epoch]
        best = former is None or loss < former["val_loss"]
        if best:
            self.best_epoch = self.epoch - 1
        if self.reference_loss is None or loss < self.reference_loss - min_delta:
            self.reference_loss, self.waited = loss, 0
        else:
            self.waited += 1
            self.stopped = patience is not None and self.waited >= patience
        return best
