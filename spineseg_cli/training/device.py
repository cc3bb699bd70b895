"""What a run is trained on."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spineseg_cli.core.inference import import_tensorflow, native_stderr_muted
from spineseg_cli.errors import InputError, RuntimeUnavailableError


@contextmanager
def training_device(device: str = "auto") -> Iterator[str]:
    """Train what the block trains on "cpu", "gpu", or "auto", a GPU if there is one; yield the hardware in words.

    Raises
    ------
    RuntimeUnavailableError
        If there is no GPU, and one was asked for.
    InputError
        If the block runs out of the device's memory.
    """
    with native_stderr_muted():
        tensorflow = import_tensorflow()
        gpus = tensorflow.config.list_physical_devices("GPU") if device != "cpu" else []
    if device == "gpu" and not gpus:
        raise RuntimeUnavailableError("asked for a GPU, but TensorFlow sees none: use --device cpu")
    try:
        with tensorflow.device("/GPU:0" if gpus else "/CPU:0"):
            yield tensorflow.config.experimental.get_device_details(gpus[0]).get("device_name", "a GPU") if gpus else _processor()
    except tensorflow.errors.ResourceExhaustedError as error:
        raise InputError("out of memory while training: use a smaller --batch, and another --out") from error


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    names = [line for line in info.read_text().splitlines() if line.startswith("model name")] if info.is_file() else []
    name = names[0].partition(":")[2].strip() if names else platform.processor() or platform.machine()
    return f"{os.cpu_count()} cores of {name}"
