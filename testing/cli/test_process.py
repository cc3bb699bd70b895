"""Commands as real processes: with streams that are closed or full, beside other Pythons' packages, and stopped from outside.

Every command that reads a scan or a mask is run in all of it at once; of each trouble alone, one command stands for all.
"""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from spineseg_cli.core.image.nifti import write_volume
from testing.cli.files import TINY, save
from testing.stopping import start

BIN = Path(sys.executable).parent
MODULE = f"{sys.executable} -m spineseg_cli.cli.compute_metrics"


@pytest.fixture
def masks(tmp_path, cord):
    """The arguments that compare a mask with itself."""
    mask = save(tmp_path / "mask.nii.gz", cord)
    return f"-i {mask} -r {mask} -o {tmp_path}/scores.csv"


def shell(line, **more):
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False, **more)


# Streams


@pytest.mark.parametrize("closed", ["2>&-", "<&- >&- 2>&-"])
def test_closed_streams(masks, tmp_path, closed):
    before = (tmp_path / "mask.nii.gz").read_bytes()
    assert shell(f"{MODULE} {masks} {closed}").returncode == 0
    assert (tmp_path / "scores.csv").read_text().startswith("level,")
    assert (tmp_path / "mask.nii.gz").read_bytes() == before
    assert shell(f"{sys.executable} -m spineseg_cli.cli.get_centerline -i nothing.nii {closed}").returncode == 2


def test_what_is_opened_first_is_not_taken_for_a_stream(tmp_path):
    """Without a stderr, the first file that is opened would get its number, and what libraries print there."""
    code = "import os, sys, spineseg_cli.cli; file = open(sys.argv[1], 'wb'); os.write(2, b'a warning')"
    assert shell(f'{sys.executable} -W ignore -c "{code}" {tmp_path}/mask 2>&-').returncode == 0
    assert (tmp_path / "mask").read_bytes() == b""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
@pytest.mark.parametrize(
    ("where", "report", "table"), [("> /dev/full", 0, 1), ("2> /dev/full | true; exit ${PIPESTATUS[0]}", 0, 0)]
)
def test_a_stream_that_takes_nothing_costs_what_it_was_for(masks, tmp_path, where, report, table):
    """That a file was written can go unsaid; a table that is written nowhere else can not, unless its reader has gone."""
    done = shell(f"{MODULE} {masks} {where}")
    assert done.returncode == report
    assert (tmp_path / "scores_provenance.json").exists()
    done = shell(f"{MODULE} {masks.partition(' -o ')[0]} {where}")
    assert done.returncode == table
    assert ("compute_metrics: cannot write to stdout: No space left" in done.stderr) == bool(table)
    done = shell(f"{sys.executable} -m spineseg_cli.cli.measure_cord -i {tmp_path}/mask.nii.gz {where}")
    assert (done.returncode, "measure_cord: cannot write to stdout" in done.stderr) == (table, bool(table))


def test_names_that_are_no_text(tmp_path, cord):
    name = os.fsdecode(os.fsencode(tmp_path) + b"/m\xe9chant.nii.gz")
    save(tmp_path / "mask.nii.gz", cord).rename(name)
    table = name.replace(".nii.gz", ".csv")
    line = [*MODULE.split(), "-i", name, "-r", name, "-o", table]
    done = subprocess.run(line, capture_output=True, check=False, env=os.environ | {"LC_ALL": "C.UTF-8"})
    assert (done.returncode, done.stderr) == (0, b"")
    assert Path(table).exists()


# Disks

REFUSED = {"chmod,fchmod,fchmodat": "EPERM", "fsync": "EINVAL", "flock": "ENOLCK", "rename,renameat,renameat2": "EXDEV"}


@pytest.fixture
def stubborn_disk(tmp_path, request):
    """What a command is run under so that disks refuse what some do; a training may rename, for TensorFlow does in /tmp."""
    if not shutil.which("strace"):
        pytest.skip("needs strace")
    refused = {calls: error for calls, error in REFUSED.items() if "finetune" not in request.node.name or "rename" not in calls}
    refuse = " ".join(f"-e inject={calls}:error={error}" for calls, error in refused.items())
    traced = f"strace -f -qq -o {tmp_path}/trace -e trace={','.join(refused)} {refuse}"
    if shell(f"{traced} true").returncode:
        pytest.skip("strace may not trace here")
    return traced


# Other Pythons' packages


@pytest.fixture
def other_packages(tmp_path):
    """A folder of packages that work in another Python alone."""
    for name in ("numpy", "click", "nibabel", "scipy", "logging"):
        (tmp_path / "other" / name).mkdir(parents=True)
        (tmp_path / "other" / name / "__init__.py").write_text('print "from another Python"\n')
    return tmp_path / "other"


def test_packages_on_the_search_path_do_not_count(masks, other_packages):
    variables = os.environ | {"PYTHONPATH": f"{other_packages}:{other_packages}/nowhere:"}
    assert shell(f"{MODULE} {masks}", env=variables, cwd=other_packages).returncode == 0
    variables = os.environ | {"PYTHONUSERBASE": str(other_packages / "user")}
    assert shell(f"{MODULE} {masks}", env=variables, cwd=other_packages).returncode == 0


@pytest.mark.skipif(not (BIN / "compute_metrics").exists(), reason="needs the installed commands")
def test_installed_commands_heed_no_variable_of_python(masks, other_packages):
    first, second, *_ = (BIN / "compute_metrics").read_text().splitlines()
    if " -I" not in first + second:
        pytest.skip("the commands were not installed by install_sct_like.sh")
    (other_packages / "enum.py").write_text("raise SyntaxError")
    for variables in ({"PYTHONPATH": str(other_packages)}, {"PYTHONHOME": "/usr"}):
        done = shell(f"{BIN}/compute_metrics {masks}", env=os.environ | variables | {"PYTHONWARNINGS": "error"})
        assert (done.returncode, done.stderr) == (0, ""), variables


# All of it at once

LINES = {
    "get_centerline": "-i SCAN -o OUT/line.nii.gz -qc OUT/qc",
    "seg_cord": "-i SCAN -o OUT/cord.nii.gz -qc OUT/qc",
    "seg_gm": "-i SCAN -o OUT/gray.nii.gz -wm OUT/white.nii.gz -qc OUT/qc",
    "measure_cord": "-i MASK -image SCAN -o OUT/areas.csv -qc OUT/qc",
    "compute_metrics": "-i MASK -r MASK -o OUT/scores.csv",
    "spineseg": "BIDS OUT participant",
    "finetune": "--task cord --data TABLE --out OUT --init scratch --config TINY --epochs 1 --batch 1 --device cpu",
}


@pytest.fixture
def line_of(tmp_path, phantom, phantom_file):
    """A function that returns a command's line; its results go to a folder of the given name."""
    mask, bids, table, tiny = (tmp_path / name for name in ("mask.nii.gz", "bids", "scans.tsv", "tiny.yaml"))
    write_volume(mask, phantom.cord, np.uint8)
    (bids / "sub-01/anat").mkdir(parents=True)
    shutil.copy(phantom_file, bids / "sub-01/anat/sub-01_T2star.nii.gz")
    table.write_text("image\tcord\tsubject\n" + "".join(f"{phantom_file}\t{mask}\tsub-{n}\n" for n in range(3)))
    tiny.write_text(TINY)
    places = {"SCAN": phantom_file, "MASK": mask, "BIDS": bids, "TABLE": table, "TINY": tiny}

    def make(command, out):
        words = LINES[command].split()
        for name, path in (places | {"OUT": tmp_path / out}).items():
            words = [word.replace(name, str(path), 1) if word.startswith(name) else word for word in words]
        return f"{sys.executable} -m spineseg_cli.cli.{command} {' '.join(words)}"

    return make


def results_in(folder):
    """The images and tables in a folder, by their names."""
    files = [path for path in folder.rglob("*") if path.name.endswith((".nii.gz", ".csv", "y.tsv"))]
    return {path.name: path.read_bytes().replace(os.fsencode(folder), b"OUT") for path in files}


@pytest.mark.parametrize(
    "command", [pytest.param(name, marks=pytest.mark.slow) if name == "finetune" else name for name in LINES]
)
def test_all_of_it_changes_no_result(command, line_of, tmp_path, other_packages, stubborn_disk):
    """No stream is open, the disk refuses what it can, other packages are in the way, and the report has a foreign entry."""
    sound = shell(line_of(command, "sound"))
    assert sound.returncode == 0, sound.stderr
    (tmp_path / "odd/qc/entries").mkdir(parents=True)
    (tmp_path / "odd/qc/entries/foreign.json").write_text("{}")
    variables = os.environ | {"PYTHONPATH": f"{other_packages}:"}
    odd = shell(f"{stubborn_disk} {line_of(command, 'odd')} <&- >&- 2>&-", env=variables)
    assert odd.returncode == 0
    assert "INJECTED" in (tmp_path / "trace").read_text()
    expected = results_in(tmp_path / "sound")
    assert expected
    assert results_in(tmp_path / "odd") == expected
    assert (command == "finetune") == (tmp_path / "odd/report.html").is_file()
    assert (command in ("compute_metrics", "finetune", "spineseg")) != (tmp_path / "odd/qc/index.html").is_file()


# Signals


def test_ctrl_c_while_a_command_starts_shows_no_traceback():
    code = "import spineseg_cli.cli, os, signal; os.kill(os.getpid(), signal.SIGINT); import time; time.sleep(9)"
    started = start(sys.executable, "-c", code)
    assert started.communicate(timeout=20) == ("", "")
    assert started.returncode == -signal.SIGINT


WRITES_FOR_LONG = """
import sys, time
from spineseg_cli.cli.common import SpinesegCommand
from spineseg_cli.core.files import atomic_path

def write():
    with atomic_path(sys.argv[1]) as temporary:
        temporary.write_text("half")
        print("begun", flush=True)
        time.sleep(30)

SpinesegCommand("slow", callback=write, no_args_is_help=False).main([])
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_command_that_is_stopped_leaves_nothing_and_ends_a_loop_of_the_shell(tmp_path, number):
    (tmp_path / "slow.py").write_text(WRITES_FOR_LONG)
    loop = f'for n in 1 2 3; do "{sys.executable}" "{tmp_path}/slow.py" "{tmp_path}/mask"; done'
    started = start("bash", "-c", loop, env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])})
    assert started.stdout.readline() == "begun\n"
    os.killpg(started.pid, number)
    output, errors = started.communicate(timeout=20)
    assert (started.returncode, output) == (-number, "")
    assert errors == "slow: stopped\n"
    assert os.listdir(tmp_path) == ["slow.py"]
