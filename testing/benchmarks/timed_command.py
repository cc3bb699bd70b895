"""A command in this process, with the seconds of its stages: `python -m testing.benchmarks.timed_command COMMAND SCAN OUT`.

Prints JSON: the stages, the floor of the networks, and the peak of memory. `batch` is cord, gray matter and centerline of twenty
scans by networks that are loaded once.
"""

from __future__ import annotations

import importlib
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

from spineseg_cli.cli.libraries import import_libraries

STAGES = ("imports", "reading", "search", "networks", "cleaning", "writing")
BATCH = 20

# Where each stage is entered: module, function or class and method, and stage.
ENTRIES = (
    ("spineseg_cli.cli.volumes", "read_scan", "reading"),
    ("spineseg_cli.core.localization.localizer", "search_cord", "search"),
    ("spineseg_cli.core.inference.litert", "LiteRTRuntime.predict", "networks"),
    ("spineseg_cli.core.image.slabs", "SliceCache.range", "networks"),
    ("spineseg_cli.core.image.slabs", "prefetched", "networks"),
    ("spineseg_cli.cli.outputs", "write_output", "writing"),
)
USED = {
    "seg_cord": ("cli.seg_cord", "tasks.cord"),
    "seg_gm": ("cli.seg_gm", "tasks.gray_matter"),
    "get_centerline": ("cli.get_centerline", "tasks.centerline"),
    "batch": ("cohort.network_cache", "tasks.cord", "tasks.gray_matter", "tasks.centerline"),
}


class Clock:
    """Seconds a stage in the main thread, without those of stages within it, and what went through each network in any thread.

    What other threads do ahead takes time only where the main thread waits for it.
    """

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self.windows: Counter[Any] = Counter()
        self._inner = [0.0]
        self._stages = [""]

    def of(self, function: Callable, stage: str) -> Callable:
        """Return a function that is timed."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            if hasattr(args[0], "_interpreters"):
                self.windows[args[0]] += len(args[1])
            # What is prefetched while a file is written is not for the networks.
            if threading.current_thread() is not threading.main_thread() or self._stages[-1] == "writing":
                return function(*args, **kwargs)
            start = time.perf_counter()
            self._inner.append(0.0)
            self._stages.append(stage)
            try:
                result = function(*args, **kwargs)
                return self._steps(result, stage) if isinstance(result, Generator) else result
            finally:
                self._stages.pop()
                passed = time.perf_counter() - start
                self.seconds[stage] += passed - self._inner.pop()
                self._inner[-1] += passed

        return timed

    def _steps(self, values: Generator[Any, None, None], stage: str) -> Iterator[Any]:
        """Yield the values of a generator, with its steps timed."""
        step, end = self.of(next, stage), object()
        while (value := step(values, end)) is not end:
            yield value

    def install(self) -> None:
        """Time the functions of `ENTRIES` wherever they have been imported to."""
        for module, name, stage in ENTRIES:
            owner: Any = importlib.import_module(module)
            *path, last = name.split(".")
            for part in path:
                owner = getattr(owner, part)
            plain = getattr(owner, last)
            replaced = self.of(plain, stage)
            setattr(owner, last, replaced)
            for other in list(sys.modules.values()):
                if getattr(other, "__name__", "").startswith("spineseg_cli") and getattr(other, last, None) is plain:
                    setattr(other, last, replaced)

    def floor(self) -> float:
        """Return the seconds that the same number of windows takes in the same networks, and nothing else."""
        import numpy as np

        total = 0.0
        for runtime, count in self.windows.items():
            some = np.random.default_rng(0).standard_normal((min(count, 64), *runtime._input["shape"][1:-1]), np.float32)
            start = time.perf_counter()

            runtime.predict(some)
            total += (time.perf_counter() - start) * count / len(some)
        return total


def run_batch(scan: str, out: str) -> None:
    """Find cord, gray matter and centerline in a scan, twenty times."""
    from spineseg_cli.cli.outputs import write_output
    from spineseg_cli.cli.volumes import read_scan
    from spineseg_cli.cohort.network_cache import NetworkCache
    from spineseg_cli.tasks.registry import TASKS

    networks = NetworkCache("cpu")
    for _ in range(BATCH):
        (image,) = read_scan(Path(scan))
        for task in ("cord", "gm", "centerline"):
            predictor = networks.predictor(task, TASKS[task].model_name())
            result = TASKS[task].predict(image, predictor, networks.localizer(task, predictor))
            write_output(Path(out), result.cropped_mask, [Path(scan)], {}, 0)
        networks.forget_scan()


def main(command: str, scan: str, out: str) -> None:
    """Run a command on a scan, and print what it took."""
    start = time.clock_gettime(time.CLOCK_BOOTTIME) - _started_s()
    importing = time.perf_counter()
    importlib.import_module("spineseg_cli.cli.common")  # sets what numpy reads when it is loaded
    import_libraries()
    for module in ("core.inference.litert", "core.image.nifti", "weights.model", *USED[command]):
        importlib.import_module(f"spineseg_cli.{module}")
    from ai_edge_litert.interpreter import Interpreter  # noqa: F401

    clock = Clock()
    clock.seconds["imports"] = start + time.perf_counter() - importing
    clock.install()
    working = time.perf_counter()
    if command == "batch":
        run_batch(scan, out)
    else:
        sys.argv = [command, "-i", scan, "-o", out, "-v", "0"]
        entry = importlib.import_module(f"spineseg_cli.cli.{command}").main
        entry(standalone_mode=False)
    passed = time.perf_counter() - working
    clock.seconds["cleaning"] = passed - sum(clock.seconds[stage] for stage in ("reading", "search", "networks", "writing"))
    peak = _peak_megabytes()
    measuring = time.perf_counter()
    floor = clock.floor()
    more = {"floor": floor, "measuring": time.perf_counter() - measuring, "megabytes": peak}
    print(json.dumps({stage: clock.seconds[stage] for stage in STAGES} | more))


def _peak_megabytes() -> float:
    """Return the peak of this process's memory; `getrusage` would count what its parent held when it was started."""
    with open("/proc/self/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM:")) / 1024


def _started_s() -> float:
    """Return when this process was started, in seconds after the machine was."""
    import os

    with open("/proc/self/stat", encoding="ascii") as file:
        return int(file.read().rsplit(")", 1)[1].split()[19]) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main(*sys.argv[1:])
