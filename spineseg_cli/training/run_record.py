"""How long a run has taken, over all of its sessions, and on what."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from spineseg_cli.core.files import write_json


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
