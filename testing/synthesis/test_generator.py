"""The label-to-image generator: reproducible, and consistent with its labels."""

import numpy as np
import pytest

from spineseg_cli.synthesis.deformation import smooth_field
from spineseg_cli.synthesis.generator import LabelSlice, synthesize


@pytest.fixture(scope="module")
def labels() -> LabelSlice:
    """A round cord of 5 mm radius with a square of gray matter, on 50 mm."""
    x, y = np.meshgrid(*[np.arange(200) - 99.5] * 2, indexing="ij")
    cord = (x**2 + y**2 < 20**2).astype(np.float32)
    return LabelSlice(cord, ((abs(x) < 8) & (abs(y) < 8)).astype(np.float32))


def test_same_seed_same_image(labels):
    first, second, other = (synthesize(labels, 96, np.random.default_rng(seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])
    assert not np.array_equal(first[0], other[0])


def test_gray_matter_is_a_fraction_inside_the_cord(labels):
    for seed in range(20):
        image, target = synthesize(labels, 96, np.random.default_rng(seed))
        assert image.shape == (96, 96)
        assert image.dtype == np.float32
        assert np.isfinite(image).all()
        assert image.min() >= 0
        assert (target[..., 0] <= target[..., 1] + 1e-6).all()
        assert target.min() >= 0
        assert target.max() <= 1


def test_images_show_their_labels(labels):
    """Gray and white matter differ in nearly every image, by more than the noise of their means."""
    shown = []
    for seed in range(40):
        image, target = synthesize(labels, 96, np.random.default_rng(seed))
        gray, white = target[..., 0] > 0.9, (target[..., 1] > 0.9) & (target[..., 0] < 0.1)
        if gray.sum() > 20 and white.sum() > 20:
            shown.append(abs(image[gray].mean() - image[white].mean()) > 2 * image[white].std() / np.sqrt(white.sum()))
    assert len(shown) > 25
    assert np.mean(shown) > 0.85


def test_air_stays_dark_and_far_crops_lose_the_cord(labels):
    around = np.full((200, 200), 3, np.uint8)
    around[:, :60] = 0
    slice_ = LabelSlice(labels.cord, labels.gray, surroundings=around)
    areas = [synthesize(slice_, 96, np.random.default_rng(seed), far_shift_prob=1.0)[1][..., 1].sum() for seed in range(30)]
    assert np.mean(np.array(areas) == 0) > 0.2


def test_smooth_fields_have_unit_variance():
    fields = smooth_field((400, 64, 64), 6, np.random.default_rng(0))
    assert fields.std() == pytest.approx(1, abs=0.05)
    assert abs(np.diff(fields, axis=1)).max() < 0.6


@pytest.mark.parametrize(("contrast", "csf_is_brighter"), [("t2", True), ("t1", False)])
def test_shares_of_the_contrasts(labels, contrast, csf_is_brighter):
    canal = LabelSlice(labels.cord, labels.gray, np.ones_like(labels.cord))  # CSF all about the cord
    brighter = []
    for seed in range(100):
        image, target = synthesize(canal, 96, np.random.default_rng(seed), contrasts={contrast: 2.0})
        if target[..., 1].any():
            brighter.append(image[target[..., 1] == 0].mean() > image[target[..., 1] > 0.9].mean())
    # A tenth of the images is inverted.
    assert np.mean(np.array(brighter) == csf_is_brighter) > 0.75
