"""Runs that are killed at random moments and resumed end with the same bytes as an uninterrupted run."""

import json
import os
import random
import signal
import sys
import time

import pytest

from testing.cohort.cohorts import is_alive, kill, results_of, start_run, subject_names, wait_until, workers_of, write_scans

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

OPTIONS = ("--steps", "cord", "pictures", "--set", "pictures.volume_3d=false", "-v", "1")


@pytest.fixture(scope="module")
def bids(phantom, tmp_path_factory):
    return write_scans(tmp_path_factory.mktemp("bids"), phantom, subject_names(3))


@pytest.fixture(scope="module")
def undisturbed(bids, tmp_path_factory):
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    run = start_run(bids, out, *OPTIONS)
    output, errors = run.communicate(timeout=120)
    assert run.returncode == 0, errors
    assert output.count("  done") == 3
    return results_of(out)


def test_killed_and_resumed(bids, undisturbed, tmp_path):
    """First workers are killed, then the main process with all workers. Two workers give the same bytes as one."""
    rng, out = random.Random(7), tmp_path / "out"
    for victim in ("worker", "driver", "worker", "none"):
        run = start_run(bids, out, *OPTIONS, "--jobs", "2")
        if victim != "none":
            before = len(list(out.glob(".spineseg/sub-*/anat/*.json")))
            wait_until(lambda: run.poll() is not None or len(list(out.glob(".spineseg/sub-*/anat/*.json"))) > before, 60)  # noqa: B023
            time.sleep(rng.uniform(0, 0.3))
            workers = workers_of(run.pid)
            if victim == "worker" and workers:
                kill(rng.choice(workers))
            elif victim == "driver":
                kill(run.pid)
                assert wait_until(lambda: not any(map(is_alive, workers)), 10), "workers end with the driver"  # noqa: B023
        run.communicate(timeout=120)
    assert run.returncode == 0
    assert results_of(out) == undisturbed, "nothing lost, nothing half-written"


def test_ctrl_c_stops_all_of_it_and_says_how_to_go_on(bids, tmp_path):
    out = tmp_path / "out"
    run = start_run(bids, out, *OPTIONS, "--jobs", "2")
    assert wait_until(lambda: list(out.glob(".spineseg/sub-*/anat/*.json")), 60)
    workers, before = workers_of(run.pid), time.monotonic()
    os.killpg(run.pid, signal.SIGINT)
    _, errors = run.communicate(timeout=20)
    assert wait_until(lambda: not any(map(is_alive, workers)), before + 5 - time.monotonic())
    assert run.returncode == -signal.SIGINT
    assert "sessions are finished; the same command goes on from here" in errors
    assert not list(out.rglob(".partial-*"))
    for path in out.glob(".spineseg/sub-*/anat/*.json"):
        json.loads(path.read_text())
