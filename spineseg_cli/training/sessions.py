"""The sessions of a run: training times and hardware."""

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
    """The sessions in which a run was trained, in order. A session is one call of the command."""

    path: Path  # the JSON file of the sessions, which does not exist before the first session has ended

    @contextmanager
    def record(self, hardware: str) -> Iterator[None]:
        """Record the time that the block takes, even if it fails. A session that is killed is not recorded."""
        start = time.monotonic()
        try:
            yield
        finally:
            session = {"hardware": hardware, "seconds": round(time.monotonic() - start, 1)}
            write_json(self.path, {"sessions": [*self.all, session]})

    @property
    def all(self) -> list[dict]:
        """The hardware and the seconds of each session."""
        return json.loads(self.path.read_text(encoding="utf-8"))["sessions"] if self.path.is_file() else []

    @property
    def hours(self) -> float:
        """The hours of all sessions together."""
        return sum(session["seconds"] for session in self.all) / 3600

    @property
    def hardware(self) -> str:
        """The hardware of all sessions, each once."""
        return "; ".join(dict.fromkeys(session["hardware"] for session in self.all))
