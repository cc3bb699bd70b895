"""Fast import of NumPy, nibabel and scipy.ndimage, without modules that they import but no command uses.

The compiled code of scipy.ndimage loads in a few milliseconds; most of its import time is spent on other parts of NumPy, on
special functions, and on docstrings. nibabel imports a web client, and pydicom if that is installed.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import LazyLoader, find_spec, module_from_spec
from types import ModuleType
from typing import Any

# Modules that nibabel and scipy.ndimage import but no command uses; they are loaded when one of their attributes is accessed.
UNUSED = ("urllib.request", "numpy.f2py", "numpy.polynomial", "numpy.testing", "scipy.special")


def import_libraries() -> None:
    """Import NumPy, nibabel and scipy.ndimage; later imports are not affected."""
    for name in UNUSED:
        _import_lazily(name)
    if "numpy.ma" not in sys.modules:
        importlib.import_module("numpy").ma = sys.modules["numpy.ma"] = _MaskedArrays("numpy.ma")  # type: ignore[attr-defined]
    with _hidden("pydicom"):
        importlib.import_module("nibabel")
    with _without_docstring_notes():
        importlib.import_module("scipy.ndimage")


def _import_lazily(name: str) -> None:
    """Import a module of a package lazily: it is loaded when one of its attributes is first accessed."""
    spec = None if name in sys.modules else find_spec(name)
    if spec is None or spec.loader is None:
        return
    spec.loader = LazyLoader(spec.loader)
    sys.modules[name] = module = module_from_spec(spec)
    spec.loader.exec_module(module)
    package, _, child = name.rpartition(".")
    setattr(sys.modules[package], child, module)


class _MaskedArrays(ModuleType):
    """The module `numpy.ma`, which is loaded when an attribute is accessed that is not defined here.

    NumPy's `unique`, `median` and `percentile` ask it whether an array is masked, which none is before it is loaded.
    """

    def is_masked(self, values: object) -> bool:
        """Return whether an array has masked values."""
        return self._is_loaded and self.__getattr__("is_masked")(values)

    def isMaskedArray(self, values: object) -> bool:  # noqa: N802
        """Return whether an array can have masked values."""
        return self._is_loaded and self.__getattr__("isMaskedArray")(values)

    @property
    def _is_loaded(self) -> bool:
        return "numpy.ma.core" in sys.modules

    def __getattr__(self, name: str) -> Any:
        if sys.modules[self.__name__] is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


@contextmanager
def _hidden(name: str) -> Iterator[None]:
    """Hide a module that is not loaded yet, as if it were not installed; nibabel needs pydicom only for DICOM files."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[name]


@contextmanager
def _without_docstring_notes() -> Iterator[None]:
    """Keep SciPy from adding notes on other array libraries to docstrings, each of which it would parse."""
    array_api = importlib.import_module("scipy._lib._array_api")
    original = getattr(array_api, "xp_capabilities", None)
    array_api.xp_capabilities = lambda **_: lambda function: function  # type: ignore[attr-defined]
    try:
        yield
    finally:
        array_api.xp_capabilities = original  # type: ignore[attr-defined]
