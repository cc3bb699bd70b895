"""A training run: its folder, settings, state and history, and its best epoch.

The state is one file that is replaced atomically at the end of each epoch, so that a run that was killed at any moment
continues as if it had not been killed. It holds the variables of the network and of the optimizer (including the random states
of dropout), the best weights so far, and the `TrainingState`. `history.csv` is written from it, so that it never misses or
repeats an epoch.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from spineseg_cli.core.files import atomic_path
from spineseg_cli.core.tables import write_rows
from spineseg_cli.errors import InputError
from spineseg_cli.training.config import TrainingConfig
from spineseg_cli.training.config_files import checked
from spineseg_cli.training.config_sections import Phase
from spineseg_cli.training.run_settings import changed_settings
from spineseg_cli.training.sessions import Sessions
from spineseg_cli.training.state import LOSS, START, Selection, TrainingState

STATE, HISTORY, SESSIONS = "state.h5", "history.csv", "sessions.json"

# Weights in the state besides those of the network, and the attributes of `Run` that hold them.
KEPT = {"best": "best_weights", "best_of_phase": "best_of_phase", "mean": "mean_weights"}


class Run:
    """A training run in a folder.

    Raises InputError if the folder holds a run that was started with other settings.

    `started_with` is everything besides the configuration that the run depends on, as JSON values: initial weights, split, masks.
    """

    def __init__(
        self, folder: Path, config: TrainingConfig, started_with: Mapping[str, Any] | None = None, selection: Selection = LOSS
    ):
        self.folder, self.config, self.selection = folder, config, selection
        self.settings = json.loads(json.dumps({"config": config.model_dump(mode="json"), **(started_with or {})}))
        self.state = self._read_state()
        self.sessions = Sessions(folder / SESSIONS)
        self.interrupted = False
        # The best weights of the whole run so far, and of this phase, from which the next phase starts.
        self.best_weights: list[np.ndarray] | None = None
        self.best_of_phase: list[np.ndarray] | None = None
        # The mean of the weights of the last epochs, if the run ends with it.
        self.mean_weights: list[np.ndarray] | None = None

    # Results

    @property
    def history(self) -> list[dict]:
        """The row of each epoch; first that of the initial weights, with the epoch `START`, if they may be the best."""
        return self.state.history

    @property
    def best_epoch(self) -> int | None:
        """The epoch whose weights the run ends with, from 0; `START` for the initial ones; None: the last."""
        return START if self.state.start_kept else self.selection.best(self.history)

    @property
    def keeps_start(self) -> bool:
        """Whether no epoch is better than the initial weights."""
        return self.best_epoch == START

    @property
    def best_in_words(self) -> str:
        """The epoch whose weights the run ends with, counted from 1, in words."""
        if self.best_epoch is None:
            return "the last epoch"
        if self.state.start_kept:
            return "its start: on the subjects trained and validated on, the best epoch's gain is within twice its standard error"
        by = f"by {self.selection.column.removeprefix('val_')} on the validation subjects"
        return f"its start: no epoch was better, {by}" if self.keeps_start else f"epoch {self.best_epoch + 1}, {by}"

    # Progress

    @property
    def phase(self) -> Phase:
        """The current phase."""
        return self.config.phases[self.state.phase]

    @property
    def phase_ended(self) -> bool:
        """Whether the phase has no epoch left, or was stopped early."""
        return self.state.stopped or self.state.epoch - self.state.phase_start >= self.phase.epochs

    @property
    def ended(self) -> bool:
        """Whether no epoch is left."""
        return self.phase_ended and self.state.phase + 1 == len(self.config.phases)

    def resume(self, network) -> TrainingState:
        """Set a compiled network to the state of the run in the folder, if there is one, and return the progress of the run."""
        path = self.folder / STATE
        for leftover in self.folder.glob(".partial-*"):
            leftover.unlink()
        if path.is_file():
            with h5py.File(path, "r") as file:
                for name, variables in _variables(network).items():
                    for variable, value in zip(variables, _read(file[name]), strict=True):
                        variable.assign(value)
                for name, attribute in KEPT.items():
                    setattr(self, attribute, _read(file[name]) if name in file else None)
            self._write_history()
        return self.state

    def begin(self, weights: list[np.ndarray], row: Mapping[str, float], measured: bool = True) -> dict[str, float]:
        """Record the initial weights and the values of their validation, and return their row: see `TrainingState.begin`.

        They are written to disk with the first epoch.
        """
        self.state.begin({name: float(row[name]) for name in sorted(row)}, measured)
        self.best_weights = weights
        return self.state.history[0]

    def end_weights(self, network) -> list[np.ndarray]:
        """Return the weights that the run would end with after the epoch that just ended: the network's, or the running mean."""
        weights, optimizer = network.get_weights(), self.config.optimizer
        count = self.state.epoch + 1 - (optimizer.epochs - optimizer.averaged_epochs)
        if count < 1 or not optimizer.averaged_epochs:
            self.mean_weights = None
            return weights
        before = self.mean_weights or weights
        self.mean_weights = [old + (new - old) / count for old, new in zip(before, weights, strict=True)]
        return self.mean_weights

    def end_epoch(self, network, rate: float, values: Mapping[str, float]) -> dict[str, float]:
        """Record the epoch that just ended, which began at the learning rate `rate`, and return its row of the history."""
        last_phase, state = int(self.config.surgery.second_phase is not None), self.state
        stopping = self.config.validation.early_stopping
        phase = {"phase": state.phase + 1} if last_phase else {}
        row = {"epoch": state.epoch, **phase, "learning_rate": rate} | {name: float(values[name]) for name in sorted(values)}
        monitor = LOSS if stopping and stopping.monitor == "loss" else self.selection
        patience, min_delta = (stopping.patience, stopping.min_delta) if stopping else (None, 0.0)
        state.add(row, monitor, patience, min_delta)
        if self.best_epoch == row["epoch"]:
            self.best_weights = network.get_weights()
        if state.phase < last_phase and self.selection.best(state.phase_rows) == row["epoch"]:
            self.best_of_phase = network.get_weights()
        self._write_state(network)
        self._write_history()
        return row

    def settle_gain(self, is_gain: bool) -> None:
        """Record in the state whether the best epoch is a gain; if not, the run ends with its initial weights."""
        self.state.gain_judged, self.state.start_kept = True, not is_gain
        with atomic_path(self.folder / STATE) as temporary:
            shutil.copyfile(self.folder / STATE, temporary)  # not rewritten: the network may be in the middle of an epoch
            with h5py.File(temporary, "a") as file:
                del file["progress"]
                self._write_progress(file)

    def begin_next_phase(self, network) -> None:
        """Begin the next phase, from the best weights of the last one if it was validated."""
        self.state.begin_next_phase(self.selection.best(self.state.phase_rows))
        if self.best_of_phase is not None:
            network.set_weights(self.best_of_phase)
        self.best_of_phase = None

    # Files

    def _read_state(self) -> TrainingState:
        path = self.folder / STATE
        if not path.is_file():
            return TrainingState()
        with h5py.File(path, "r") as file:
            content = json.loads(file["progress"][()])
        self._check_settings(content["settings"])
        return TrainingState(**content["run"])

    def _check_settings(self, recorded: dict) -> None:
        """Raise InputError if the run in the folder was started with other settings.

        Fields of the configuration that were added to spineseg since then are taken to have had their defaults.
        """
        if "config" not in recorded:
            raise InputError(
                f"{self.folder} holds a run of version 0.9 or older, which cannot be continued: choose another folder"
            )
        known = checked(recorded["config"], f"the run in {self.folder}").model_dump(mode="json")
        changed = changed_settings(recorded | {"config": known}, self.settings)
        if changed:
            raise InputError(
                f"{self.folder} holds a run that was started with other settings ({', '.join(changed)}): choose another "
                "output folder, or remove this one to start again"
            )

    def _write_state(self, network) -> None:
        from keras import ops

        with atomic_path(self.folder / STATE) as temporary, h5py.File(temporary, "w") as file:
            for name, variables in _variables(network).items():
                _write(file, name, [ops.convert_to_numpy(variable) for variable in variables])
            for name, attribute in KEPT.items():
                if (weights := getattr(self, attribute)) is not None:
                    _write(file, name, weights)
            self._write_progress(file)

    def _write_progress(self, file: h5py.File) -> None:
        file["progress"] = json.dumps({"settings": self.settings, "run": asdict(self.state)})

    def _write_history(self) -> None:
        columns = list(dict.fromkeys(name for row in self.state.rows for name in row))
        columns += [name for name in self.state.start or {} if name not in columns]
        write_rows(self.folder / HISTORY, columns, self.history)


def _variables(network) -> dict[str, list]:
    return {"network": network.variables, "optimizer": network.optimizer.variables}


def _write(file, name: str, arrays: list[np.ndarray]) -> None:
    group = file.create_group(name)
    for index, array in enumerate(arrays):
        group[f"{index:05d}"] = array


def _read(group) -> list[np.ndarray]:
    return [group[name][()] for name in sorted(group)]
