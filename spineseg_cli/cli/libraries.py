"""Importing what every command computes with, without what these libraries load beside it and no command uses.

scipy.ndimage is compiled code of a few milliseconds; most of its import goes to NumPy's tests and Fortran compiler, to special
functions, and to notes on other array libraries in docstrings. nibabel loads a web client, and pydicom where it is installed.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import ModuleType
from typing import Any

# Modules that NumPy, nibabel and scipy.ndimage import, and that no command uses: they are loaded when something asks for them.
UNUSED = ("urllib.request", "numpy.f2py", "numpy.testing", "scipy.special")


def import_libraries() -> None:
    """Import NumPy, nibabel and scipy.ndimage; what is imported later finds all modules as they are installed."""
    importlib.import_module("numpy")
    with _put_off(*UNUSED), _without("pydicom"):
        importlib.import_module("nibabel")
        with _without_notes():
            importlib.import_module("scipy.ndimage")


class _Later(ModuleType):
    """A module that is loaded when an attribute of it is asked for."""

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


@contextmanager
def _put_off(*names: str) -> Iterator[None]:
    """Have modules that are not loaded yet loaded later: what imports them in the block gets a stand-in that does it."""
    stand_ins = {name: _Later(name) for name in names if name not in sys.modules}
    packages = {name: importlib.import_module(name.partition(".")[0]) for name in stand_ins}
    for name, stand_in in stand_ins.items():
        sys.modules[name] = stand_in
        setattr(packages[name], name.partition(".")[2], stand_in)
    try:
        yield
    finally:
        for name, stand_in in stand_ins.items():
            if sys.modules.get(name) is stand_in:
                del sys.modules[name]
            if vars(packages[name]).get(name.partition(".")[2]) is stand_in:
                delattr(packages[name], name.partition(".")[2])


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
    """Have SciPy import functions without adding notes to their docstrings, in versions that do."""
    interface = None
    with suppress(ImportError):
        interface = importlib.import_module("scipy._lib._array_api")
    annotate = getattr(interface, "xp_capabilities", None)
    if annotate is None:
        yield
        return
    interface.xp_capabilities = lambda *_, **__: lambda function: function  # type: ignore[union-attr]
    try:
        yield
    finally:
        interface.xp_capabilities = annotate  # type: ignore[union-attr]
