"""How much memory a session needs, from its scans' headers, so that workers together do not need more than there is."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import nibabel as nib

from spineseg_cli.cohort.bids import Scan

# Of a worker with its networks, and for each voxel of its largest scan. On scans of 1 to 4 million voxels the peak was 210 MB and
# 41 bytes a voxel at most; a margin is added.
WORKER_BYTES = 300 << 20
BYTES_A_VOXEL = 60

# Of the memory that is free, what a run takes at most.
FREE_FRACTION = 0.8


def needed_bytes(scans: Iterable[Scan]) -> int:
    """Return an upper bound of what a worker needs for the largest of some scans; a header that cannot be read needs nothing."""
    return WORKER_BYTES + BYTES_A_VOXEL * max((_voxels(scan) for scan in scans), default=0)


def available_bytes() -> int:
    """Return the memory that is free for a run on this machine; 4 GB where the system does not say."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            fields = dict(line.split(":") for line in file)
        free = int(fields["MemAvailable"].split()[0]) << 10
    except (OSError, KeyError, ValueError):
        free = 4 << 30
    return int(min(free, _group_limit()) * FREE_FRACTION)


def usable_processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _group_limit() -> int:
    """Return the memory limit that a cluster or a container has set for this process."""
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            with open(path, encoding="ascii") as file:
                return int(file.read())
        except (OSError, ValueError):  # "max": no limit
            continue
    return 1 << 62


def _voxels(scan: Scan) -> int:
    try:
        image: Any = nib.load(scan.path)
        shape = image.shape
    except Exception:  # the session itself will say what is wrong
        return 0
    count = 1
    for length in shape:
        count *= int(length)
    return count
