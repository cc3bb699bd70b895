"""The sessions of a run: how long it was trained, and on what."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from spineseg_cli.core.files import write_json


@dataclass(frozen=True)
class Sessions:
    """The sessions that a run was trained in, in order; each is a call of the command.

    Parameters
    ----------
    path : Path
        The JSON file that holds them; there is none before the first has ended.
    """

    path: Path

    @contextmanager
    def record(self, hardware: str) -> Iterator[None]:
        """Record the time that the block takes, also if it fails; a session that is killed is not counted."""
        start = time.monotonic()
        try:
            yield
        finally:
            session = {"hardware": hardware, "seconds": round(time.monotonic() - start, 1)}
            write_json(self.path, {"sessions": [*self.all, session]})

    @property
    def all(self) -> list[dict]:
        """Each session's hardware and seconds."""
        return json.loads(self.path.read_text(encoding="utf-8"))["sessions"] if self.path.is_file() else []

    @property
    def hours(self) -> float:
        """The hours of all sessions."""
        return sum(session["seconds"] for session in self.all) / 3600

    @property
    def hardware(self) -> str:
        """What they ran on."""
        return "; ".join(dict.fromkeys(session["hardware"] for session in self.all))
