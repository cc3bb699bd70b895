"""The device that a run is trained on."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from spineseg_cli.core.inference.runtime import find_gpus, import_tensorflow, native_stderr_muted
from spineseg_cli.errors import InputError, RuntimeUnavailableError


@contextmanager
def training_device(device: str = "auto", gpus: int | str = 1) -> Iterator[str]:
    """Run a block on a device, and yield a description of the hardware.

    Raises RuntimeUnavailableError if there are fewer GPUs than were asked for, and InputError if the block runs out of the
    device's memory.

    With the `device` "auto", a GPU is taken if there is one. `gpus` is their number; with "all" there may also be none: see
    `training.distributed`.
    """
    with native_stderr_muted():
        tensorflow = import_tensorflow()
        devices = find_gpus(tensorflow, device)
    wanted = len(devices) if gpus == "all" else int(gpus)
    if wanted > max(len(devices), 1):
        seen = "--device cpu was asked for too" if device == "cpu" else f"TensorFlow sees {len(devices)}"
        raise RuntimeUnavailableError(f"asked for {wanted} GPUs, but {seen}: use --gpus all, which takes those that there are")
    try:
        if wanted > 1:
            with _strategy(wanted).scope():
                yield f"{wanted} x {_gpu(devices[0])}"
        else:
            with tensorflow.device("/GPU:0" if devices else "/CPU:0"):
                yield _gpu(devices[0]) if devices else _processor()
    except tensorflow.errors.ResourceExhaustedError as error:
        raise InputError("out of memory while training: use a smaller --batch, and another --out") from error


@cache
def _strategy(gpus: int):
    """Return the TensorFlow strategy for a number of GPUs.

    It is cached, since two strategies in one process mix up their sums.
    """
    import tensorflow

    return tensorflow.distribute.MirroredStrategy([f"GPU:{index}" for index in range(gpus)])


def _gpu(physical) -> str:
    from tensorflow.config.experimental import get_device_details

    return get_device_details(physical).get("device_name", "a GPU")


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    names = [line for line in info.read_text().splitlines() if line.startswith("model name")] if info.is_file() else []
    name = names[0].partition(":")[2].strip() if names else platform.processor() or platform.machine()
    return f"{os.cpu_count()} cores of {name}"
