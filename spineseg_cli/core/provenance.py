"""The JSON sidecar beside each output: what made it, from what."""

from __future__ import annotations

import platform
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from spineseg_cli import __version__
from spineseg_cli.core.files import file_sha256, write_json
from spineseg_cli.core.image.names import is_nifti_name, stem_of

_COMMAND = ContextVar("command", default="")

# Libraries that results depend on, as they are imported.
LIBRARIES = ("ai_edge_litert", "keras", "nibabel", "numpy", "scipy", "tensorflow")


def sidecar_path(output: Path) -> Path:
    """Return `scan_gmseg.json` for `scan_gmseg.nii.gz`, and `scores_provenance.json` for a table `scores.csv`.

    A table may be JSON itself, or have a data dictionary of its name beside it, as BIDS has it.
    """
    return output.with_name(f"{stem_of(output.name)}.json" if is_nifti_name(output.name) else f"{output.stem}_provenance.json")


@contextmanager
def running(command: str, arguments: Sequence[str]) -> Iterator[None]:
    """Record that what the block writes is written by a command with these arguments."""
    token = _COMMAND.set(" ".join([command, *([shlex.join(arguments)] if arguments else [])]))
    try:
        yield
    finally:
        _COMMAND.reset(token)


def command_line() -> str:
    """Return the running command with its arguments, to be pasted into a shell; "" where none runs, as from Python."""
    return _COMMAND.get()


def write_sidecar(output: Path, sources: Iterable[Path], details: Mapping[str, Any]) -> None:
    """Write the sidecar of `output`, with BIDS' `GeneratedBy`; it holds no time, so that equal runs give equal files.

    Parameters
    ----------
    output : Path
        The image or table that it belongs to.
    sources : iterable of Path
        The inputs; each is entered with its sha256.
    details : mapping
        What the command decided: model, threshold, and so on.
    """
    generated_by = {
        "Name": "spineseg",
        "Version": __version__,
        **({"CommandLine": command_line()} if command_line() else {}),
        "Python": platform.python_version(),
        "Libraries": {name: sys.modules[name].__version__ for name in LIBRARIES if name in sys.modules},
    }
    content = {
        "GeneratedBy": [generated_by],
        "Sources": [{"File": str(path), "SHA256": file_sha256(path)} for path in sources],
        **details,
    }
    write_json(sidecar_path(output), content)
