"""Restriction of NumPy's linear algebra to one thread.

Windows are small matrices. OpenBLAS divides them among threads that wait for each other, which on a busy machine takes ten times
as long. The commands set an environment variable before NumPy is loaded; in Python, it is already loaded.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

# Names of the functions of OpenBLAS in the packages of NumPy and elsewhere; {} stands for "get" or "set".
NAMES = ("scipy_openblas_{}_num_threads64_", "openblas_{}_num_threads64_", "openblas_{}_num_threads")


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Restrict the OpenBLAS that comes with NumPy to one thread within the context; other libraries are not affected."""
    threads = thread_functions()
    if threads is None:
        yield
        return
    get, set_to = threads
    before = get()
    set_to(1)
    try:
        yield
    finally:
        set_to(before)


@cache
def thread_functions() -> tuple[Any, Any] | None:
    """Return the functions that get and set the number of threads; None if NumPy does not use OpenBLAS."""
    package = Path(np.__file__).parent
    for file in [*package.with_name("numpy.libs").glob("*openblas*"), *(package / ".dylibs").glob("*openblas*")]:
        with suppress(OSError):
            library = ctypes.CDLL(str(file))  # loaded already: this is the one that NumPy uses
            for name in NAMES:
                if hasattr(library, name.format("set")):
                    return getattr(library, name.format("get")), getattr(library, name.format("set"))
    return None
