"""Sixty sessions, killed twenty times and resumed: `python testing/benchmarks/cohort_killed.py`.

Phantoms, real scans (if `$SPINESEG_SHARED` has them) and broken files, worked through by two workers. At random moments a worker
is killed, or the driver, which is the scheduler as well. At the end every byte is compared with that of an undisturbed run, and
what was finished at a kill must not have been touched again.
"""

from __future__ import annotations

import os
import random
import shutil
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
    shared = Path(os.environ.get("SPINESEG_SHARED", "../shared")) / "data/dev"
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
    with_nan = phantom.data.copy()
    with_nan[3, 3, 1] = np.nan
    write_volume(bids / next(pending), phantom.with_data(with_nan))
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


def finished(out: Path) -> dict[Path, int]:
    """When each ledger in which the last step is done was written."""
    paths = out.glob(".spineseg/sub-*/ses-*/anat/*.json")
    return {path: path.stat().st_mtime_ns for path in paths if '"pictures"' in path.read_text()}


@click.command()
@click.option("--sessions", default=60, show_default=True)
@click.option("--kills", default=20, show_default=True)
@click.option("--seed", default=0, show_default=True)
def main(sessions: int, kills: int, seed: int) -> None:
    """Print what was killed, how much was finished then, and whether the results are the same."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        bids, reference, out = (Path(folder) / name for name in ("bids", "reference", "out"))
        write_cohort(bids, sessions)
        start = time.monotonic()
        run = start_run(bids, reference, "--jobs", "2", "-v", "0")
        run.communicate()
        seconds = time.monotonic() - start
        click.echo(f"undisturbed: {seconds:.0f} s, exit code {run.returncode}, {len(finished(reference))} of {sessions} finished")
        kept: dict[Path, int] = {}
        done, lost = 0, 0
        while done < kills:
            run = start_run(bids, out, "--jobs", "2", "-v", "0")
            while run.poll() is None and done < kills:
                before = len(list(out.glob(".spineseg/**/*.json")))
                wait_until(lambda: run.poll() is not None or len(list(out.glob(".spineseg/**/*.json"))) > before, 60)  # noqa: B023
                time.sleep(rng.uniform(0, 2 * seconds / sessions))
                workers = [pid for pid in workers_of(run.pid) if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
                if run.poll() is not None or not workers:
                    continue
                victim = rng.choice([run.pid, *workers])
                kill(victim)
                done += 1
                kind = "driver" if victim == run.pid else "worker"
                if victim == run.pid:
                    wait_until(lambda: not any(map(is_alive, workers)), 20)  # noqa: B023
                now = finished(out)
                lost += sum(now.get(path) != stamp for path, stamp in kept.items())
                kept |= now
                click.echo(f"kill {done}: {kind}, {len(now)} finished")
            run.communicate()
        for _ in range(2):
            run = start_run(bids, out, "--jobs", "2", "-v", "0")
            run.communicate()
        now = finished(out)
        lost += sum(now.get(path) != stamp for path, stamp in kept.items())
        first, second = results_of(reference), results_of(out)
        differ = sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))
        click.echo(f"{len(first)} files, {len(differ)} differ {differ[:5]}; {lost} finished sessions were worked on again")
        click.echo(f"half-written files left: {len(list(out.rglob('.partial-*')))}")


if __name__ == "__main__":
    main()
