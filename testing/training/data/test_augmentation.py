"""Augmentation: the single transforms, and the profiles."""

import time

import numpy as np
import pytest
from scipy import ndimage

from spineseg_cli.training.choices import AUGMENTATIONS
from spineseg_cli.training.data import transforms
from spineseg_cli.training.data.augmentation import augment
from spineseg_cli.training.data.labeled_slices import ScanSlice

PLACES = np.stack(np.meshgrid(*[np.arange(200) - 99.5] * 2, indexing="ij")).astype(np.float32)


def disc(radius, center=(0, 0)):
    return np.clip(radius + 0.5 - np.hypot(PLACES[0] - center[0], PLACES[1] - center[1]), 0, 1).astype(np.float32)


def center_of(image):
    """Center of mass, samples from the center."""
    axis = np.arange(len(image)) - (len(image) - 1) / 2
    return image.sum(axis=1) @ axis / image.sum(), image.sum(axis=0) @ axis / image.sum()


@pytest.fixture(scope="module")
def scan():
    image = 1 + 3 * disc(24) + disc(9) + 0.1 * np.random.default_rng(0).standard_normal((200, 200)).astype(np.float32)
    return ScanSlice(image, (disc(9),), disc(24))


@pytest.mark.parametrize(
    ("transform", "expected"),
    [
        (lambda c: c, (30, 10)),
        (lambda c: transforms.shift(c, (5, -8)), (35, 2)),
        (lambda c: transforms.flip(c), (-30, 10)),
        (lambda c: transforms.rotate(c, 90), (-10, 30)),
        (lambda c: transforms.scale(c, (0.5, 2)), (15, 20)),
        (lambda c: transforms.crop_or_pad(c, (0.1, 0, 0, 0)), ((30 - 8) / 0.9, 10)),
    ],
    ids=["identity", "shift", "flip", "rotate", "scale", "crop"],
)
def test_geometry_moves_the_content(transform, expected):
    moved = transforms.read(disc(6, (30, 10)), transform(transforms.identity(160)), "constant")
    assert moved.shape == (160, 160)
    assert center_of(moved) == pytest.approx(expected, abs=0.1)  # a disc's edge is sampled, so its center is not exact


def test_elastic_deformation_is_smooth_and_has_the_published_size():
    moved = transforms.elastic(transforms.identity(200), 30.0, 4.0, np.random.default_rng(0)) - transforms.identity(200)
    inner = moved[:, 30:-30, 30:-30]
    # Uniform noise in [-1, 1] has variance 1/3, and a Gaussian of sigma 4 keeps 1 / (4 pi 4^2) of it.
    assert inner.std() == pytest.approx(30 * np.sqrt(1 / 3 / (4 * np.pi * 16)), rel=0.1)
    assert np.abs(np.diff(inner, axis=1)).max() < 1, "no folds"


def test_a_cropped_field_repeats_its_edge_and_has_nothing_to_find_outside():
    image, target = PLACES[0, :64, :64] + 100 * PLACES[1, :64, :64], np.ones((64, 64, 1), np.float32)
    narrow, cut, inside = transforms.cropped_field(image, target, np.random.default_rng(3))
    assert 0 < inside.mean() < 1
    assert np.array_equal(narrow[inside], image[inside])
    assert np.array_equal(cut[..., 0] > 0, inside)
    assert set(np.unique(narrow)) == set(np.unique(image[inside]))


def test_sharpening():
    spike = np.zeros((9, 9), np.float32)
    spike[4, 4] = 1
    assert transforms.sharpen(spike, 0.5, 1.5)[4, 3:5] == pytest.approx([-0.5, 0.5 + 0.5 * 9.5])
    flat = np.full((9, 9), 2, np.float32)
    assert transforms.sharpen(flat, 0.5, 1.0) == pytest.approx(flat)


@pytest.mark.parametrize("profile", AUGMENTATIONS)
def test_profiles(scan, profile):
    before = scan.image.copy()
    image, target = augment(scan, 96, np.random.default_rng(3), profile)
    again, other = (augment(scan, 96, np.random.default_rng(seed), profile)[0] for seed in (3, 4))
    assert (image.shape, target.shape, image.dtype, target.dtype) == ((96, 96), (96, 96, 2), np.float32, np.float32)
    assert np.array_equal(image, again)
    assert np.array_equal(image, other) == (profile == "none")
    assert (target[..., 0] <= target[..., 1] + 1e-6).all(), "labels move alike"
    inside, outside = image[target[..., 1] > 0.99], image[target[..., 1] < 0.01]
    assert abs(np.median(inside) - np.median(outside)) > 0.1 * np.ptp(image), "labels move with the image"
    assert np.array_equal(scan.image, before)


@pytest.mark.parametrize("profile", ["perone", "kumar", "none"])
def test_profiles_that_keep_the_scale_of_intensities(scan, profile):
    crops = [augment(scan, 96, np.random.default_rng(seed), profile)[0] for seed in range(20)]
    assert min(crop.min() for crop in crops) >= scan.image.min() - 0.2
    assert max(crop.max() for crop in crops) <= scan.image.max() + 0.2


@pytest.mark.parametrize(("profile", "lowest", "highest", "spread"), [("perone", 0.94, 1.06, 0.03), ("kumar", 0.7, 1.35, 0.2)])
def test_published_ranges_of_size(scan, profile, lowest, highest, spread):
    """Perone scales by 2 % before the elastic deformation, Kumar to 80 to 110 % before cropping or padding by up to 20 %."""
    areas = [augment(scan, 160, np.random.default_rng(seed), profile)[1][..., 1].sum() for seed in range(60)]
    sizes = np.sqrt(np.array(areas) / scan.cord.sum())
    assert lowest < sizes.min() < sizes.max() < highest
    assert np.ptp(sizes) > spread


def test_raters_are_drawn_one_at_a_time():
    scan = ScanSlice(disc(30), (disc(6), disc(12)), disc(24))
    areas = {round(float(augment(scan, 64, np.random.default_rng(seed), "none", ["gray_matter"])[1].sum())) for seed in range(12)}
    assert areas == {round(float(disc(6).sum())), round(float(disc(12).sum()))}


def processor_seconds(work):
    """The least of forty times, which other programs hardly change."""
    seconds = []
    for _ in range(40):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds)


def test_hundreds_of_crops_a_second(scan):
    """A crop takes one to three times as long as one cubic interpolation of its size, about 1.4 ms."""
    rng, points = np.random.default_rng(0), 1.1 * np.mgrid[:128, :128]
    for profile in AUGMENTATIONS:
        once = processor_seconds(lambda: ndimage.map_coordinates(scan.image, points, order=3))
        assert processor_seconds(lambda profile=profile: augment(scan, 128, rng, profile)) < 6 * once, profile


@pytest.mark.parametrize("profile", AUGMENTATIONS)
@pytest.mark.parametrize(("mirror", "lowest", "highest"), [(None, 0, 1), (False, 0, 0), (True, 0.3, 0.7)])
def test_mirrored_half_of_the_time_or_never(profile, mirror, lowest, highest):
    """Three dots whose sense of rotation changes only if the crop is mirrored."""
    places, sizes = ((0, 20), (20, -10), (-20, -10)), (3, 5, 7)
    dots = [disc(size, place) for place, size in zip(places, sizes, strict=True)]
    mirrored = []
    for seed in range(24):
        found = [
            augment(ScanSlice(dots[0], (), dot), 160, np.random.default_rng(seed), profile, ["cord"], mirror)[1] for dot in dots
        ]
        if min(one.sum() for one in found) < 20:
            continue  # shifted out of the crop
        a, b, c = (np.array(center_of(one[..., 0])) for one in found)
        mirrored.append(float(np.linalg.det(np.stack([b - a, c - a])) > 0))
    share = np.mean(mirrored)
    assert lowest <= share <= highest
    if mirror is None:
        assert (share > 0.2) == (profile in ["default", "recolored", "perone"])


def test_a_slice_seen_from_off_its_center(scan):
    moved = scan.moved((2.0, -3.0))  # 0.25 mm a sample
    assert center_of(moved.cord) == pytest.approx((-8, 12))
    assert center_of(moved.structure[0]) == pytest.approx((-8, 12))
    np.testing.assert_array_equal(moved.image[:-8, 12:], scan.image[8:, :-12])
    np.testing.assert_array_equal(moved.image[-1], moved.image[-9])
