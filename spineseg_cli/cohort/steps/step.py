"""A step of the processing of a scan, and its result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spineseg_cli.cohort.settings import Settings
from spineseg_cli.cohort.steps.context import StepContext


@dataclass(frozen=True)
class StepResult:
    """The result of a step."""

    state: str  # see `ledger.Entry`
    files: tuple[Path, ...] = ()
    message: str = ""  # a message for the user
    facts: dict[str, Any] = field(default_factory=dict)  # numbers for the table of the cohort, as JSON values


@dataclass(frozen=True)
class Step:
    """A step of the processing of a scan."""

    revision: int  # must be increased when the code changes such that equal inputs give another result
    run: Callable[[StepContext], StepResult]
    options: Callable[[Settings], dict[str, Any]]  # returns the settings that the result depends on, as JSON values
    reads: Callable[[StepContext], dict[str, Path]]  # returns the files that the step reads, by a name for each
    # Returns the checksums of the networks that the result depends on.
    weights: Callable[[StepContext], list[str]] = lambda context: []
