"""Files as users have them, read by every command that reads a scan or a mask: as a sound file is read, or refused by name.

What a header can say, and how a file can be damaged, is in `testing/core/image`. Here, each kind goes through each command, for
one that would open a file by another door would read it differently.
"""

import gzip
import shutil
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from click.testing import CliRunner

from spineseg_cli.cli.compute_metrics import main as compute_metrics
from spineseg_cli.cli.finetune import main as finetune
from spineseg_cli.cli.get_centerline import main as get_centerline
from spineseg_cli.cli.measure_cord import main as measure_cord
from spineseg_cli.cli.seg_cord import main as seg_cord
from spineseg_cli.cli.seg_gm import main as seg_gm
from spineseg_cli.cli.spineseg import main as spineseg
from spineseg_cli.weights.model import Model
from testing.cli.kinds_of_files import AFFINE, NOT_FINITE, PADDED, READ, REFUSED, SHAPE, SPACING_MM, series
from testing.cohort.cohorts import Here

VOXELS = SHAPE[0] * SHAPE[1] * SHAPE[2]


class Bright:
    """A network's stand-in: what is bright is cord, and gray matter too."""

    def __init__(self, outputs):
        self.outputs = outputs

    def predict(self, windows):
        return np.stack([1 / (1 + np.exp(-4 * (windows - 1)))] * len(self.outputs), axis=-1).astype(np.float32)


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch):
    monkeypatch.setattr(Model, "open_runtime", lambda self, device="auto", *_: Bright(self.outputs))
    monkeypatch.setattr("spineseg_cli.cohort.pool.LocalPool", Here)


# Readers: how a command is given the file, and what it makes of it


@dataclass(frozen=True)
class Reader:
    """A command that reads a file: the arguments, in which `FILE` is that file, and the result that is compared, if any is."""

    command: object
    kind: str
    arguments: str
    result: str = ""


READERS = {
    "seg_cord": Reader(seg_cord, "scan", "-i FILE -o out.nii.gz", "out.nii.gz"),
    "seg_cord, a centerline": Reader(seg_cord, "mask", "-i scan.nii -file_centerline FILE -o out.nii.gz", "out.nii.gz"),
    "seg_gm": Reader(seg_gm, "scan", "-i FILE -o out.nii.gz", "out.nii.gz"),
    "seg_gm, a cord": Reader(seg_gm, "mask", "-i scan.nii -cord FILE -o out.nii.gz", "out.nii.gz"),
    "get_centerline": Reader(get_centerline, "scan", "-i FILE -o out.nii.gz", "out.csv"),
    "get_centerline, a mask": Reader(get_centerline, "mask", "-i FILE -method fitseg -o out.nii.gz", "out.csv"),
    "measure_cord": Reader(measure_cord, "mask", "-i FILE -o out.csv", "out.csv"),
    "measure_cord, a scan": Reader(measure_cord, "scan", "-i mask.nii -image FILE -o out.csv", "out.csv"),
    "compute_metrics": Reader(compute_metrics, "mask", "-i FILE -r mask.nii -o out.csv", "out.csv"),
    "compute_metrics, a reference": Reader(compute_metrics, "mask", "-i mask.nii -r FILE -o out.csv", "out.csv"),
    "spineseg": Reader(spineseg, "scan", "bids out participant --steps cord", "out/sub-01/anat/sub-01_T2w_label-SC_seg.nii.gz"),
    "spineseg, a label": Reader(
        spineseg, "mask", "bids out participant --steps cord", "out/sub-01/anat/sub-01_T2w_label-SC_seg.nii.gz"
    ),
    "finetune, a scan": Reader(finetune, "scan", "--task cord --data scans.tsv --out run"),
    "finetune, a mask": Reader(finetune, "mask", "--task cord --data scans.tsv --out run"),
}


@pytest.fixture
def folder(tmp_path, tube, monkeypatch):
    """A folder with a sound scan and mask, which is the current one."""
    monkeypatch.chdir(tmp_path)
    scan, mask = tube(SHAPE, SPACING_MM)
    for name, data in (("scan", np.round(scan.data)), ("mask", mask.data.astype(np.float32))):
        image = nib.Nifti1Image(data.clip(0, 127), AFFINE)
        image.set_qform(AFFINE, 0)
        image.set_sform(AFFINE, 1)
        nib.save(image, f"{name}.nii")
    return tmp_path


def run(reader, make):
    """Run a command on a file of one kind; return how it ended, and its result."""
    for name in ("kind", "out", "bids"):
        shutil.rmtree(name, ignore_errors=True)
    for name in ("out.nii.gz", "out.csv"):
        Path(name).unlink(missing_ok=True)
    Path("kind").mkdir()
    path = make(Path("kind/file.nii").absolute(), Path(f"{reader.kind}.nii").read_bytes())
    if reader.command is finetune:
        write_table({"scan": "scan.nii", "mask": "mask.nii"} | {reader.kind: path})
    if reader.command is spineseg:
        write_bids(reader.kind, path)
    words = [str(path) if word == "FILE" else word for word in reader.arguments.split()]
    done = CliRunner().invoke(reader.command, words)
    return done, _content(reader.result, path) if reader.result and Path(reader.result).exists() else None


def write_table(first):
    """Scans to train on, the first as it is given."""
    rows = [f"{first['scan']}\t{first['mask']}\tsub-1", *(f"scan.nii\tmask.nii\tsub-{n}" for n in (2, 3))]
    Path("scans.tsv").write_text("\n".join(["image\tcord\tsubject", *rows]) + "\n")


def write_bids(kind, path):
    """A data set of one scan, with the file at `path` as the scan, or as the mask made by hand."""
    places = {"scan": "bids/sub-01/anat/sub-01_T2w", "mask": "bids/derivatives/labels/sub-01/anat/sub-01_T2w_label-SC_seg"}
    for place in places.values():
        Path(place).parent.mkdir(parents=True)
    shutil.copy(path, places[kind] + "".join(path.suffixes), follow_symlinks=path.exists())
    if kind == "mask":
        shutil.copy("scan.nii", places["scan"] + ".nii")


def _content(name, path):
    if name.endswith(".csv"):
        return Path(name).read_text().replace(str(path), "FILE")
    content = Path(name).read_bytes()  # not by nibabel, which refuses some headers that the mask has from its scan
    return (gzip.decompress(content) if name.endswith(".gz") else content)[-VOXELS:]


@pytest.mark.parametrize("name", [name for name, reader in READERS.items() if reader.result])
def test_read_as_a_sound_file(folder, name):
    reader = READERS[name]
    done, sound = run(reader, lambda path, content: (path.write_bytes(content), path)[1])
    assert done.exit_code == 0, done.output
    for kind, make in (READ | ({"a series": series} if reader.kind == "scan" else {})).items():
        done, result = run(reader, make)
        assert done.exit_code == 0, (kind, done.output)
        assert result == sound, kind


@pytest.mark.parametrize("name", [name for name, reader in READERS.items() if reader.result])
def test_nan_and_infinite_voxels_are_padding(folder, name):
    _, padded = run(READERS[name], PADDED)
    done, result = run(READERS[name], NOT_FINITE)
    assert done.exit_code == 0, done.output
    assert result == padded
    how_many = 2 * SHAPE[0] * SHAPE[2] + 1
    logs = [path.read_text() for path in Path("out").rglob("*.log")]
    assert "".join(logs or [done.stderr]).count(f"holds {how_many} NaN or infinite voxel(s)") == 1
    noted = [path.read_text() for path in (*Path().glob("out*.json"), *Path("out").rglob("*_seg.json"))]
    assert sum(text.count(f'"Voxels": {how_many}') for text in noted) == 1


@pytest.mark.parametrize("name", READERS)
def test_refused_in_one_sentence(folder, name):
    reader = READERS[name]
    no_mean = {"a series": (series, "average it over the last axis")} if reader.kind == "mask" or not reader.result else {}
    for kind, (make, message) in (REFUSED | no_mean).items():
        done, result = run(reader, make)
        assert done.exit_code == (1 if reader.command is spineseg else 2), (kind, done.output)
        assert message in done.stderr, (kind, done.stderr)
        own = [line for line in done.stderr.splitlines() if line.startswith(f"{reader.command.name}: ")]
        assert " ".join(own).count(message) == 1, kind
        assert result is None, kind
