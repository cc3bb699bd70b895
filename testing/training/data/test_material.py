"""What a run trains on: the split's parts, as many slices as the recipe says, and label maps where there are some."""

from dataclasses import replace

import numpy as np
import pytest

from spineseg_cli.core.image.nifti import write_volume
from spineseg_cli.errors import InputError
from spineseg_cli.training.configs.recipe import Recipe
from spineseg_cli.training.data.dataset import LabeledScan
from spineseg_cli.training.data.material import load_material, with_maps_that_exist

RECIPE = Recipe(
    name="tiny",
    network={"name": "unet2d", "classes": 1},
    outputs=["cord"],
    scans=[{"image": "x", "cord": "x"}],
    real_share=1,
    preprocessing={"window": 32, "spacing_mm": 0.5},
    crop_sizes=[32],
)


@pytest.fixture(scope="module")
def scans(phantom, tmp_path_factory):
    folder = tmp_path_factory.mktemp("scans")
    write_volume(folder / "image.nii", phantom.image)
    write_volume(folder / "cord.nii", phantom.cord, np.uint8)
    return [LabeledScan(f"sub-{n}", folder / "image.nii", (), folder / "cord.nii") for n in range(4)]


def test_parts_and_slices(scans, phantom, tmp_path):
    split = {"sub-0": "train", "sub-1": "train", "sub-2": "validation", "sub-3": "test"}
    batches, (images, targets) = load_material(RECIPE, scans, split, tmp_path)
    assert [len(scan) for scan in batches.scans] == [phantom.image.shape[2]] * 2
    assert images.shape == targets.shape == (phantom.image.shape[2], 32, 32, 1)
    few = replace(RECIPE, scans=[{"image": "x", "cord": "x", "slices": 1}])
    batches, (images, _) = load_material(few, scans, split, tmp_path)
    assert [len(scan) for scan in batches.scans] == [1, 1]
    assert len(images) == 1
    with pytest.raises(InputError, match="no slice of the part 'train' is labeled"):
        load_material(RECIPE, scans, split | {"sub-0": "test", "sub-1": "test"}, tmp_path)


def test_label_maps_that_are_not_there_are_left_out(tmp_path):
    files, phantoms = {"cord": "labels/*_cord.nii", "gray": "labels/*_gm.nii"}, {"phantom": 1}
    mixed = replace(RECIPE, real_share=0.5, maps=[files, phantoms])
    kept = with_maps_that_exist(mixed, tmp_path)
    assert (kept.maps, kept.real_share) == ([phantoms], 0.5)
    kept = with_maps_that_exist(replace(mixed, maps=[files]), tmp_path)
    assert (kept.maps, kept.real_share) == ([], 1)
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a_cord.nii").touch()
    assert with_maps_that_exist(mixed, tmp_path) == mixed
