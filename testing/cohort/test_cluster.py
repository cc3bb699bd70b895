"""Sessions on dask workers: a running scheduler, and workers that a queue starts."""

import json
import os
import re
import subprocess
import sys
import threading

import pytest

pytest.importorskip("distributed", reason="dask, of the extra cluster, is not installed")

from spineseg_cli.cohort import cluster, queues
from spineseg_cli.cohort.participant import make_plan, run_plan
from spineseg_cli.cohort.selection import Selection
from spineseg_cli.cohort.settings import read_settings
from spineseg_cli.errors import SpinesegError
from testing.cohort.cohorts import results_of, subject_names, wait_until, write_scans

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:distributed"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
SETTINGS = read_settings(None, ["steps=cord"])

# What stands for `sbatch`: it copies the job's script, which is deleted after the call, starts it here, and says its number.
SBATCH = """#!/usr/bin/env bash
job=$(mktemp "$(dirname "$0")/job.XXXXXX")
cp "$1" "$job"
setsid bash "$job" >"$job.log" 2>&1 &
echo "Submitted batch job $!"
"""
SCANCEL = "#!/usr/bin/env bash\nkill -- -$1 2>/dev/null || true\n"


def test_a_scheduler_that_runs(work):
    from distributed import LocalCluster

    work.run(steps="cord")
    expected, loaded = results_of(work.out), len(work.networks)
    out = work.out.with_name("other")
    plan = make_plan(work.bids, out, Selection(), read_settings(None, ["steps=cord", "pictures.volume_3d=false"]))
    with (
        LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0") as local,
        cluster.ClusterPool(plan, jobs=2, address=local.scheduler_address) as pool,
    ):
        results = list(run_plan(plan, pool))
    assert sorted(result.session for result in results) == ["sub-01", "sub-02/ses-1"]
    assert not any(result.failed for result in results)
    assert len(work.networks) == 2 * loaded, "the worker loads its networks once, as one process does"
    own = ("dataset_description.json", "README.md", ".bidsignore", ".spineseg/lock")
    assert {name: digest for name, digest in results_of(out).items() if name not in own} == expected


def test_a_scheduler_that_does_not_answer(tmp_path, phantom, monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT_S", 1)
    plan = make_plan(write_scans(tmp_path / "bids", phantom, subject_names(1)), tmp_path / "out", Selection(), SETTINGS)
    with pytest.raises(SpinesegError, match="no dask scheduler answers at tcp://127.0.0.1:9"):
        cluster.ClusterPool(plan, jobs=1, address="tcp://127.0.0.1:9")


def test_a_scheduler_that_is_killed(tmp_path, phantom):
    """It is a process of its own, without workers, so that the sessions wait for it."""
    import dask

    plan = make_plan(write_scans(tmp_path / "bids", phantom, subject_names(2)), tmp_path / "out", Selection(), SETTINGS)
    contact = tmp_path / "scheduler.json"
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", "0", "--host", "127.0.0.1", "--no-dashboard"]
    with (
        subprocess.Popen([*command, "--scheduler-file", contact], stderr=subprocess.DEVNULL) as scheduler,
        dask.config.set({"distributed.comm.timeouts.connect": "1s"}),
    ):
        try:
            assert wait_until(lambda: contact.is_file() and contact.read_text().rstrip().endswith("}"), 60), "it is written whole"
            with cluster.ClusterPool(plan, jobs=1, address=json.loads(contact.read_text())["address"]) as pool:
                threading.Timer(1, scheduler.kill).start()
                with pytest.raises(SpinesegError, match="connection to the dask scheduler at tcp://.* is lost; start it again"):
                    list(run_plan(plan, pool))
        finally:
            scheduler.kill()


# What each queue documents: how a job's script names its time, and its processors and memory.
DIRECTIVES = {
    "slurm": ("#SBATCH", [r"-n 1", r"--cpus-per-task=1", r"--mem=716M", r"-t \d+:\d\d:\d\d"]),
    "sge": ("#$", [r"-l h_rt=\d+:\d\d:\d\d", r"-l mem_free=750M", r"-cwd"]),
    "pbs": ("#PBS", [r"-l select=1:ncpus=1:mem=716MB", r"-l walltime=\d+:\d\d:\d\d"]),
}


@pytest.mark.parametrize("queue", DIRECTIVES)
def test_what_a_queue_is_asked_for(queue, tmp_path):
    pytest.importorskip("dask_jobqueue", reason="dask-jobqueue, of the extra cluster, is not installed")
    with queues.make_cluster(queue, 750_000_000) as made:
        script = made.job_script()
    prefix, expected = DIRECTIVES[queue]
    directives = [line.removeprefix(prefix).strip() for line in script.splitlines() if line.startswith(prefix)]
    for pattern in expected:
        assert [line for line in directives if re.fullmatch(pattern, line)], (pattern, directives)
    commands = [line for line in script.splitlines() if line and not line.startswith("#")]
    assert commands[0] == "export SPINESEG_THREADS=1"
    assert "--nthreads 1" in commands[-1]
    assert len(commands) == 2, "a directive after the first command would not count"
    path = tmp_path / "job.sh"
    path.write_text(script)
    subprocess.run(["bash", "-n", path], check=True)


def test_a_queue_that_is_not_here_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SpinesegError, match="there is no sbatch; use a login node of it"):
        queues.check_queue("slurm")


def test_workers_that_a_queue_starts(tmp_path, phantom, monkeypatch):
    pytest.importorskip("dask_jobqueue", reason="dask-jobqueue, of the extra cluster, is not installed")
    for name, text in (("sbatch", SBATCH), ("scancel", SCANCEL)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    bids = write_scans(tmp_path / "bids", phantom, subject_names(2))
    plan = make_plan(bids, tmp_path / "out", Selection(), SETTINGS)
    with cluster.ClusterPool(plan, jobs=1, queue="slurm") as pool:
        results = list(run_plan(plan, pool))
    assert [result.failed for result in results] == [False, False]
    assert (tmp_path / "out/sub-02/anat/sub-02_T2star_label-SC_seg.nii.gz").is_file()
