"""The preview of the training data of a configuration: crops of one or several sizes, 2-D and 3-D."""

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from spineseg_cli.cli.training_preview import main
from spineseg_cli.tasks.registry import CORD, GRAY_MATTER
from spineseg_cli.training.config_files import write_config
from spineseg_cli.training.data.preview import picture_crops
from testing.training.runs import CONFIG

PHANTOM = {"data": {"label_maps": [{"phantom": 1}], "labeled_scans": [], "scan_fraction": 0}, "validation.subjects": []}
STACKS = {"data.label_maps": [{"phantom_stacks": 1}], "network": {"name": "unet3d"}, "inference.spacing_mm": 0.5}


def test_targets_are_outlined_and_crops_are_framed():
    x, y = np.meshgrid(*[np.arange(32) - 15.5] * 2, indexing="ij")
    cord, gray = (np.hypot(x, y) < 12).astype(np.float32), (np.hypot(x, y) < 5).astype(np.float32)
    small, large = cord[8:24, 8:24], np.stack([gray, cord], -1)
    sheet = picture_crops([small, cord, cord], [large[8:24, 8:24], large, large], ("gray_matter", "cord"), columns=2)
    assert sheet.shape == (64, 64, 3)
    assert sheet[32:, 32:].max() == 0, "no fourth crop"
    assert sheet[:8, :32].max() == 0, "a frame about the small one"
    colors = {tuple(pixel) for pixel in sheet[:32, 32:].reshape(-1, 3).tolist()}
    assert {CORD.color, GRAY_MATTER.color} <= colors


@pytest.mark.parametrize(("changes", "sides"), [({}, {96, 112, 128}), ({**STACKS, "sampling.crop_depth": 8}, {64})])
def test_every_configuration_in_a_folder(tmp_path, changes, sides):
    changes = {**PHANTOM, "optimizer.batch_size": 2, **changes}
    if "sampling.crop_depth" in changes:
        changes["sampling.crop_sizes"] = [64]
    config = CONFIG.with_changes(changes, replaced=("network",) if "network" in changes else ())
    for name in ("one", "two"):
        write_config(tmp_path / f"{name}.yaml", config.with_changes({"name": name}))
    arguments = ["--config", str(tmp_path), "-o", str(tmp_path / "out"), "-n", "3", "--data", str(tmp_path)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    for name in ("one", "two"):
        picture = np.asarray(Image.open(tmp_path / "out" / f"{name}.png"))
        assert picture.shape[0] in sides
        assert picture.shape[1] == 8 * picture.shape[0]
        assert picture.any()
