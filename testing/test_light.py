"""What works without TensorFlow, Keras, scikit-image and matplotlib, and what the rest says.

To be run in an environment of `./install_sct_like.sh --light`, and in any.
"""

import csv

import pytest
from click.testing import CliRunner

from spineseg_cli.cli.compute_metrics import main as compute_metrics
from spineseg_cli.cli.finetune import main as finetune
from spineseg_cli.cli.get_centerline import main as get_centerline
from spineseg_cli.cli.measure_cord import main as measure_cord
from spineseg_cli.cli.seg_cord import main as seg_cord
from spineseg_cli.cli.seg_gm import main as seg_gm
from spineseg_cli.core.extras import EXTRAS, is_installed, require
from spineseg_cli.core.image.nifti import read_volume, write_volume
from spineseg_cli.errors import RuntimeUnavailableError

pytestmark = pytest.mark.light

LIGHT = not is_installed("tensorflow")


def run(command, *arguments):
    return CliRunner().invoke(command, [str(a) for a in arguments], catch_exceptions=False)


@pytest.fixture(scope="module")
def files(tmp_path_factory, phantom):
    folder = tmp_path_factory.mktemp("light")
    write_volume(folder / "scan.nii.gz", phantom.image)
    write_volume(folder / "cord.nii.gz", phantom.cord.with_data((phantom.cord.data >= 0.5).astype("uint8")))
    return folder


def test_each_command_does_its_work(files):
    scan, cord = files / "scan.nii.gz", files / "cord.nii.gz"
    assert run(seg_cord, "-i", scan, "-o", files / "c.nii.gz", "-qc", files / "qc").exit_code == 0
    assert run(seg_gm, "-i", scan, "-o", files / "g.nii.gz").exit_code == 0
    assert run(get_centerline, "-i", scan, "-o", files / "l.nii.gz").exit_code == 0
    assert read_volume(files / "g.nii.gz").data.any()
    measured = run(measure_cord, "-i", files / "c.nii.gz", "-image", scan, "-o", files / "a.csv", "-qc", files / "qc")
    assert measured.exit_code == 0
    assert ("the report has no figure" in measured.output) == (not is_installed("matplotlib"))
    compared = run(compute_metrics, "-i", files / "c.nii.gz", "-r", cord, "-o", files / "m.csv")
    assert compared.exit_code == 0
    assert ("scikit-image" in compared.output) == (not is_installed("skimage"))
    row = next(iter(csv.DictReader((files / "m.csv").open(encoding="utf-8"))))
    assert float(row["DSC"]) > 0.8


@pytest.mark.skipif(not LIGHT, reason="all extras are installed")
@pytest.mark.parametrize(
    ("command", "arguments", "extra"),
    [
        (finetune, "--task gm --data . --out runs", "train"),
        (finetune, "--study pediatric-gm --out runs", "train"),
        (seg_cord, "-i SCAN -o out.nii.gz --device gpu", "train"),
        (seg_cord, "-i SCAN -o out.nii.gz --kernel 3d --precision float32", "train"),
        (measure_cord, "-i CORD -plot areas.png", "plot"),
    ],
)
def test_what_needs_an_extra_says_so(files, monkeypatch, command, arguments, extra):
    monkeypatch.chdir(files)
    before = sorted(files.iterdir())
    given = arguments.replace("SCAN", "scan.nii.gz").replace("CORD", "cord.nii.gz").split()
    result = run(command, *given)
    assert result.exit_code == 1
    assert f"pip install 'spineseg[{extra}]'" in result.output
    assert len(result.output.strip().splitlines()) == 1
    assert sorted(files.iterdir()) == before


def test_a_library_that_is_missing_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(EXTRAS, "no_such_library", "train")
    with pytest.raises(RuntimeUnavailableError, match=r"a test needs no_such_library.*spineseg\[train\]"):
        require("a test", "no_such_library", "numpy")
