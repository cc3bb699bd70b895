"""Batches of crops: reproducible from the seed, and according to the configuration."""

from contextlib import closing

import numpy as np
import pytest

from spineseg_cli.core.inference.config import InferenceConfig
from spineseg_cli.synthesis.generator import LabelSlice
from spineseg_cli.training.data.crops import CropBatches, validation_crops
from spineseg_cli.training.data.labeled_slices import ScanSlice
from testing.training.runs import BOTH, CONFIG

SMALL = {"batch_size": 3, "steps_per_epoch": 3}
MINMAX = {"normalization": "minmax", "window": 48}


def disc(radius):
    x, y = np.meshgrid(*[np.arange(200) - 99.5] * 2, indexing="ij")
    return (np.hypot(x, y) < radius).astype(np.float32)


def test_batches_depend_on_seed_epoch_and_step_alone():
    maps = [[LabelSlice(disc(22), disc(10)), LabelSlice(disc(26), disc(8))], [LabelSlice(disc(30), disc(12))]]
    scans = [[ScanSlice(disc(40) + disc(20), (disc(10),), disc(20))]]

    def make(seed=0, epoch=0, step=0, **options):
        changes = {"data.scan_fraction": 0.5, "optimizer": SMALL, "sampling.crop_sizes": [48, 64], "seed": seed, **options}
        return CropBatches(BOTH.with_changes(changes), maps, scans).make(epoch, step)

    image, target = make()
    assert image.shape in ((3, 48, 48, 1), (3, 64, 64, 1))
    assert target.shape == (*image.shape[:3], 2)
    assert image.dtype == target.dtype == np.float32
    np.testing.assert_allclose(image.mean(axis=(1, 2, 3)), 0, atol=1e-4)
    assert 0 <= target.min() <= target.max() <= 1
    assert (target[..., 0] <= target[..., 1] + 1e-5).all(), "gray matter lies in the cord"
    for again, same in ((make(), True), (make(seed=1), False), (make(epoch=1), False), (make(step=1), False)):
        assert np.array_equal(again[0], image) == same
    for outputs, channels in ((["cord"], [1]), (["gray_matter"], [0]), (["cord", "gray_matter"], [1, 0])):
        assert np.array_equal(make(**{"outputs": outputs, "network.classes": len(outputs)})[1], target[..., channels])


@pytest.mark.parametrize("scan_fraction", [0.0, 1.0])
def test_crops_as_of_sagittal_slices_are_coarse_from_right_to_left(scan_fraction):
    maps, scans = [[LabelSlice(disc(22), disc(10))]], [[ScanSlice(disc(40) + disc(20), (disc(10),), disc(20))]]

    def roughness(prob):
        changes = {
            "data.scan_fraction": scan_fraction,
            "augmentation.sagittal_prob": prob,
            "sampling.crop_sizes": [64],
            "seed": 1,
        }
        images, targets = CropBatches(BOTH.with_changes({**changes, "optimizer.batch_size": 16}), maps, scans).make(0, 0)
        assert targets.max() == 1
        return [float(np.abs(np.diff(images, 2, axis)).mean()) for axis in (1, 2)]

    thick, axial = roughness(1.0), roughness(0.0)
    assert thick[0] < 0.5 * thick[1]
    assert 0.7 < axial[0] / axial[1] < 1.4


@pytest.mark.parametrize("scan_fraction", [0.0, 1.0])
def test_turned_crops_keep_their_size_and_show_more(scan_fraction):
    maps, scans = [[LabelSlice(disc(20), disc(8))]], [[ScanSlice(disc(20), (disc(8),), disc(20))]]
    changes = {
        "data.scan_fraction": scan_fraction,
        "sampling": {"crop_sizes": [64], "far_shift_prob": 0},
        "optimizer.batch_size": 64,
    }
    areas = []
    for prob in (0.0, 1.0):
        images, targets = CropBatches(BOTH.with_changes({**changes, "augmentation.turned_prob": prob}), maps, scans).make(0, 0)
        assert images.shape == (64, 64, 64, 1)
        areas.append(float(targets[..., 1].sum()))
    assert areas[1] < 0.8 * areas[0]


@pytest.mark.parametrize("processes", [0, 2])
def test_a_stream_goes_through_the_epochs_in_order(processes):
    changes = {
        "data.scan_fraction": 1,
        "optimizer": {"batch_size": 1, "steps_per_epoch": 3},
        "sampling": {"crop_sizes": [48], "uses_per_crop": 2},
    }
    batches = CropBatches(CONFIG.with_changes(changes), [], [[ScanSlice(disc(40), (), disc(20))]], processes)
    with closing(batches.stream(first_epoch=3)) as stream:
        for epoch, step in ((3, 0), (3, 1), (3, 2), (4, 0)):
            assert np.array_equal(next(stream)[0], batches.make(epoch, step)[0])


def test_crops_that_are_used_again_come_mirrored_and_in_the_same_epoch_only():
    maps = [[LabelSlice(disc(22), disc(10))]]
    changes = {"optimizer": {"batch_size": 1, "steps_per_epoch": 6}, "sampling": {"crop_sizes": [48], "uses_per_crop": 3}}
    batches = CropBatches(BOTH.with_changes(changes), maps, [])
    images = [batches.make(0, step)[0] for step in range(6)]
    assert not np.array_equal(images[0], images[1])
    for first, second, third in (images[::2], images[1::2]):
        assert np.array_equal(first[:, ::-1], second)
        assert np.array_equal(first, third)
    assert np.array_equal(CropBatches(BOTH.with_changes(changes), maps, []).make(0, 3)[1], batches.make(0, 1)[1][:, ::-1])
    assert not np.array_equal(batches.make(1, 0)[0], images[0])


def test_validation_crops_are_not_augmented_and_count_every_rater():
    scans = [[ScanSlice(disc(40), (disc(8), disc(12)), disc(20))], [ScanSlice(disc(30), (disc(9),), disc(20))]]
    config = CONFIG.with_changes(
        {"outputs": ["gray_matter"], "sampling.crop_sizes": [64], "inference.per_slice": False, "augmentation.profile": "none"}
    )
    images, targets = validation_crops(config, scans)
    assert images.shape == targets.shape == (3, 64, 64, 1)
    assert np.array_equal(images[0, ..., 0], disc(40)[68:132, 68:132])
    assert list(targets.sum(axis=(1, 2, 3))) == [disc(8).sum(), disc(12).sum(), disc(9).sum()]


@pytest.fixture(scope="module")
def slices():
    """A scan's slice of 80 samples, and labels of another."""
    x, y = np.meshgrid(*[np.arange(80) - 39.5] * 2, indexing="ij")
    cord = (np.hypot(x, y) < 12).astype(np.float32)
    image = (40 * cord + np.random.default_rng(0).gamma(2, 20, cord.shape)).astype(np.float32)
    return ScanSlice(image, (), cord, 0.5), LabelSlice(cord, 0 * cord, spacing_mm=0.5)


def test_validation_crops_are_normalized_as_in_the_commands(slices):
    scan, _ = slices
    images, _ = validation_crops(CONFIG.with_changes({"sampling.crop_sizes": [48], "inference": MINMAX}), [[scan]])
    window = scan.image[None, 16:64, 16:64]
    expected = InferenceConfig(**MINMAX).standardize(window, np.ones(window.shape, bool))
    np.testing.assert_allclose(images[..., 0], expected, atol=1e-6)
    assert (images.min(), images.max()) == (0, 1)


@pytest.mark.parametrize("scan_fraction", [0.0, 1.0])
def test_training_crops_are_normalized_as_in_the_commands(slices, scan_fraction):
    scan, labels = slices
    changes = {"optimizer.batch_size": 3, "sampling.crop_sizes": [48], "data.scan_fraction": scan_fraction}
    config = CONFIG.with_changes({**changes, "inference": MINMAX})
    images, _ = CropBatches(config, [[labels]], [[scan]]).make(0, 0)
    np.testing.assert_allclose(images.min(axis=(1, 2, 3)), 0, atol=1e-6)
    np.testing.assert_allclose(images.max(axis=(1, 2, 3)), 1, atol=1e-6)
    standard, _ = CropBatches(CONFIG.with_changes(changes), [[labels]], [[scan]]).make(0, 0)
    np.testing.assert_allclose(standard.mean(axis=(1, 2, 3)), 0, atol=1e-5)
