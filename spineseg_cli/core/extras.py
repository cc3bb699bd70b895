"""Libraries that a light install lacks, with the extra that installs each."""

from __future__ import annotations

import importlib.util
from functools import cache

from spineseg_cli.errors import RuntimeUnavailableError

EXTRAS = {
    "tensorflow": "train",
    "keras": "train",
    "pydantic": "train",
    "yaml": "train",
    "ai_edge_quantizer": "ship",
    "matplotlib": "plot",
    "skimage": "metrics",
}
NAMES = {
    "ai_edge_quantizer": "ai-edge-quantizer",
    "keras": "Keras",
    "skimage": "scikit-image",
    "tensorflow": "TensorFlow",
    "yaml": "PyYAML",
}


@cache
def is_installed(module: str) -> bool:
    """Return whether a module can be imported, without importing it."""
    return importlib.util.find_spec(module) is not None


def require(what: str, *modules: str) -> None:
    """Check that libraries of an extra are installed, without importing them.

    Raises RuntimeUnavailableError if one is not installed; the message says how to install it.

    `what` is the subject of the error message, such as "finetune"; `modules` are keys of `EXTRAS`.
    """
    missing = [module for module in modules if not is_installed(module)]
    if missing:
        *first, last = (NAMES.get(module, module) for module in missing)
        names = f"{', '.join(first)} and {last}" if first else last
        extras = {EXTRAS[module] for module in missing}
        extra = "train" if "train" in extras else ",".join(sorted(extras))  # includes all others
        raise RuntimeUnavailableError(
            f"{what} needs {names}, which this light install lacks: pip install 'spineseg[{extra}]', or run "
            "./install_sct_like.sh without --light"
        )
