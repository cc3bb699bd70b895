"""The scale of intensities is the same in training, in validation and in the commands."""

import numpy as np
import pytest

from spineseg_cli.core.inference.config import InferenceConfig
from spineseg_cli.errors import WeightsError
from spineseg_cli.synthesis.generator import LabelSlice
from spineseg_cli.training.data.crops import CropBatches, validation_crops
from spineseg_cli.training.data.labeled_slices import ScanSlice
from testing.training.runs import CONFIG

MINMAX = {"normalization": "minmax", "window": 48}
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def slices():
    """A scan's slice of 80 samples, and labels of another."""
    x, y = np.meshgrid(*[np.arange(80) - 39.5] * 2, indexing="ij")
    cord = (np.hypot(x, y) < 12).astype(np.float32)
    image = (40 * cord + RNG.gamma(2, 20, cord.shape)).astype(np.float32)
    return ScanSlice(image, (), cord, 0.5), LabelSlice(cord, 0 * cord, spacing_mm=0.5)


def test_validation_and_inference_agree(slices):
    scan, _ = slices
    images, _ = validation_crops([[scan]], 48, ["cord"], normalization="minmax")
    window = scan.image[None, 16:64, 16:64]
    expected = InferenceConfig(**MINMAX).standardize(window, np.ones(window.shape, bool))
    np.testing.assert_allclose(images[..., 0], expected, atol=1e-6)
    assert (images.min(), images.max()) == (0, 1)


@pytest.mark.parametrize("scan_fraction", [0.0, 1.0])
def test_every_crop_that_is_trained_on(slices, scan_fraction):
    scan, labels = slices
    changes = {"optimizer.batch_size": 3, "sampling.crop_sizes": [48], "data.scan_fraction": scan_fraction}
    config = CONFIG.with_changes({**changes, "inference": MINMAX})
    images, _ = CropBatches(config, [[labels]], [[scan]]).make(0, 0)
    np.testing.assert_allclose(images.min(axis=(1, 2, 3)), 0, atol=1e-6)
    np.testing.assert_allclose(images.max(axis=(1, 2, 3)), 1, atol=1e-6)
    standard, _ = CropBatches(CONFIG.with_changes(changes), [[labels]], [[scan]]).make(0, 0)
    np.testing.assert_allclose(standard.mean(axis=(1, 2, 3)), 0, atol=1e-5)


def test_a_scale_of_a_later_version_is_refused():
    assert InferenceConfig.from_dict({}).normalization == "zscore"
    with pytest.raises(WeightsError, match=r"inference settings \['normalization log'\] that this version does not know"):
        InferenceConfig.from_dict({"normalization": "log"})
