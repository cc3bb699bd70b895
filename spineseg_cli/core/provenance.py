"""The JSON sidecar beside each output, which records how it was made and from which files."""

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
from spineseg_cli.core.image.file_names import is_nifti_name, stem_of

_COMMAND = ContextVar("command", default="")

# Import names of the libraries on which results depend.
LIBRARIES = ("ai_edge_litert", "keras", "nibabel", "numpy", "scipy", "tensorflow")


def sidecar_path(output: Path) -> Path:
    """Return `scan_gmseg.json` for `scan_gmseg.nii.gz`, and `scores_provenance.json` for a table `scores.csv`.

    A table may be JSON itself, or have a data dictionary of the same name beside it, as in BIDS.
    """
    return output.with_name(f"{stem_of(output.name)}.json" if is_nifti_name(output.name) else f"{output.stem}_provenance.json")


@contextmanager
def running(command: str, arguments: Sequence[str]) -> Iterator[None]:
    """Record a command with its arguments as the source of all files written within the context."""
    token = _COMMAND.set(" ".join([command, *([shlex.join(arguments)] if arguments else [])]))
    try:
        yield
    finally:
        _COMMAND.reset(token)


def command_line() -> str:
    """Return the running command with its arguments, quoted for a shell; "" if there is none, as in Python."""
    return _COMMAND.get()


def write_sidecar(output: Path, sources: Iterable[Path], details: Mapping[str, Any]) -> None:
    """Write the sidecar of `output`, with the `GeneratedBy` of BIDS; it has no time, so that equal runs give equal files.

    `sources` are the inputs, which are listed with their sha256; `details` are further entries, such as the model and the
    threshold.
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
