"""What a run has left in its folder: how long it took, over all of its sessions, on what, and each epoch's scores."""

from __future__ import annotations

import csv
import json
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from spineseg_cli.core.files import write_json

# The epoch, in the history, of the weights that a run starts from.
START = -1


@dataclass(frozen=True)
class RunRecord:
    """Sessions of a run, kept in its folder; one that was killed is not counted."""

    folder: Path

    @property
    def sessions(self) -> list[dict]:
        """Return each session's hardware and seconds, the first first."""
        path = self._path
        return json.loads(path.read_text(encoding="utf-8"))["sessions"] if path.is_file() else []

    @property
    def hours(self) -> float:
        """Return the hours of all sessions."""
        return sum(session["seconds"] for session in self.sessions) / 3600

    @property
    def hardware(self) -> str:
        """Return what the sessions ran on."""
        return "; ".join(dict.fromkeys(session["hardware"] for session in self.sessions))

    @property
    def history(self) -> list[dict[str, float]]:
        """Return each epoch's row of `history.csv`, without what is empty there; none if there is no such file."""
        path = self.folder / "history.csv"
        if not path.is_file():
            return []
        with open(path, newline="", encoding="utf-8") as file:
            return [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(file)]

    @property
    def kept(self) -> int | None:
        """Return the epoch, counted from 0, of the lowest validation loss, which a run keeps; None without any that is finite."""
        losses = {int(row["epoch"]): row["val_loss"] for row in self.history if math.isfinite(row.get("val_loss", math.nan))}
        return min(losses, key=losses.get) if losses else None

    @property
    def kept_in_words(self) -> str:
        """Return which epoch's weights the run ends with, counted from 1."""
        if self.kept is None:
            return "the last epoch"
        return f"epoch {self.kept + 1}" if self.kept > START else "its start: no epoch was better"

    @contextmanager
    def session(self, hardware: str) -> Iterator[None]:
        """Record the time that the block takes, also if it fails."""
        start = time.monotonic()
        try:
            yield
        finally:
            seconds = round(time.monotonic() - start, 1)
            write_json(self._path, {"sessions": [*self.sessions, {"hardware": hardware, "seconds": seconds}]})

    @property
    def _path(self) -> Path:
        return self.folder / "sessions.json"
