"""Stacks: consistent slices, targets that match the labels, and patches of scans as in the command."""

import numpy as np
import pytest

from spineseg_cli.core.image.standardization import standardize
from spineseg_cli.core.inference.config import InferenceConfig
from spineseg_cli.core.inference.stack import predict_stack
from spineseg_cli.synthesis.generator import LabelSlice
from spineseg_cli.training.data.augmentation import augment_stack, centerline_errors
from spineseg_cli.training.data.crops import CropBatches, validation_crops
from spineseg_cli.training.data.labeled_slices import ScanSlice
from spineseg_cli.training.data.stacks import patches_of, synthesize_stack, thicker_scans
from testing.training.runs import CONFIG

SPACING_MM = 0.5
x, y = np.meshgrid(*[np.arange(100) - 49.5] * 2, indexing="ij")


def label(radius_mm, along_mm=0.0):
    """A round cord with round gray matter, shifted sideways by `along_mm`."""
    distance_mm = np.hypot(x * SPACING_MM - along_mm, y * SPACING_MM)
    return LabelSlice(*((distance_mm < r).astype(np.float32) for r in (radius_mm, radius_mm / 2)), spacing_mm=SPACING_MM)


# A cord that moves sideways by 0.1 mm a slice, and tapers off.
SOURCE = [label(6 - 0.1 * k, 0.1 * k - 2) for k in range(40)]


def stack_of(source=SOURCE, size=48, depth=16, seed=0, **options):
    return synthesize_stack(source, size, depth, np.random.default_rng(seed), **options)


def test_shapes_and_seeds():
    image, target = stack_of()
    assert image.shape == (48, 48, 16)
    assert target.shape == (48, 48, 16, 2)
    assert image.dtype == target.dtype == np.float32
    assert np.isfinite(image).all()
    assert 0 <= target.min() <= target.max() <= 1
    assert (target[..., 0] <= target[..., 1] + 1e-5).all(), "gray matter lies in the cord"
    again, other = stack_of(), stack_of(seed=1)
    np.testing.assert_array_equal(again[0], image)
    np.testing.assert_array_equal(again[1], target)
    assert not np.array_equal(other[0], image)


@pytest.mark.parametrize("seed", range(4))
def test_neighboring_slices_are_alike(seed):
    """All slices have the same contrast, deformation and blur; only the cord and the noise differ."""
    image, _ = stack_of(seed=seed)
    neighbors = [np.corrcoef(image[..., k].ravel(), image[..., k + 1].ravel())[0, 1] for k in range(15)]
    assert min(neighbors) > 0.9


def test_targets_follow_the_labels():
    size = stack_of()[1][..., 1].sum(axis=(0, 1))
    assert (np.diff(size) < 0).all(), "the cord tapers off"
    assert size[-1] > 0
    size = stack_of([label(6)] * 8 + [label(0)] * 8)[1][..., 1].sum(axis=(0, 1))
    assert (size[:8] == size[0]).all(), "equal labels, deformed alike"
    assert size[0] > 0
    assert not size[8:].any()


def test_a_short_source_is_filled_up_with_its_last_slice():
    _, target = stack_of([label(6), label(5), label(4)])
    assert (target[..., 3:, :] == target[..., 2:3, :]).all()
    assert target[..., 0, 1].sum() > target[..., 2, 1].sum() > 0


def test_a_long_source_is_cut_anywhere():
    sizes = {float(stack_of(seed=seed)[1][..., 0, 1].sum()) for seed in range(6)}
    assert len(sizes) == 6


# Stacks of scans


def scan(slices=6, distance_mm=2.0, seed=0, skip=()):
    """A round cord that moves sideways, in slices of a scan, out of order."""
    rng = np.random.default_rng(seed)
    found = []
    for k in range(slices):
        cord = (np.hypot(x * SPACING_MM - 0.2 * k, y * SPACING_MM) < 6).astype(np.float32)
        image = 100 * cord + rng.normal(0, 5, cord.shape).astype(np.float32)
        found.append(ScanSlice(image, (), cord, SPACING_MM, k * distance_mm))
    return [part for k, part in enumerate(found) if k not in skip][::-1]


@pytest.mark.parametrize(("overlap", "count"), [(0, 2), (0.5, 2), (0.75, 3)])
def test_patches_cover_a_scan(overlap, count):
    patches = patches_of(scan(), 16, overlap)  # 6 slices of 2 mm are 24 samples of 0.5 mm
    assert len(patches) == count
    assert {part.height_mm for patch in patches for part in patch.slices} == {0, 2, 4, 6, 8, 10}
    for patch in patches:
        heights = [part.height_mm for part in patch.slices]
        assert heights == sorted(heights)
        assert patch.weights.shape == (16, len(heights))
        np.testing.assert_allclose(patch.weights.sum(axis=1), 1, rtol=1e-6)


def test_a_gap_parts_a_scan_and_a_short_one_is_filled_up():
    patches = patches_of(scan(skip=(2,)), 8, 0)
    assert [[part.height_mm for part in patch.slices] for patch in patches][0] == [0, 2]
    assert all(4 not in [part.height_mm for part in patch.slices] for patch in patches)
    assert all({0, 2} >= set(h) or {6, 8, 10} >= set(h) for h in ([p.height_mm for p in patch.slices] for patch in patches))
    (patch,) = patches_of(scan(1), 8, 0.5)
    assert patch.weights.tolist() == [[1]] * 8


def test_patches_of_own_slices_repeat_the_ends_alone():
    patches = patches_of(scan(skip=(3,)), 4, 0.5, resampled=False)
    assert [[part.height_mm for part in patch.slices] for patch in patches] == [[0, 2, 4], [8, 10]]
    assert [patch.weights.argmax(axis=1).tolist() for patch in patches] == [[0, 0, 1, 2], [0, 0, 1, 1]]
    assert all(set(patch.weights.ravel()) == {0, 1} for patch in patches)


def test_thicker_slices_are_the_means_of_neighbors():
    thin, thick = thicker_scans(scan())
    assert len(thin) == 6, "of 2 mm"
    assert [part.height_mm for part in thick] == [1, 5, 9]
    ordered = thin[::-1]
    np.testing.assert_allclose(thick[1].image, (ordered[2].image + ordered[3].image) / 2)
    assert set(np.unique(thick[1].cord)) == {0, 0.5, 1}
    assert [len(s) for s in thicker_scans(scan(12, 0.5, skip=(5,)))] == [11, 5, 2]
    assert len(thicker_scans(scan(1))) == 1


def test_stacks_of_own_slices():
    """Slices are in order at any distance; in some stacks they are shifted, together with their targets."""
    stacks = [stack_of(depth=8, seed=seed, resampled=False) for seed in range(12)]
    assert {(image.shape, target.shape) for image, target in stacks} == {((48, 48, 8), (48, 48, 8, 2))}
    sizes = [target[..., 1].sum(axis=(0, 1)) for _, target in stacks if target.any()]
    assert len(sizes) > 8
    assert all((np.diff(size) < 0).all() for size in sizes), "the cord tapers off"
    lost = [1 - size[-1] / size[0] for size in sizes]
    assert min(lost) < 0.35 < 0.6 < max(lost), "over 4 mm, or up to 20"


@pytest.mark.parametrize("resampled", [True, False])
def test_patches_are_those_of_the_command(resampled):
    """Without augmentation, a patch equals what `core.inference.stack` makes of the same windows."""
    seen = []

    class Watcher:
        def predict(self, patches):
            seen.append(patches[0])
            return np.zeros((*patches.shape, 1), np.float32)

    slices = scan()[::-1]
    windows = standardize(np.stack([part.image[26:74, 26:74] for part in slices]))
    config = InferenceConfig(spacing_mm=SPACING_MM, window=48, depth=16, resample_slices=resampled)
    predict_stack(Watcher(), windows, 2.0, config, 0.5)
    patches = patches_of(slices, 16, 0.5, resampled)
    assert len(seen) == len(patches)
    for patch, shown in zip(patches, seen, strict=True):
        images, targets = augment_stack(patch, 48, np.random.default_rng(0), "none", ["cord"])
        np.testing.assert_allclose(patch.resample(standardize(images)), shown, atol=1e-5)
        assert patch.resample(targets).shape == (48, 48, 16, 1)


@pytest.mark.parametrize("profile", ["default", "kumar", "perone"])
def test_slices_of_a_scan_are_augmented_alike(profile):
    (patch,) = patches_of([ScanSlice(p.image, (), scan()[-1].cord, SPACING_MM, p.height_mm) for p in scan()], 24, 0)
    images, targets = augment_stack(patch, 48, np.random.default_rng(3), profile, ["cord"])
    assert (targets == targets[:1]).all(), "equal labels, deformed alike"
    assert not np.array_equal(images[0], images[1])
    again, _ = augment_stack(patch, 48, np.random.default_rng(3), profile, ["cord"])
    np.testing.assert_array_equal(images, again)


def test_a_simulated_centerline_errs_smoothly():
    heights = np.arange(0, 100, 0.5)
    drawn = np.array([centerline_errors(heights, 2.0, np.random.default_rng(seed)) for seed in range(40)])
    assert np.abs(drawn).max() <= 2
    assert np.abs(drawn).max() > 1.5
    assert np.abs(np.diff(drawn, axis=1)).max() < 0.2, "smoothly: mm in half a mm"
    assert np.ptp(drawn, axis=1).max() > 0.5
    assert not centerline_errors(heights, 0.0, np.random.default_rng(0)).any()


def volumetric(changes):
    return CONFIG.with_changes({"network": {"name": "unet3d"}, **changes}, replaced=("network",))


def test_stacks_of_scans_and_synthetic_ones_are_mixed():
    sampling = {"crop_sizes": [48], "crop_depth": 16, "center_jitter_mm": 2.0}
    changes = {"data.scan_fraction": 0.5, "optimizer.batch_size": 8, "sampling": sampling}
    mixed = CropBatches(volumetric(changes), [SOURCE], [scan(12, 1.0)])
    images, targets = mixed.make(0, 0)
    assert (images.shape, targets.shape) == ((8, 48, 48, 16, 1), (8, 48, 48, 16, 1))
    np.testing.assert_array_equal(mixed.make(0, 0)[0], images)
    # The cord of SOURCE tapers off along the stack; that of the scan does not.
    sizes = targets.sum(axis=(1, 2, 4))
    tapering = (np.diff(sizes, axis=1) <= 0).all(axis=1) & (sizes[:, 0] > 1.1 * sizes[:, -1])
    assert 0 < tapering.sum() < 8


def test_slices_of_a_stack_are_degraded_alike():
    changes = {
        "data.scan_fraction": 1,
        "inference": {"resample_slices": False},
        "sampling": {"crop_sizes": [48], "crop_depth": 4, "cropped_fov_prob": 1, "center_jitter_mm": 0},
        "augmentation": {"masked_prob": 1, "sagittal_prob": 1, "profile": "none"},
    }
    images, targets = CropBatches(volumetric(changes), [SOURCE], [scan(4, 1.0)]).make(0, 0)
    for image, target in zip(images, targets, strict=True):
        neighbors = [np.corrcoef(image[..., k, 0].ravel(), image[..., k + 1, 0].ravel())[0, 1] for k in range(3)]
        assert min(neighbors) > 0.8
        assert np.ptp(target.sum(axis=(0, 1, 3))) < 0.3 * target.sum(axis=(0, 1, 3)).max() + 1


def test_validation_stacks_show_every_slice():
    changes = {"sampling": {"crop_sizes": [48], "crop_depth": 16}, "inference.spacing_mm": 0.5}
    images, targets = validation_crops(volumetric(changes), [scan(), scan(12)])
    assert images.shape == targets.shape == (2 + 3, 48, 48, 16, 1)
    assert abs(images[0].mean()) < 0.02
    assert targets.max() == 1
