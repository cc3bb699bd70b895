"""The public functions: their examples, and that they give what the commands give."""

import doctest
import importlib
import subprocess
import sys
from typing import get_args

import nibabel as nib
import numpy as np
import pytest
from click.testing import CliRunner

import spineseg_cli
from spineseg_cli.core.image.nifti import nibabel_from_volume, write_volume
from spineseg_cli.synthesis.phantom import make_phantom


@pytest.fixture(scope="module")
def phantom():
    return make_phantom(contrast="t2s", region=(40, 70), spacing_mm=(0.5, 0.5, 5.0), fov_mm=(60.0, 60.0), seed=3)


def test_arguments_have_the_choices_of_the_commands():
    from spineseg_cli.api import choices
    from spineseg_cli.cli import get_centerline, measure_cord, seg_cord

    commands = {"seg_cord": seg_cord.main, "get_centerline": get_centerline.main, "measure_cord": measure_cord.main}
    offered = {(name, one.name): one.type for name, command in commands.items() for one in command.params}
    for literal, option in (
        (choices.Device, ("seg_cord", "device")),
        (choices.Precision, ("seg_cord", "precision")),
        (choices.Kernel, ("seg_cord", "kernel")),
        (choices.Contrast, ("seg_cord", "contrast")),
        (choices.CenterlineMethod, ("get_centerline", "method")),
        (choices.Curve, ("get_centerline", "algorithm")),
        (choices.LevelKind, ("measure_cord", "level_kind")),
    ):
        assert set(get_args(literal)) == set(offered[option].choices), option


@pytest.mark.parametrize("name", ["evaluation", "localization", "morphometry", "segmentation"])
def test_the_examples_in_docstrings(name, phantom, tmp_path):
    names = {
        "scan": nibabel_from_volume(phantom.image),
        "cord_mask": nibabel_from_volume(phantom.cord, np.uint8),
        "folder": tmp_path,
    }
    done = doctest.testmod(importlib.import_module(f"spineseg_cli.api.{name}"), extraglobs=names)
    assert done.failed == 0
    assert done.attempted >= 3


@pytest.mark.parametrize(
    ("function", "command", "options", "arguments"),
    [
        ("segment_cord", "seg_cord", {}, []),
        ("segment_cord", "seg_cord", {"threshold": 0.8, "method": "cnn"}, ["-thr", "0.8", "-centerline", "cnn"]),
        ("segment_gray_matter", "seg_gm", {}, []),
        ("find_centerline", "get_centerline", {"algorithm": "nurbs"}, ["-centerline-algo", "nurbs"]),
    ],
)
def test_a_function_gives_what_its_command_gives(phantom, tmp_path, function, command, options, arguments):
    scan, out, saved = (tmp_path / name for name in ("scan.nii.gz", "out.nii.gz", "saved.nii.gz"))
    write_volume(scan, phantom.image)
    main = importlib.import_module(f"spineseg_cli.cli.{command}").main
    result = CliRunner().invoke(main, ["-i", str(scan), "-o", str(out), *arguments])
    assert result.exit_code == 0, result.output
    found = getattr(spineseg_cli, function)(scan, **options)
    found.save(saved)
    assert saved.read_bytes() == out.read_bytes()
    assert saved.with_name("saved.json").is_file()
    np.testing.assert_array_equal(found.mask.get_fdata(), nib.load(out).get_fdata())
    in_memory = getattr(spineseg_cli, function)(nib.load(scan), **options)
    np.testing.assert_array_equal(in_memory.mask.get_fdata(), found.mask.get_fdata())


def test_a_guide_is_followed(phantom):
    cord = nibabel_from_volume(phantom.cord, np.uint8)
    scan = nibabel_from_volume(phantom.image)
    assert spineseg_cli.evaluate(spineseg_cli.segment_cord(scan, centerline=cord).mask, cord)["DSC"] > 0.9
    gray = spineseg_cli.segment_gray_matter(scan, cord=cord)
    np.testing.assert_array_equal(gray.cord.get_fdata(), cord.get_fdata())
    assert (
        spineseg_cli.evaluate(gray.mask, [nibabel_from_volume(phantom.gray_matter, np.uint8), cord]).rows[-1]["rater"]
        == "majority"
    )


@pytest.mark.parametrize(
    ("function", "option", "value"),
    [
        ("segment_cord", "method", "svm"),
        ("segment_cord", "contrast", "t4"),
        ("segment_cord", "kernel", "4d"),
        ("segment_gray_matter", "device", "tpu"),
        ("segment_gray_matter", "precision", "int4"),
        ("find_centerline", "method", "viewer"),
        ("find_centerline", "algorithm", "hanning"),
        ("measure_cord", "level_kind", "sacral"),
    ],
)
def test_a_value_that_is_no_choice_is_refused(phantom, function, option, value):
    with pytest.raises(spineseg_cli.SpinesegError, match=f"{option} is '{value}'; expected one of '"):
        getattr(spineseg_cli, function)(nibabel_from_volume(phantom.image), **{option: value})


def test_importing_the_package_loads_nothing_slow():
    code = "\n".join([
        "import spineseg_cli, sys; dir(spineseg_cli)",
        "heavy = {'tensorflow', 'keras', 'pydantic', 'matplotlib', 'pandas'}",
        "assert not sys.modules.keys() & {*heavy, 'numpy', 'nibabel', 'scipy', 'click'}",
        "from spineseg_cli import evaluate, find_centerline, finetune, measure_cord, segment_cord, segment_gray_matter",
        "assert not sys.modules.keys() & heavy",
    ])  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
