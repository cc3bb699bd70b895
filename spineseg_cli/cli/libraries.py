"""Importing what every command computes with, without what these libraries load beside it and no command uses.

scipy.ndimage is compiled code of a few milliseconds; most of its import goes to other parts of NumPy, to special functions, and
to docstrings. nibabel loads a web client, and pydicom where it is installed.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import LazyLoader, find_spec, module_from_spec

# Modules that nibabel and scipy.ndimage import, and that no command uses: they are loaded when something of theirs is asked for.
UNUSED = ("urllib.request", "numpy.f2py", "numpy.ma", "numpy.polynomial", "numpy.testing", "scipy.special")


def import_libraries() -> None:
    """Import NumPy, nibabel and scipy.ndimage; what is imported later finds all modules as they are installed."""
    for name in UNUSED:
        _put_off(name)
    with _without("pydicom"):
        importlib.import_module("nibabel")
    with _without_notes():
        importlib.import_module("scipy.ndimage")


def _put_off(name: str) -> None:
    """Import a module of a package as one that is loaded when an attribute of it is first asked for."""
    spec = None if name in sys.modules else find_spec(name)
    if spec is None or spec.loader is None:
        return
    spec.loader = LazyLoader(spec.loader)
    sys.modules[name] = module = module_from_spec(spec)
    spec.loader.exec_module(module)
    package, _, child = name.rpartition(".")
    setattr(sys.modules[package], child, module)


@contextmanager
def _without(name: str) -> Iterator[None]:
    """Have a module that is not loaded yet taken for one that is not installed: nibabel needs pydicom for DICOM alone."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[name]


@contextmanager
def _without_notes() -> Iterator[None]:
    """Have SciPy write no notes on other array libraries into the docstrings of what it loads, each of which it would parse."""
    array_api = importlib.import_module("scipy._lib._array_api")
    noted = getattr(array_api, "xp_capabilities", None)
    array_api.xp_capabilities = lambda **_: lambda function: function  # type: ignore[attr-defined]
    try:
        yield
    finally:
        array_api.xp_capabilities = noted  # type: ignore[attr-defined]
