"""Cohorts for tests: small BIDS folders of phantoms, and runs of `spineseg` over them as other processes."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from spineseg_cli.cohort.network_cache import NetworkCache
from spineseg_cli.cohort.session import run_session
from spineseg_cli.core.image.nifti import write_volume
from testing.stopping import start


class Here:
    """A pool that works in this process."""

    def __init__(self, jobs, device="auto"):
        self.networks = NetworkCache(device)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def run(self, jobs):
        return (run_session(job, self.networks) for job in jobs)


def write_scans(root: Path, phantom, names, seed: int = 0) -> Path:
    """Write the image of a phantom to several paths, such as `sub-01/anat/sub-01_T2star.nii.gz`, each with different noise."""
    rng = np.random.default_rng(seed)
    for name in names:
        noise = rng.normal(0, 1, phantom.image.shape).astype(np.float32)
        write_volume(root / name, phantom.image.with_data(phantom.image.data + noise))
    return root


def subject_names(count: int) -> list[str]:
    """Return the paths of T2*w scans of `count` subjects."""
    return [f"sub-{i:02d}/anat/sub-{i:02d}_T2star.nii.gz" for i in range(1, count + 1)]


def results_of(out: Path) -> dict[str, str]:
    """Return the sha256 of every file that a run has written, except for its logs."""
    files = sorted(path for path in out.rglob("*") if path.is_file() and path.relative_to(out).parts[0] != "logs")
    return {path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def start_run(bids: Path, out: Path, *options):
    """Start `spineseg BIDS OUT participant` in a process group of its own."""
    root = str(Path(__file__).parents[2])
    environment = os.environ | {"PYTHONPATH": root, "OMP_NUM_THREADS": "1"}
    return start(sys.executable, "-m", "spineseg_cli.cli.spineseg", bids, out, "participant", *options, env=environment, cwd=root)


def workers_of(driver: int) -> list[int]:
    """Return the processes that the main process of a run has started."""
    try:
        return [int(pid) for pid in Path(f"/proc/{driver}/task/{driver}/children").read_text().split()]
    except OSError:
        return []


def is_alive(pid: int) -> bool:
    """Return whether a process exists and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def kill(pid: int) -> None:
    """Kill a process that may have ended already."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def wait_until(condition, seconds: float = 30.0) -> bool:
    """Wait until a condition is true, and return whether it is."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
