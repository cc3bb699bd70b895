"""Sixty sessions, killed twenty times and resumed: `python -m testing.benchmarks.cohort_killed`.

Phantoms, real scans (if `$SPINESEG_SHARED` has them) and broken files. Every second run has the workers of a dask scheduler,
the others have their own. At random moments a worker, the scheduler or the driver is killed (without a dask scheduler, the
driver is the scheduler as well). At the end every byte is compared with that of an undisturbed run, tables and page among them,
and what was finished at a kill must not have been touched again.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from spineseg_cli.core.image.nifti import write_volume
from spineseg_cli.synthesis.phantom import make_phantom
from testing.cohort.cohorts import is_alive, kill, results_of, start_run, wait_until, workers_of
from testing.scans import development_data

ROOT = Path(__file__).resolve().parents[2]
REAL = (
    "gm_challenge/sub-9604/anat/sub-9604_run-1_T2starw.nii.gz",
    "gm_challenge/sub-9669/anat/sub-9669_run-1_T2starw.nii.gz",
    "errsm/sub-errsm21/anat/sub-errsm21_T2star.nii.gz",
    "errsm/sub-errsm11/anat/sub-errsm11_acq-C2C5_T1w.nii.gz",
    "errsm/sub-errsm11/anat/sub-errsm11_acq-C2C5_T2w.nii.gz",
    "spider/sub-spider022/anat/sub-spider022_T2w.nii.gz",
)


def write_cohort(bids: Path, sessions: int) -> None:
    """Write the sessions: real scans first, then broken files, then phantoms of several sizes."""
    shared = development_data() / "dev"
    names = [f"sub-{i:02d}/ses-{i % 2 + 1}/anat/sub-{i:02d}_ses-{i % 2 + 1}_T2star.nii.gz" for i in range(1, sessions + 1)]
    pending = iter(names)
    for real in REAL:
        if (shared / real).is_file():
            path = bids / next(pending)
            path.parent.mkdir(parents=True)
            shutil.copyfile(shared / real, path)
    phantom = make_phantom(region=(40, 70), spacing_mm=(0.5, 0.5, 5.0), fov_mm=(48.0, 48.0), seed=0).image
    whole = bids / next(pending)
    write_volume(whole, phantom)
    content = whole.read_bytes()
    write_volume(bids / next(pending), phantom.with_data(phantom.data * np.float32(np.nan)))
    noise = np.random.default_rng(0).random(phantom.shape, np.float32)
    write_volume(bids / next(pending), phantom.with_data(noise))
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
    for broken in (content[: len(content) // 2], b"no image", pointer):
        path = bids / next(pending)
        path.parent.mkdir(parents=True)
        path.write_bytes(broken)
    for i, name in enumerate(pending):
        region = (30 + i % 20, 50 + i % 20 + i % 3 * 10)
        write_volume(bids / name, make_phantom(region=region, fov_mm=(48.0, 48.0), seed=i, size_scale=0.9 + i % 5 / 20).image)


class Run:
    """A run of the participant level that can be killed in each of its parts.

    With a `folder`, a dask scheduler is started with its workers, whose files go there; without it, the run has its own workers.
    """

    def __init__(self, bids: Path, out: Path, jobs: int, folder: Path | None = None):
        self.jobs, self.contact = jobs, folder and folder / f"scheduler{time.monotonic_ns()}.json"
        self.started: dict[str, list[subprocess.Popen]] = {"scheduler": [], "worker": []}
        options: tuple = ("--jobs", str(jobs))
        if self.contact:
            self._dask("scheduler", "--port", "0", "--host", "127.0.0.1", "--no-dashboard")
            if not wait_until(self.contact.is_file, 60):
                raise click.ClickException("no dask scheduler starts")
            self._replace_workers()
            options = ("--scheduler", json.loads(self.contact.read_text())["address"])
        self.driver = start_run(bids, out, *options, "-v", "0")

    def victims(self) -> dict[str, list[int]]:
        """Return the processes that can be killed now, by what they are."""
        found = {
            name: [process.pid for process in processes if process.poll() is None] for name, processes in self.started.items()
        }
        if not self.contact:
            found["worker"] = [pid for pid in workers_of(self.driver.pid) if b"spawn_main" in _command_of(pid)]
        found["driver"] = [self.driver.pid] if self.driver.poll() is None else []
        return {name: pids for name, pids in found.items() if pids}

    def kill(self, kind: str, pid: int) -> None:
        """Kill one of the processes, and wait until those that cannot go on without it have ended."""
        workers = self.victims().get("worker", [])
        kill(pid)
        if kind == "worker" and self.contact:
            wait_until(lambda: all(process.poll() is not None for process in self.started["worker"] if process.pid == pid), 20)
            self._replace_workers()
        elif kind == "scheduler":
            self.driver.communicate(timeout=120)
            self.end()
        elif kind == "driver":
            if not self.contact:
                wait_until(lambda: not any(map(is_alive, workers)), 20)
            self.end()

    def end(self) -> None:
        """Wait for the driver, and end what was started beside it."""
        self.driver.communicate()
        for process in [*self.started["worker"], *self.started["scheduler"]]:
            process.kill()
            process.wait()

    def _replace_workers(self) -> None:
        """Start workers until there are as many as there should be, as a queue does."""
        for _ in range(self.jobs - sum(process.poll() is None for process in self.started["worker"])):
            self._dask("worker", "--no-nanny", "--nthreads", "1", "--no-dashboard", "--memory-limit", "0")

    def _dask(self, kind: str, *options: str) -> None:
        command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", "--scheduler-file", str(self.contact), *options]
        environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment, cwd=ROOT)
        self.started[kind].append(process)


def _command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def ledgers(out: Path) -> list[Path]:
    """The ledgers that there are."""
    return list(out.glob(".spineseg/sub-*/ses-*/anat/*.json"))


def finished(out: Path) -> dict[Path, int]:
    """When each ledger in which the last step is done was written."""
    return {path: path.stat().st_mtime_ns for path in ledgers(out) if '"pictures"' in path.read_text()}


def in_work(out: Path) -> int:
    """How many sessions are begun, and neither finished nor failed."""
    texts = [path.read_text() for path in ledgers(out)]
    return sum('"pictures"' not in text and '"failed"' not in text for text in texts)


@click.command()
@click.option("--sessions", default=60, show_default=True)
@click.option("--kills", default=20, show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option("--jobs", default=2, show_default=True)
def main(sessions: int, kills: int, seed: int, jobs: int) -> None:
    """Print what was killed, how much was finished then, and whether the results are the same."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bids, reference, out = (folder / name for name in ("bids", "reference", "out"))
        write_cohort(bids, sessions)
        start = time.monotonic()
        run = Run(bids, reference, jobs)
        run.end()
        seconds = time.monotonic() - start
        click.echo(f"undisturbed: {seconds:.0f} s, {len(finished(reference))} of {sessions} finished, {run.driver.returncode=}")
        kept: dict[Path, int] = {}
        done, lost, most, runs = 0, 0, 0, 0
        while done < kills and len(kept) < len(finished(reference)):
            run = Run(bids, out, jobs, folder if runs % 2 else None)
            runs += 1
            while run.driver.poll() is None and done < kills:
                before = len(ledgers(out))
                wait_until(lambda: run.driver.poll() is not None or len(ledgers(out)) > before, 60)  # noqa: B023
                time.sleep(rng.uniform(0, 2 * seconds / sessions))
                victims = run.victims()
                if "driver" not in victims or "worker" not in victims:
                    continue
                kind = rng.choice(sorted(victims))
                run.kill(kind, rng.choice(victims[kind]))
                done += 1
                now = finished(out)
                lost += sum(now.get(path) != stamp for path, stamp in kept.items())
                most = max(most, in_work(out))
                kept |= now
                where = "a dask scheduler" if run.contact else "its own workers"
                click.echo(f"kill {done}, of a run with {where}: {kind}; {len(now)} finished, {in_work(out)} in work")
            run.end()
        for where in (out, out):
            run = Run(bids, where, jobs)
            run.end()
        now = finished(out)
        lost += sum(now.get(path) != stamp for path, stamp in kept.items())
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        for where in (reference, out):
            command = [sys.executable, "-m", "spineseg_cli.cli.spineseg", str(bids), str(where), "group", "-v", "0"]
            subprocess.run(command, check=False, stderr=subprocess.DEVNULL, env=environment, cwd=ROOT)
        first, second = results_of(reference), results_of(out)
        differ = sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))
        click.echo(f"{done} kills in {runs} runs of {jobs} workers; {len(first)} files, {len(differ)} differ {differ[:5]}")
        click.echo(f"{lost} finished sessions were worked on again; at most {most} in work at a kill")
        click.echo(f"half-written files left: {len(list(out.rglob('.partial-*')))}")


if __name__ == "__main__":
    main()
