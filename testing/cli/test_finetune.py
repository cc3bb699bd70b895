"""The `finetune` command: one run from end to end, and mistakes that are named before TensorFlow is loaded."""

import re
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner

from spineseg_cli.cli.finetune import main
from spineseg_cli.core.image.nifti import write_volume
from testing.cli.files import TINY


def run(*arguments):
    return CliRunner().invoke(main, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def table(phantom, tmp_path_factory):
    """Three scans with the cord's masks, by a table."""
    folder = tmp_path_factory.mktemp("scans")
    write_volume(folder / "cord.nii.gz", phantom.cord, np.uint8)
    lines = ["image\tcord\tsubject"]
    for n in range(3):
        write_volume(folder / f"scan{n}.nii.gz", phantom.image.with_data(phantom.image.data + n))
        lines.append(f"scan{n}.nii.gz\tcord.nii.gz\tsub-{n}")
    (folder / "scans.tsv").write_text("\n".join(lines) + "\n")
    return folder / "scans.tsv"


@pytest.fixture
def recipe(tmp_path):
    """The configuration of a tiny network."""
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY)
    return path


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--data", "nowhere"), "expected a BIDS folder, or a table ending in .tsv"),
        (("--task", "gm"), "no scan with a gray-matter mask"),
        (("--test-share", 0.6, "--validation-share", 0.5), "expected fractions that leave subjects to train on"),
        (("--folds", 7), "expected 2 to 3 folds"),
        (("--split", "a.tsv", "--folds", 3), "--split gives the subsets: leave out --folds and --stratify"),
        (("--split", "a.tsv", "--validation-share", 0.2), "leave out --test-fraction and --validation-fraction"),
        (("--folds", 3, "--test-share", 0.3), "--folds tests on every subject once: leave out --test-fraction"),
        (("--stratify", "site"), "expected the columns site in"),
        (("--init", "nothing"), "no model 'nothing'"),
        (("--init", "centerline", "--kernel", "3d"), "expected weights of a 3-D network for this run|that predict cord"),
        (("--task", "centerline", "--kernel", "3d"), "the task centerline has no 3-D network"),
        (("--images", "*.nii"), "--images and --masks belong together"),
        (("--full",), "--full is for studies: give --study too"),
        (("--set", "optimizer.rate=3"), "optimizer.rate is not a field of a configuration"),
        (("--set", "epochs"), "expected NAME=VALUE, such as optimizer.epochs=5"),
        (("--images", "*.nii", "--masks", "*.nii"), "expected a folder that the patterns start from"),
        (("--recipe", "nothing"), "no configuration 'nothing'"),
        (("--lr", -1), "optimizer.learning_rate: Input should be greater than or equal to 0; got -1"),
        (("--freeze", "expansion", "--surgery", "both"), "would leave layers untrained for ever"),
    ],
)
def test_mistakes_are_one_sentence(table, tmp_path, arguments, message):
    given = {"--task": "cord", "--data": table, "--out": tmp_path / "out"}
    given |= dict(zip(arguments[::2], arguments[1::2], strict=False))
    flags = arguments[-1:] if len(arguments) % 2 else ()
    result = run(*(part for pair in given.items() for part in pair), *flags)
    assert result.exit_code == 2
    assert result.stderr.startswith("finetune: ")
    assert re.search(message, result.stderr)
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_run_that_the_user_has_stopped_is_not_done(table, tmp_path, monkeypatch):
    """So that what is chained to it does not go on with half-trained weights."""
    found = SimpleNamespace(verdict="Not shown to be better.", facts={"weights": "mine.weights.h5"}, stopped=True)
    monkeypatch.setattr("spineseg_cli.training.finetune.finetune", lambda *_: found)
    result = run("--task", "cord", "--data", table, "--out", tmp_path / "mine")
    assert (result.exit_code, result.stdout.splitlines()[0]) == (1, found.verdict)


def test_mistakes_do_not_wait_for_tensorflow(tmp_path):
    code = "\n".join([
        "import sys; from spineseg_cli.cli.finetune import main",
        "for kind in ('--task', 'gm'), ('--study', 'pediatric-gm'):",
        f"    try: main([*kind, '--data', {str(tmp_path)!r}, '--out', {str(tmp_path / 'out')!r}])",
        "    except SystemExit as end: assert end.code == 2",
        "assert 'tensorflow' not in sys.modules and 'keras' not in sys.modules",
    ])  # fmt: skip
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def test_a_run_by_patterns_and_its_weights_without_tensorflow(table, recipe, tmp_path):
    """From two globs to a report, and to a segmentation by the new weights, for LiteRT, which does without TensorFlow."""
    folder = table.parent
    for n in range(3):
        (folder / f"scan{n}_cord.nii.gz").write_bytes((folder / "cord.nii.gz").read_bytes())
    result = run("--task", "cord", "--data", folder, "--images", "scan?.nii.gz", "--masks", "scan?_cord.nii.gz", "--out",
                 tmp_path / "mine", "--recipe", recipe, "--init", "scratch", "--epochs", 1, "--batch", 1, "--nyul",
                 "--no-flips", "--device", "cpu")  # fmt: skip
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert "mean Dice" in lines[0]
    assert lines[1:] == [f"weights: {tmp_path / 'mine' / 'mine.weights.h5'}", f"report: {tmp_path / 'mine' / 'report.html'}"]
    assert (tmp_path / "mine" / "report.html").is_file()
    config = (tmp_path / "mine" / "config.yaml").read_text()
    assert "mirror: false" in config
    assert "learn_nyul: true" in config
    command = ["-i", str(folder / "scan0.nii.gz"), "-o", str(tmp_path / "seg.nii.gz"), "--custom",
               str(tmp_path / "mine" / "mine.weights.h5"), "--file-centerline", str(folder / "cord.nii.gz")]  # fmt: skip
    code = "\n".join([
        "import sys; from spineseg_cli.cli.seg_cord import main",
        f"try: main({command!r})",
        "except SystemExit as end: assert end.code in (0, 3), end.code",
        "assert 'tensorflow' not in sys.modules and 'keras' not in sys.modules",
    ])  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "seg.nii.gz").is_file()
