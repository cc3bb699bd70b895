"""Seconds a session by `spineseg` and by the commands one by one: `python -m testing.benchmarks.cohort_seconds`.

On example subjects, in one run, turn by turn, so that whatever else the machine does falls on both. Processor time is
given too: on a busy machine, the time that passes says little. The commands write what
`batch_processing.sh` had them write (centerline, cord, gray and white matter), with and without the pictures of `-qc`.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np

from spineseg_cli.synthesis.example import write_example_subjects

ROOT = Path(__file__).resolve().parents[2]


def seconds_of(*commands: list[str]) -> np.ndarray:
    """Return the seconds that pass, and those of the processors, while commands run one after the other."""
    start = _clocks()
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    for module, *arguments in commands:
        subprocess.run([sys.executable, "-m", f"spineseg_cli.cli.{module}", *arguments], check=True, env=environment, cwd=ROOT)
    return _clocks() - start


def _clocks() -> np.ndarray:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return np.array([time.monotonic(), used.ru_utime + used.ru_stime])


def one_by_one(scan: Path, out: Path, pictures: bool) -> np.ndarray:
    """Return the seconds of the commands on a scan; see `seconds_of`."""
    report = ["-qc", str(out / "qc")] if pictures else []
    common = ["-i", str(scan), "-v", "0", *report]
    cord, gray, white = (str(out / f"{scan.name}_{kind}.nii.gz") for kind in ("seg", "gmseg", "wmseg"))
    line = str(out / f"{scan.name}_centerline.nii.gz")
    return seconds_of(
        ["get_centerline", *common, "-o", line], ["seg_cord", *common, "-o", cord], ["seg_gm", *common, "-o", gray, "--wm", white]
    )


@click.command()
@click.option("--subjects", default=12, show_default=True)
@click.option("--rounds", default=2, show_default=True)
def main(subjects: int, rounds: int) -> None:
    """Print the seconds a session, the fastest round of each."""
    with tempfile.TemporaryDirectory() as folder:
        bids = Path(folder) / "bids"
        scans = write_example_subjects(bids, subjects)
        times: dict[str, list[np.ndarray]] = {}
        for number in range(rounds):
            for pictures in (False, True):
                steps = ["centerline", "cord", "gm", *(["pictures"] if pictures else [])]
                said = "with pictures" if pictures else "without pictures"
                out = Path(folder) / f"commands{number}{pictures}"
                seconds = sum(one_by_one(scan, out, pictures) for scan in scans)
                times.setdefault(f"commands one by one, {said}", []).append(seconds / subjects)
                for jobs in (1, 2):
                    out = Path(folder) / f"spineseg{number}{pictures}{jobs}"
                    words = ["spineseg", str(bids), str(out), "participant", "-v", "0", "--jobs", str(jobs)]
                    seconds = seconds_of([*words, "--set", "labels=ignore", "--steps", *steps])
                    times.setdefault(f"spineseg, {jobs} worker{'s' * (jobs > 1)}, {said}", []).append(seconds / subjects)
        for name, found in times.items():
            passed, used = np.min(found, axis=0)
            click.echo(f"{name:45s} {passed:6.2f} s a session, {used:6.2f} s of processors")


if __name__ == "__main__":
    main()
