"""How much memory a session needs, from its scans' headers, so that workers together do not need more than there is."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable

from spineseg_cli.cohort.bids import Scan
from spineseg_cli.core.image.nifti_file import open_nifti
from spineseg_cli.errors import InputError

# Of a worker with its networks, for each voxel of its largest scan, and for each voxel of its further volumes, which are read but
# not worked on one by one. Measured peaks: 179 MB for 0.3 million voxels, 247 for 1.7, 340 to 367 for 4.3, 1223 for 25.6; 246 for
# 12 volumes of 1.7. That is 170 MB and 46 bytes a voxel at most; a third is added.
WORKER_BYTES = 230 << 20
BYTES_A_VOXEL = 60
BYTES_A_FURTHER_VOXEL = 12

# Of the memory that is free, what a run takes at most.
FREE_FRACTION = 0.8


def needed_bytes(scans: Iterable[Scan]) -> int:
    """Return an upper bound of what a worker needs for the largest of some scans; a header that cannot be read needs nothing."""
    return WORKER_BYTES + max((_bytes(scan) for scan in scans), default=0)


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


def _bytes(scan: Scan) -> int:
    try:
        with open_nifti(scan.path) as file:
            shape = file.shape
    except InputError:  # the session itself will say what is wrong
        return 0
    of_one, further = math.prod(map(int, shape[:3])), math.prod(map(int, shape[3:])) - 1
    return of_one * (BYTES_A_VOXEL + max(further, 0) * BYTES_A_FURTHER_VOXEL)
