"""Seconds of `measure_cord` as a process, from start to end: the least and the median of several runs."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np

from spineseg_cli.core.image.nifti import read_volume
from testing.benchmarks.measures.data import DATA

RUNS = 7
TEMPLATE, SMALL = DATA / "labels" / "pam50" / "PAM50_", DATA / "dev" / "pam50_small" / "PAM50_small_"


def times() -> None:
    """Print a row a mask."""
    lines = {
        "whole spine at 1 mm": ["-i", f"{SMALL}cord.nii.gz"],
        "the same, with levels": ["-i", f"{SMALL}cord.nii.gz", "-levels", f"{SMALL}levels.nii.gz"],
        "the same, with its edge": ["-i", f"{SMALL}cord.nii.gz", "-image", f"{SMALL}t2.nii.gz"],
        "whole spine at 0.5 mm": ["-i", f"{TEMPLATE}cord.nii.gz"],
    }
    for name, line in lines.items():
        slices = int(read_volume(Path(line[1]), kind="mask").data.any(axis=(0, 1)).sum())
        seconds = [_seconds(line) for _ in range(RUNS)]
        click.echo(f"{name:26s}{slices:5d} slices of cord: {min(seconds):.2f} s, median {np.median(seconds):.2f} s")


def _seconds(line: list[str]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        command = [sys.executable, "-m", "spineseg_cli.cli.measure_cord", *line, "-o", f"{folder}/areas.csv"]
        subprocess.run(command, check=True, capture_output=True)
        return time.perf_counter() - start
