"""What a run must remember to go on after it was killed: one file, replaced in one step at the end of each epoch.

The file holds the network's and the optimizer's variables (random states of dropout too), the best weights so far, the
history, and how long early stopping has waited. `history.csv` is written from it, and so never misses or repeats an epoch.
"""

from __future__ import annotations

import csv
import json
from dataclasses import asdict
from pathlib import Path

import keras
import numpy as np

from spineseg_cli.core.files import atomic_path
from spineseg_cli.errors import InputError
from spineseg_cli.training.configs.recipe import Recipe
from spineseg_cli.training.run_progress import RunProgress

STATE, HISTORY = "state.h5", "history.csv"

# What a run was started with that is older than a field of the recipe, as JSON holds it.
OLDER = json.loads(json.dumps(asdict(Recipe(name="", network={}))))


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
    phases : int
        Of the run.
    """

    def __init__(
        self,
        folder: Path,
        network: keras.Model,
        settings: dict,
        patience: int | None = None,
        min_delta: float = 0.0,
        phases: int = 1,
    ):
        self.network, self.folder, self.settings, self.patience, self.min_delta = network, folder, settings, patience, min_delta
        self.phases = phases
        self.progress = RunProgress()
        self.best_weights: list[np.ndarray] | None = None
        # Those that the next phase starts from, where they may be others.
        self.best_of_phase: list[np.ndarray] | None = None

    def find(self) -> RunProgress:
        """Return how far a run in the folder has come, to prepare the network that `restore` gives its state.

        Raises InputError if the folder holds a run with other settings.
        """
        content = _read_progress(self.folder)
        if content is not None:
            _check_settings(content["settings"], self.settings, self.folder)
            self.progress = RunProgress(**content["run"])
        return self.progress

    def restore(self) -> RunProgress:
        """Take up an unfinished run in the folder, if there is one, and return how far it had come.

        Raises InputError if the folder holds a run with other settings.
        """
        import h5py

        path = self.folder / STATE
        for leftover in self.folder.glob(".partial-*"):
            leftover.unlink()
        if path.is_file():
            self.find()
            with h5py.File(path, "r") as file:
                for name, variables in self._variables().items():
                    for variable, value in zip(variables, _read(file[name]), strict=True):
                        variable.assign(value)
                self.best_weights = _read(file["best"]) if "best" in file else None
                self.best_of_phase = _read(file["best_of_phase"]) if "best_of_phase" in file else None
            self._write_history()
        return self.progress

    def begin(self, weights: list[np.ndarray], scores: dict[str, float], measured: bool = True) -> dict[str, float]:
        """Take the weights that the run starts from, and their validation, as the best so far; return their row.

        See `RunProgress.begin`. They are written with the first epoch.
        """
        self.progress.begin({name: float(scores[name]) for name in sorted(scores)}, measured)
        self.best_weights = weights
        return self.progress.start

    def begin_next_phase(self) -> None:
        """Give the network the best weights of the phase that has ended, if it was validated, and begin the next."""
        self.progress.begin_next_phase()
        if self.best_of_phase is not None:
            self.network.set_weights(self.best_of_phase)
        self.best_of_phase = None

    def end_epoch(self, rate: float, scores: dict[str, float]) -> dict[str, float]:
        """Add the epoch that has just ended, which began at the learning rate `rate`; return its row of the history."""
        phase = {"phase": self.progress.phase + 1} if self.phases > 1 else {}
        found = {name: float(scores[name]) for name in sorted(scores)}
        row = {"epoch": self.progress.epoch, **phase, "learning_rate": rate, **found}
        if self.progress.add(row, self.patience, self.min_delta):
            self.best_weights = self.network.get_weights()
        if self.progress.phase + 1 < self.phases and self.progress.best_of_phase == row["epoch"]:
            self.best_of_phase = self.network.get_weights()
        self._write_state()
        self._write_history()
        return row

    def _variables(self) -> dict[str, list]:
        return {"network": self.network.variables, "optimizer": self.network.optimizer.variables}

    def _write_state(self) -> None:
        import h5py

        with atomic_path(self.folder / STATE) as temporary, h5py.File(temporary, "w") as file:
            for name, variables in self._variables().items():
                _write(file, name, [keras.ops.convert_to_numpy(variable) for variable in variables])
            for name, weights in {"best": self.best_weights, "best_of_phase": self.best_of_phase}.items():
                if weights is not None:
                    _write(file, name, weights)
            file["progress"] = json.dumps({"settings": self.settings, "run": asdict(self.progress)})

    def _write_history(self) -> None:
        rows, start = self.progress.rows, self.progress.start
        columns = list(dict.fromkeys(name for row in rows for name in row))
        with atomic_path(self.folder / HISTORY) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns, restval="")
            writer.writeheader()
            writer.writerows([start, *rows] if start else rows)


def check_state(folder: Path, settings: dict) -> None:
    """Raise InputError if `folder` holds a run that was started with other settings."""
    content = _read_progress(folder)
    if content is not None:
        _check_settings(content["settings"], settings, folder)


def best_weights(folder: Path) -> list[np.ndarray] | None:
    """Return the best weights so far of the run in `folder`; None if no epoch has been validated."""
    import h5py

    path = folder / STATE
    if not path.is_file():
        return None
    with h5py.File(path, "r") as file:
        return _read(file["best"]) if "best" in file else None


def _read_progress(folder: Path) -> dict | None:
    """Return the settings and the `RunProgress` in a folder, if it holds a run."""
    import h5py

    path = folder / STATE
    if not path.is_file():
        return None
    with h5py.File(path, "r") as file:
        return json.loads(file["progress"][()])


def _check_settings(found: dict, expected: dict, folder: Path) -> None:
    found = {name: OLDER[name] for name in OLDER.keys() & expected.keys()} | found
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
