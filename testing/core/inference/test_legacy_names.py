"""Configurations in the words of versions up to 0.9 mean what they meant."""

import json

import h5py

from spineseg_cli.core.inference.config import PUBLISHED_GRAY_MATTER, InferenceConfig
from spineseg_cli.weights.files import read_model

# As weights files of version 0.9 hold it.
STORED = {
    "spacing_mm": 0.25,
    "window": 200,
    "threshold": 0.999,
    "contrast_thresholds": {},
    "align": "centres",
    "reduce": "linear",
    "per_slice": False,
    "scale": "standard",
    "landmarks": [],
    "pad": False,
    "binarise_first": True,
    "half": 0.5,
    "sharpness": 1.0,
    "mirror": False,
    "depth": 0,
}


def test_a_configuration_of_version_0_9_is_read():
    assert InferenceConfig.from_dict(STORED) == PUBLISHED_GRAY_MATTER
    read = InferenceConfig.from_dict({"half": 0.65, "sharpness": 30, "scale": "minmax"})
    assert (read.outline_probability, read.logit_scale, read.normalization) == (0.65, 30, "minmax")


def test_a_present_name_counts_before_an_old_one():
    assert InferenceConfig.from_dict({"half": 0.6, "outline_probability": 0.7}).outline_probability == 0.7
    assert InferenceConfig.from_dict(InferenceConfig(logit_scale=2.0).to_dict()) == InferenceConfig(logit_scale=2.0)


def test_a_weights_file_of_version_0_9_is_read(tmp_path):
    metadata = {"network": {"name": "unet2d"}, "outputs": ["cord"], "preprocessing": STORED}
    with h5py.File(tmp_path / "old.weights.h5", "w") as file:
        file.attrs["spineseg"] = json.dumps(metadata)
    assert read_model(tmp_path / "old.weights.h5").config == PUBLISHED_GRAY_MATTER
