"""Estimates of the memory that a session needs, so that simultaneous workers do not need more than is available."""

from __future__ import annotations

import math
from collections.abc import Iterable

from spineseg_cli.cohort.bids import Scan
from spineseg_cli.core.image.nifti_file import open_nifti
from spineseg_cli.errors import InputError

# Memory of a worker with its networks, for each voxel of its largest scan, and for each voxel of further volumes, which are
# read but not processed one by one. Measured peaks: 179 MB for 0.3 million voxels, 247 for 1.7, 340 to 367 for 4.3, 1223 for
# 25.6; 246 for 12 volumes of 1.7. That is at most 170 MB and 46 bytes per voxel, to which a third is added.
WORKER_BYTES = 230 << 20
BYTES_A_VOXEL = 60
BYTES_A_FURTHER_VOXEL = 12

# The largest fraction of the free memory that a run takes.
FREE_FRACTION = 0.8


def needed_bytes(scans: Iterable[Scan]) -> int:
    """Return an upper bound of the memory that a worker needs for the largest of some scans; unreadable scans are ignored."""
    return WORKER_BYTES + max((_bytes(scan) for scan in scans), default=0)


def available_bytes() -> int:
    """Return the memory that is available to a run on this machine; 4 GB where the system does not report it."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            fields = dict(line.split(":") for line in file)
        free = int(fields["MemAvailable"].split()[0]) << 10
    except (OSError, KeyError, ValueError):
        free = 4 << 30
    return int(min(free, _group_limit()) * FREE_FRACTION)


def _group_limit() -> int:
    """Return the memory limit that a cluster or container sets for this process."""
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
    except InputError:  # reported when the session is processed
        return 0
    of_one, further = math.prod(map(int, shape[:3])), math.prod(map(int, shape[3:])) - 1
    return of_one * (BYTES_A_VOXEL + max(further, 0) * BYTES_A_FURTHER_VOXEL)
