"""The commands that make an image of a scan, and what `test_promises` expects of each."""

from dataclasses import dataclass

import click
from click.testing import CliRunner

from spineseg_cli.cli.get_centerline import main as get_centerline
from spineseg_cli.cli.seg_cord import main as seg_cord
from spineseg_cli.cli.seg_gm import main as seg_gm


@dataclass(frozen=True)
class Command:
    """A command, and what it is expected to do."""

    main: click.Command
    stand_in: str  # the fixture that puts a stand-in in place of its networks
    model: str  # the model of a run without flags
    suffix: str  # what the name of the default output adds to the scan's
    endings: tuple[str, ...]  # of the files that a run writes
    image_flags: tuple[str, ...]  # runs that write its images: `mask`, `soft` and `white_matter` stand for their paths
    flags: str  # other flags, with one dash, and their values
    said: dict  # what the sidecar says after a run with `flags`
    nothing: str  # what it says where it finds nothing

    def run(self, *arguments):
        return CliRunner().invoke(self.main, [str(a) for a in arguments])


COMMANDS = {
    "get_centerline": Command(
        get_centerline,
        "bright_is_cord",
        model="centerline",
        suffix="_centerline",
        endings=(".nii.gz", ".json", ".csv"),
        image_flags=("-o mask",),
        flags="-method cnn -c t1 -centerline-algo nurbs -centerline-smooth 20 -extrapolation -space pix -brain 1 "
        "-custom centerline -device cpu -v 1",
        said={"Method": "cnn", "Curve": {"algorithm": "nurbs", "smooth_mm": 20.0, "extrapolate": True}},
        nothing="no cord found; an empty image was written",
    ),
    "seg_cord": Command(
        seg_cord,
        "bright_is_cord",
        model="cord",
        suffix="_seg",
        endings=(".nii.gz", ".json"),
        image_flags=("-o mask", "-o soft -soft"),
        flags="-c t2 -kernel 2d -centerline cnn -overlap 0.3 -thr 0.4 -soft -brain 0 -custom cord -device cpu -v 1",
        said={"Contrast": "t2", "Centerline": "cnn", "Threshold": 0.4, "Soft": True},
        nothing="no cord found; an empty mask was written",
    ),
    "seg_gm": Command(
        seg_gm,
        "stub_network",
        model="gm",
        suffix="_gmseg",
        endings=(".nii.gz", ".json"),
        image_flags=("-o mask -wm white_matter", "-o soft -soft"),
        flags="-m gm -thr 0.4 -soft -tta -device cpu -v 1",
        said={"Threshold": 0.4, "Soft": True, "TTA": True},
        nothing="no gray matter found; an empty mask was written",
    ),
}
