"""Where the time and the memory of the commands go, scan by scan, beside what they cannot be less than.

    python -m testing.benchmarks.where_time_goes [--scans NAME ...] [--repeats N]

Whole processes, from start to exit, with compiled bytecode, as an installed package has it. `imports` is Python and all that the
command imports; `networks` the time that is waited for LiteRT, and for what is cut and read for it ahead; `search` what finds the
cord beside that; `cleaning` all between that and writing. The floors are those of this machine, in the same run:
`net floor`, the same windows through the same networks, and nothing else; `zip floor`, the scan unpacked by gzip. The unit of
`units` is the median start of Python with NumPy and nibabel, without pydicom, which nibabel loads where it is there. The scans
are phantoms, long ones repeated: only sizes matter.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path

import click

from testing.benchmarks.timed_command import STAGES
from testing.scans import write_phantom

ROOT = Path(__file__).resolve().parents[2]
BARE = "import sys; sys.modules['pydicom'] = None; import numpy, nibabel"

# Name, command, and the phantom: voxels, voxel size (mm).
CASES = {
    "axial": (("seg_gm", "seg_cord", "get_centerline"), (288, 288, 20), (0.6, 0.6, 3.0)),
    "spine 1 mm": (("seg_cord", "get_centerline"), (52, 384, 225), (1.0, 1.0, 1.0)),
    "template": (("seg_cord",), (70, 70, 275), (1.0, 1.0, 2.0)),
    "large 0.5 mm": (("seg_cord",), (376, 514, 402), (0.5, 0.5, 0.5)),
    "17 slices": (("seg_cord",), (384, 210, 17), (0.5, 0.5, 3.0)),
    "170 slices": (("seg_cord",), (384, 210, 170), (0.5, 0.5, 0.5)),
    "1700 slices": (("seg_cord",), (384, 210, 1700), (0.5, 0.5, 0.5)),
    "5100 slices": (("seg_cord",), (384, 210, 5100), (0.5, 0.5, 0.5)),
    "ex vivo": (("seg_gm",), (200, 200, 4676), (0.08, 0.08, 0.08)),
    "batch of 20": (("batch",), (288, 288, 20), (0.6, 0.6, 3.0)),
}


def measure(*arguments: object) -> tuple[float, dict]:
    """Return the seconds of a Python process, and what it prints as JSON in its last line, if it does."""
    start = time.perf_counter()
    command, environment = [sys.executable, *map(str, arguments)], dict(os.environ)
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT, env=environment)
    seconds = time.perf_counter() - start
    measured = json.loads(done.stdout.splitlines()[-1]) if done.stdout else {}
    return seconds - measured.get("measuring", 0), measured


def zip_floor(path: Path) -> float:
    """Return the seconds that unpacking a file takes, thrown away as it comes."""
    start, unpack = time.perf_counter(), zlib.decompressobj(31)
    with open(path, "rb") as file:
        while block := file.read(1 << 18):
            unpack.decompress(block)
    return time.perf_counter() - start


@click.command()
@click.option("--scans", multiple=True, type=click.Choice(list(CASES)), help="Only these.")
@click.option("--repeats", default=3, show_default=True)
@click.option("--folder", type=click.Path(path_type=Path), help="Keep the phantoms here, which take minutes to draw.")
def main(scans: tuple[str, ...], repeats: int, folder: Path | None) -> None:
    """Print a row a command and scan: the run of the median time."""
    columns = ["total", *STAGES, "net floor", "zip floor", "units", "MB", "stored MB"]
    click.echo(f"{'':28s}" + "".join(f"{column:>10s}" for column in columns))
    with tempfile.TemporaryDirectory() as temporary:
        for name in scans or CASES:
            commands, shape, spacing_mm = CASES[name]
            path = (folder or Path(temporary)) / f"{'x'.join(map(str, shape))}_{spacing_mm[2]:g}mm.nii.gz"
            if not path.is_file():
                write_phantom(path, shape, spacing_mm)
            for command in commands:
                runs, bare = [], []
                if repeats > 1:  # the first compiles
                    measure("-m", "testing.benchmarks.timed_command", command, path, Path(temporary) / "out.nii.gz")
                for _ in range(repeats):
                    bare.append(measure("-c", BARE)[0])
                    runs.append(measure("-m", "testing.benchmarks.timed_command", command, path, Path(temporary) / "out.nii.gz"))
                seconds, stages = sorted(runs, key=lambda run: run[0])[len(runs) // 2]
                unit = statistics.median(bare)
                row = [seconds, *(stages[stage] for stage in STAGES), stages["floor"], zip_floor(path), seconds / unit]
                memory = [stages["megabytes"], 2 * shape[0] * shape[1] * shape[2] / 2**20]
                click.echo(f"{command + ', ' + name:28s}" + "".join(f"{value:10.2f}" for value in row)
                           + "".join(f"{value:10.0f}" for value in memory))  # fmt: skip
                click.echo(f"{'':28s}bare Python: {unit:.3f} s")


if __name__ == "__main__":
    main()
