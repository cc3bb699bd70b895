"""Seconds and peak memory of whole commands, from start to exit: `python -m testing.benchmarks.bench_commands`.

Times are of one machine and one moment: compare those of one run. The unit is the start of Python with NumPy and nibabel.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np

from spineseg_cli.core.image.nifti import write_volume
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.synthesis.phantom import make_phantom

REPEATS = 3


def write_axial(path: Path) -> None:
    """Write an axial T2*w scan of a neck, 256x256x20 voxels of 0.8x0.8x3 mm."""
    phantom = make_phantom(region=(30, 90), spacing_mm=(0.8, 0.8, 3.0), fov_mm=(204.8, 204.8), seed=1)
    write_volume(path, phantom.image)


def write_spine(path: Path) -> None:
    """Write a whole spine at 0.5 mm, 256x256x1000 voxels: noise with a bright cord, as only its size matters."""
    data = np.random.default_rng(0).random((256, 256, 1000), np.float32)
    data[118:138, 122:136] += 2
    write_volume(path, Volume(data, np.diag([-0.5, 0.5, 0.5, 1.0])))


def measure(command: list[str]) -> tuple[float, float]:
    """Return the seconds of the fastest of a few runs of a command, and its peak memory, MB."""
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        seconds.append(time.perf_counter() - start)
    return min(seconds), float(done.stderr.split()[-1]) / 1024


def python(code: str, *arguments: object) -> list[str]:
    """Return how to run code with this Python, and have its peak memory (kB) as the last word on stderr."""
    report = "import atexit, resource, sys; atexit.register(lambda: print(resource.getrusage(0).ru_maxrss, file=sys.stderr))"
    return [sys.executable, "-c", f"{report}; {code}", *map(str, arguments)]


def command_line(command: str, *arguments: object) -> list[str]:
    """Return how to run one of the commands."""
    return python(f"sys.argv[0] = '{command}'; from spineseg_cli.cli.{command} import main; main()", *arguments)


@click.command()
@click.option("--large", is_flag=True, help="Also a whole spine at 0.5 mm, 256x256x1000.")
def main(large: bool) -> None:
    """Print a row a command."""
    template = Path(os.environ.get("SPINESEG_SHARED", "../shared")) / "data/dev/pam50_small/PAM50_small_t2.nii.gz"
    with tempfile.TemporaryDirectory() as folder:
        out, axial, spine = (Path(folder) / name for name in ("out.nii.gz", "axial.nii.gz", "spine.nii.gz"))
        spawn = multiprocessing.get_context("spawn").Process  # this process's own memory would count as its children's
        for write, path in ((write_axial, axial), (write_spine, spine)) if large else ((write_axial, axial),):
            (process := spawn(target=write, args=(path,))).start()
            process.join()
        commands = {"start of Python": python("import nibabel")}
        for command in ("get_centerline", "seg_cord", "seg_gm"):
            commands[f"{command}, axial 256x256x20"] = command_line(command, "-i", axial, "-o", out, "-v", 0)
        for command in ("get_centerline", "seg_cord"):
            commands[f"{command}, template 70x70x275"] = command_line(command, "-i", template, "-o", out, "-v", 0)
        if large:
            commands["seg_cord, spine 256x256x1000"] = command_line("seg_cord", "-i", spine, "-o", out, "-v", 0)
        unit = None
        for name, command in commands.items():
            seconds, megabytes = measure(command)
            unit = unit or seconds
            click.echo(f"{name:34s} {seconds:7.2f} s {seconds / unit:7.1f} units {megabytes:7.0f} MB")


if __name__ == "__main__":
    main()
