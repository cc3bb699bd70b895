"""The queues (SLURM, SGE, PBS) that start workers on other machines.

What a queue wants to know beside the size of the jobs (its name, an account, a walltime) is read from dask's own settings:
https://jobqueue.dask.org, `~/.config/dask/jobqueue.yaml`. Nothing heavy is imported before a queue is asked for.
"""

from __future__ import annotations

from typing import Any

from spineseg_cli.errors import SpinesegError

# What dask-jobqueue calls each of them.
QUEUES = {"slurm": "SLURMCluster", "sge": "SGECluster", "pbs": "PBSCluster"}


def make_cluster(queue: str, worker_bytes: int):
    """Return a cluster of dask whose workers a queue starts: each job is one worker, with one processor and so much memory.

    Raises SpinesegError if dask-jobqueue is not installed.
    """
    try:
        import dask
        import dask_jobqueue
    except ImportError:
        raise SpinesegError("queues need dask-jobqueue: pip install 'spineseg[cluster]'") from None
    from spineseg_cli.cohort.worker import THREADS_VARIABLE

    kind = getattr(dask_jobqueue, QUEUES[queue])
    megabytes = -(-worker_bytes // 1_000_000)
    options: dict[str, Any] = {"job_script_prologue": [f"export {THREADS_VARIABLE}=1"]}
    from_user = dask.config.get(f"jobqueue.{queue}.scheduler-options", None)
    options["scheduler_options"] = {"dashboard_address": ":0"} | (from_user or {})  # so that two runs do not want one port
    if queue == "sge" and not dask.config.get("jobqueue.sge.resource-spec", None):
        options["resource_spec"] = f"mem_free={megabytes}M"  # SGE alone is not asked for memory otherwise
    return kind(cores=1, processes=1, memory=f"{megabytes} MB", **options)
