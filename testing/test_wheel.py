"""The wheel: built, installed, and every command run from it in an empty folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder with what the wheel holds, and its commands."""
    pytest.importorskip("setuptools")
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    options = {"check": True, "capture_output": True, "cwd": folder}
    copy = folder / "source"  # building leaves folders behind
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    files = subprocess.run(listing, cwd=ROOT, capture_output=True, check=False).stdout.decode().split("\0")
    if not files[0]:
        pytest.skip("not a git checkout")
    for name in filter(None, files):
        if (ROOT / name).is_file() and not name.startswith("testing/"):
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes((ROOT / name).read_bytes())
    subprocess.run([*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", folder, copy], **options)
    (wheel,) = folder.glob("*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--target", folder / "site", wheel], **options)
    return folder / "site"


def test_the_wheel_holds_every_file(site):
    """A package that `setup.cfg` does not name is missing in what users install, and in no other test."""
    tracked = subprocess.run(["git", "ls-files", "spineseg_cli", "models"], cwd=ROOT, capture_output=True, text=True, check=True)
    expected = {f"spineseg_cli/{name}" if name.startswith("models/") else name for name in tracked.stdout.splitlines()}
    assert {name for name in expected if not (site / name).is_file()} == set()


def test_every_command_works_from_the_wheel(site, tmp_path):
    environment = os.environ | {"PYTHONPATH": str(site)}

    def run(*arguments):
        done = subprocess.run(list(map(str, arguments)), env=environment, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = run(sys.executable, "-c", "import spineseg_cli.models; print(spineseg_cli.models.__file__)")
    assert where.startswith(str(site))
    python = [sys.executable, "-m"]
    run(*python, "spineseg_cli.cli.make_example", "examples", "-n", "1")
    scan = next((tmp_path / "examples").glob("sub-*/anat/*.nii.gz"))
    truth = next((tmp_path / "examples").rglob("*label-SC_seg.nii.gz"))
    run(*python, "spineseg_cli.cli.seg_cord", "-i", scan, "-o", "cord.nii.gz", "-qc", "qc")
    run(*python, "spineseg_cli.cli.seg_gm", "-i", scan, "-o", "gray.nii.gz")
    run(*python, "spineseg_cli.cli.get_centerline", "-i", scan, "-o", "line.nii.gz")
    run(*python, "spineseg_cli.cli.measure_cord", "-i", "cord.nii.gz", "-norms", "published", "-o", "areas.csv")
    run(*python, "spineseg_cli.cli.compute_metrics", "-i", "cord.nii.gz", "-r", truth, "-o", "metrics.csv")
    run(*python, "spineseg_cli.cli.spineseg", "examples", "processed", "participant", "--set", "labels=compare")
    run(*python, "spineseg_cli.cli.spineseg", "examples", "processed", "group", "--set", "labels=compare")
    assert (tmp_path / "processed/group_metrics_gm.tsv").is_file()
    assert "--data" in run(*python, "spineseg_cli.cli.finetune", "-h")
    scripts = {path.name for path in (site / "bin").iterdir()}
    assert scripts >= {"seg_gm", "seg_cord", "get_centerline", "finetune", "compute_metrics", "measure_cord", "spineseg"}
