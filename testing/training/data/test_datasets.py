"""The data of a run: the subsets of the split, the number of slices, and label maps if they exist."""

import numpy as np
import pytest

from spineseg_cli.core.image.nifti import write_volume
from spineseg_cli.errors import InputError
from spineseg_cli.training.data.datasets import SplitData, with_label_maps_that_exist
from spineseg_cli.training.data.labeled_scans import LabeledScan
from testing.training.runs import CONFIG as TINY

CONFIG = TINY.with_changes(
    {
        "data": {"label_maps": [], "labeled_scans": [{"image": "x", "cord": "x"}], "scan_fraction": 1},
        "inference": {"window": 32, "spacing_mm": 0.5},
        "sampling.crop_sizes": [32],
    }
)


def test_parts_and_slices(phantom, tmp_path):
    write_volume(tmp_path / "image.nii", phantom.image)
    write_volume(tmp_path / "cord.nii", phantom.cord, np.uint8)
    scans = [LabeledScan(f"sub-{n}", tmp_path / "image.nii", {"cord": (tmp_path / "cord.nii",)}) for n in range(4)]
    split = {"sub-0": "train", "sub-1": "train", "sub-2": "validation", "sub-3": "test"}
    data = SplitData(CONFIG, scans, split, tmp_path)
    images, targets = data.validation()
    assert [len(scan) for scan in data.batches().scans] == [phantom.image.shape[2]] * 2
    assert images.shape == targets.shape == (phantom.image.shape[2], 32, 32, 1)
    few = CONFIG.with_changes({"data.labeled_scans": [{"image": "x", "cord": "x", "max_slices": 1}]})
    data = SplitData(few, scans, split, tmp_path)
    assert [len(scan) for scan in data.batches().scans] == [1, 1]
    assert len(data.validation()[0]) == 1
    with pytest.raises(InputError, match="no slice of the subset 'train' is labeled"):
        SplitData(CONFIG, scans, split | {"sub-0": "test", "sub-1": "test"}, tmp_path).batches()


def test_label_maps_that_do_not_exist_are_left_out(tmp_path):
    files, phantoms = {"cord": "labels/*_cord.nii", "gray_matter": "labels/*_gm.nii"}, {"phantom": 1}

    def config(*sources):
        return CONFIG.with_changes({"data.scan_fraction": 0.5, "data.label_maps": list(sources)})

    kept = with_label_maps_that_exist(config(files, phantoms), tmp_path).data
    assert ([source.generated for source in kept.label_maps], kept.scan_fraction) == ([phantoms], 0.5)
    kept = with_label_maps_that_exist(config(files), tmp_path).data
    assert (kept.label_maps, kept.scan_fraction) == ((), 1)
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a_cord.nii").touch()
    assert with_label_maps_that_exist(config(files, phantoms), tmp_path) == config(files, phantoms)
