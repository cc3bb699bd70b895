"""The queues (SLURM, SGE, PBS) that start workers on other machines.

Other settings of a queue than the size of the jobs, such as its name, an account or a walltime, are read from the settings of
dask: https://jobqueue.dask.org, `~/.config/dask/jobqueue.yaml`. This module is light enough for `spineseg -h`.
"""

from __future__ import annotations

import shutil
from typing import Any

from spineseg_cli.errors import SpinesegError

# The class of dask-jobqueue for each queue.
QUEUES = {"slurm": "SLURMCluster", "sge": "SGECluster", "pbs": "PBSCluster"}

# The program that takes jobs for each queue.
SUBMIT = {"slurm": "sbatch", "sge": "qsub", "pbs": "qsub"}


def check_queue(queue: str) -> None:
    """Raise SpinesegError if jobs cannot be submitted to a queue from this machine: dask would wait for its workers forever."""
    if shutil.which(SUBMIT[queue]) is None:
        raise SpinesegError(f"no job can be given to {queue} here: there is no {SUBMIT[queue]}; use a login node of it")


def make_cluster(queue: str, worker_bytes: int):
    """Return a dask cluster whose workers are started by a queue; each job is one worker with one processor and `worker_bytes`.

    Raises SpinesegError if dask-jobqueue is not installed.
    """
    try:
        import dask
        import dask_jobqueue
    except ImportError:
        raise SpinesegError("queues need dask-jobqueue: pip install 'spineseg[cluster]'") from None
    from spineseg_cli.core.inference.litert import THREADS_VARIABLE

    kind = getattr(dask_jobqueue, QUEUES[queue])
    megabytes = -(-worker_bytes // 1_000_000)
    options: dict[str, Any] = {"job_script_prologue": [f"export {THREADS_VARIABLE}=1"]}
    from_user = dask.config.get(f"jobqueue.{queue}.scheduler-options", None)
    options["scheduler_options"] = {"dashboard_address": ":0"} | (from_user or {})  # a free port, so that runs do not collide
    if queue == "sge" and not dask.config.get("jobqueue.sge.resource-spec", None):
        options["resource_spec"] = f"mem_free={megabytes}M"  # dask-jobqueue passes `memory` to the other queues only
    return kind(cores=1, processes=1, memory=f"{megabytes} MB", **options)
