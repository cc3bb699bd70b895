"""What a run must remember to go on after it was killed: one file, replaced in one step at the end of each epoch.

The file holds the network's and the optimizer's variables (random states of dropout too), the best weights so far, the
history, and how long early stopping has waited. `history.csv` is written from it, and so never misses or repeats an epoch.
"""

from __future__ import annotations

import csv
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import keras
import numpy as np

from spineseg_cli.core.files import atomic_path
from spineseg_cli.errors import InputError

STATE, HISTORY = "state.h5", "history.csv"


@dataclass
class RunProgress:
    """How far a run has come.

    Parameters
    ----------
    rows : list of dict
        What each finished epoch gave: "epoch" from 0, "learning_rate", "loss" and the scores.
    best_epoch : int or None
        The epoch of the lowest validation loss.
    reference_loss : float or None
        The validation loss that early stopping measures the next against.
    waited : int
        Epochs since it was set.
    stopped : bool
        Whether early stopping has ended the run.
    """

    rows: list[dict] = field(default_factory=list)
    best_epoch: int | None = None
    reference_loss: float | None = None
    waited: int = 0
    stopped: bool = False

    @property
    def epoch(self) -> int:
        """The number of finished epochs."""
        return len(self.rows)

    def add(self, row: dict, patience: int | None, min_delta: float) -> bool:
        """Add a finished epoch and return whether its validation loss is the lowest so far.

        After `patience` epochs in a row that are not better than the last good one by `min_delta`, the run is stopped.
        """
        self.rows.append(row)
        loss = row.get("val_loss")
        if loss is None:
            return False
        best = self.best_epoch is None or loss < self.rows[self.best_epoch]["val_loss"]
        if best:
            self.best_epoch = self.epoch - 1
        if self.reference_loss is None or loss < self.reference_loss - min_delta:
            self.reference_loss, self.waited = loss, 0
        else:
            self.waited += 1
            self.stopped = patience is not None and self.waited >= patience
        return best


class Checkpoint:
    """Writes the run's state and history at the end of each epoch, keeps the best weights, and stops early.

    Parameters
    ----------
    folder : Path
        The run's folder.
    network : keras.Model
        Compiled, its optimizer built.
    settings : dict
        What the run was started with, as JSON can hold it; a state of another run is refused.
    patience : int, optional
        Epochs without a better validation loss after which the run stops; never by default.
    min_delta : float
        What counts as better.
    """

    def __init__(self, folder: Path, network: keras.Model, settings: dict, patience: int | None = None, min_delta: float = 0.0):
        self.network, self.folder, self.settings, self.patience, self.min_delta = network, folder, settings, patience, min_delta
        self.variables = {"network": network.variables, "optimizer": network.optimizer.variables}
        self.progress = RunProgress()
        self.best_weights: list[np.ndarray] | None = None

    def restore(self) -> RunProgress:
        """Take up an unfinished run in the folder, if there is one, and return how far it had come.

        Raises InputError if the folder holds a run with other settings.
        """
        import h5py

        path = self.folder / STATE
        for leftover in self.folder.glob(".partial-*"):
            leftover.unlink()
        if path.is_file():
            with h5py.File(path, "r") as file:
                content = json.loads(file["progress"][()])
                _check_settings(content["settings"], self.settings, self.folder)
                for name, variables in self.variables.items():
                    for variable, value in zip(variables, _read(file[name]), strict=True):
                        variable.assign(value)
                self.best_weights = _read(file["best"]) if "best" in file else None
            self.progress = RunProgress(**content["run"])
            self._write_history()
        return self.progress

    def end_epoch(self, rate: float, scores: dict[str, float]) -> dict[str, float]:
        """Add the epoch that has just ended, which began at the learning rate `rate`; return its row of the history."""
        row = {"epoch": self.progress.epoch, "learning_rate": rate, **{name: float(scores[name]) for name in sorted(scores)}}
        if self.progress.add(row, self.patience, self.min_delta):
            self.best_weights = self.network.get_weights()
        self._write_state()
        self._write_history()
        return row

    def _write_state(self) -> None:
        import h5py

        with atomic_path(self.folder / STATE) as temporary, h5py.File(temporary, "w") as file:
            for name, variables in self.variables.items():
                _write(file, name, [keras.ops.convert_to_numpy(variable) for variable in variables])
            if self.best_weights is not None:
                _write(file, "best", self.best_weights)
            file["progress"] = json.dumps({"settings": self.settings, "run": asdict(self.progress)})

    def _write_history(self) -> None:
        rows = self.progress.rows
        columns = list(dict.fromkeys(name for row in rows for name in row))
        with atomic_path(self.folder / HISTORY) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns, restval="")
            writer.writeheader()
            writer.writerows(rows)


def check_state(folder: Path, settings: dict) -> None:
    """Raise InputError if `folder` holds a run that was started with other settings."""
    import h5py

    path = folder / STATE
    if path.is_file():
        with h5py.File(path, "r") as file:
            _check_settings(json.loads(file["progress"][()])["settings"], settings, folder)


def best_weights(folder: Path) -> list[np.ndarray] | None:
    """Return the best weights so far of the run in `folder`; None if no epoch has been validated."""
    import h5py

    path = folder / STATE
    if not path.is_file():
        return None
    with h5py.File(path, "r") as file:
        return _read(file["best"]) if "best" in file else None


def _check_settings(found: dict, expected: dict, folder: Path) -> None:
    changed = sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))
    if changed:
        raise InputError(
            f"{folder} holds a run that was started with other settings ({', '.join(changed)}): choose another output folder, "
            "or remove this one to start afresh"
        )


def _write(file, name: str, arrays: list[np.ndarray]) -> None:
    group = file.create_group(name)
    for place, array in enumerate(arrays):
        group[f"{place:05d}"] = array


def _read(group) -> list[np.ndarray]:
    return [group[name][()] for name in sorted(group)]
